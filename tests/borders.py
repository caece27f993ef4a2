"""What NumPy and SciPy call our border rules."""

import numpy as np
from scipy import ndimage

NUMPY_MODE = {
    "reflect": "symmetric",
    "mirror": "reflect",
    "edge": "edge",
    "wrap": "wrap",
    "constant": "constant",
}
SCIPY_MODE = {
    "reflect": "reflect",
    "mirror": "mirror",
    "edge": "nearest",
    "wrap": "wrap",
    "constant": "constant",
}


def reference(image, kernel, stride, dilation, border, constant, flip):
    """scipy.ndimage in float64, the kernel spread by zeros, the result taken at 0, s, 2s, ..."""
    spread = np.zeros([(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation, strict=True)])
    spread[:: dilation[0], :: dilation[1]] = kernel
    operation = ndimage.convolve if flip else ndimage.correlate
    image = image.astype(np.float64)
    height, width = image.shape[:2]
    far = [n if n >= 2 * size else 0 for n, size in zip(spread.shape, (height, width), strict=True)]
    if any(far):  # SciPy 1.17 reads past an image that is so much smaller than the kernel
        extra = {"constant_values": constant} if border == "constant" else {}
        pads = ((far[0], far[0]), (far[1], far[1]), (0, 0))
        image = np.pad(image, pads, NUMPY_MODE[border], **extra)
    channels = [
        operation(image[..., c], spread, mode=SCIPY_MODE[border], cval=constant)
        for c in range(image.shape[2])
    ]
    whole = np.stack(channels, axis=2)[far[0] : far[0] + height, far[1] : far[1] + width]
    return whole[:: stride[0], :: stride[1]]
