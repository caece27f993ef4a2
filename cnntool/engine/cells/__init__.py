"""Recurrent cells: simple, gated and long short-term, alone and stacked."""
