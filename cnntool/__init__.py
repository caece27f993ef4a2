"""Convolution, pooling, CNNs and RNNs on one NumPy engine, for the shell."""

__version__ = "0.1.0"
