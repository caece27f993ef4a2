"""Bytes to arrays and signals, and back: formats, streams, whole or not at all."""
