"""The errors a person caused and can mend: one line each, ending in the remedy."""


class InputError(ValueError):
    """Data that cannot be used: a broken file, a size out of bounds. The command exits with 1."""


class RequestError(ValueError):
    """A request that makes no sense whatever the data: a bad kernel, a bad option. Exits with 2."""
