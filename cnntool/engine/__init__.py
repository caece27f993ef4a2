"""Arrays in, arrays out: the one im2col engine behind every command. NumPy only."""

from cnntool.engine.banks import filter_bank

__all__ = ["filter_bank"]
