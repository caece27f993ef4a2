"""What NumPy and SciPy call our border rules."""

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
