"""Images in, images out: kernels, filters, pools and the way from numbers to pixels."""
