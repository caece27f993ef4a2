"""What part of a set may be held out."""

from cnntool.errors import RequestError


def check_fraction(fraction: float) -> None:
    """RequestError for what is not from 0 to below 1."""
    if not 0 <= fraction < 1:
        raise RequestError(
            f"the validation split is {fraction:g}, expected a fraction from 0 to below 1, such as "
            "0.1: set --val-split"
        )
