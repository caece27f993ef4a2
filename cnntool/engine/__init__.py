"""Arrays in, arrays out: the one im2col engine behind every command. NumPy only."""
