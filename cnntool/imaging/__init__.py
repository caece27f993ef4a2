"""Images in, images out: files, kernels, filter banks and the way from numbers to pixels."""
