"""The errors a person caused and can mend: one line each, ending in the remedy."""


class InputError(ValueError):
    """Data that cannot be used: a broken file, a size out of bounds. The command exits with 1."""


def not_finite(what: str) -> InputError:
    """That ``what`` of a trained model overflows; to be raised."""
    return InputError(
        f"{what} gives numbers that are not finite: its parameters are too large, train it with a "
        "smaller learning rate"
    )


class RequestError(ValueError):
    """A request that makes no sense whatever the data: a bad kernel, a bad option. Exits with 2."""
