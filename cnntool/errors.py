"""The errors a person caused and can mend: one line each, ending in the remedy."""

import re

LINE_ENDS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""All that :meth:`str.splitlines` splits at."""


class OneLineError(ValueError):
    """A message that stays one line, whatever the name of a file or a value in it holds."""

    def __init__(self, message: object = "") -> None:
        super().__init__(LINE_ENDS.sub(lambda end: repr(end[0])[1:-1], str(message)))


class InputError(OneLineError):
    """Data that cannot be used: a broken file, a size out of bounds. The command exits with 1."""


class RequestError(OneLineError):
    """A request that makes no sense whatever the data: a bad kernel, a bad option. Exits with 2."""


def not_finite(what: str) -> InputError:
    """That ``what`` of a trained model overflows; to be raised."""
    return InputError(
        f"{what} gives numbers that are not finite: its parameters are too large, train it with a "
        "smaller learning rate"
    )
