"""Pages to walk through a network: HTML that holds all it needs, and computes in the browser."""
