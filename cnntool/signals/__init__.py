"""Signals in, signals out: kernels and filters, block after block, so that any length fits."""
