"""A bank of filters over a whole image: as products, separable, or by its spectrum."""
