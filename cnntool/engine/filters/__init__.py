"""A bank of filters over a whole image: as products, separable, by shifts, or by its spectrum."""
