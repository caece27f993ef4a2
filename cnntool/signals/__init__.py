"""Signals in, signals out: numbers, CSV, .npy and WAV, in blocks, so that any length fits."""
