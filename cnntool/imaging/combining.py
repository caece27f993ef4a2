"""How the responses of a bank become one picture: magnitude, maximum, orientation, or none."""

from __future__ import annotations

import numpy as np

from cnntool.errors import RequestError
from cnntool.imaging.kernels import Filter

COMBINATIONS = ("none", "magnitude", "maximum", "orientation")


def check_combination(kernel: Filter, combine: str) -> None:
    """Raise RequestError where a filter's kernels cannot be combined in this way."""
    if combine in ("magnitude", "maximum") and kernel.count < 2:
        raise RequestError(
            f"{kernel.label} has one kernel, so there is nothing to combine by {combine}: "
            "use --combine none, or a bank such as sobel"
        )
    if combine == "orientation" and (kernel.directions is None or len(kernel.bank) < 2):
        raise RequestError(
            f"{kernel.label} has no orientation: --combine orientation needs kernels of known "
            "directions, such as sobel, scharr, kirsch or robinson"
        )


def sum_colours(responses: np.ndarray) -> np.ndarray:
    """Responses of colour filters (3 F, ..., C), three kernels each, as (F, ..., 1).

    Each kernel's response to its own channel counts; a grey picture is all three channels.
    """
    channels = responses.shape[-1]
    red, green, blue = (responses[k::3, ..., k % channels] for k in range(3))
    return (red + green + blue)[..., None]


def combine_responses(responses: np.ndarray, combine: str, directions=None) -> np.ndarray:
    """Combine responses (F, ...) to (1, ...), or leave them (F, ...); their memory is used again.

    - magnitude: ``sqrt(sum of r_f^2)``
    - maximum: ``max of r_f``
    - orientation: the direction of steepest ascent in degrees, counterclockwise on the screen from
      the x axis, in (-180, 180]: for a pair ``atan2`` of the responses, for a compass the direction
      of the largest response; 0 where the picture is flat.
    """
    if combine == "none":
        return responses
    result = responses[:1]
    if combine == "magnitude":
        np.multiply(responses, responses, out=responses)
        for response in responses[1:]:
            np.add(result[0], response, out=result[0])
        np.sqrt(result, out=result)
    elif combine == "maximum":
        for response in responses[1:]:
            np.maximum(result[0], response, out=result[0])
    elif len(responses) == 2:
        first, second = directions
        turn = np.sign((second - first + 180) % 360 - 180)
        flat = ~responses.any(axis=0)
        np.arctan2(turn * responses[1], responses[0], out=result[0])
        np.degrees(result, out=result)
        result += first
        result[0][flat] = 0
        _wrap_degrees(result)
    else:
        flat = responses.max(axis=0) <= 0
        result[0] = np.asarray(directions, result.dtype)[responses.argmax(axis=0)]
        result[0][flat] = 0
        _wrap_degrees(result)
    return result


def _wrap_degrees(angles: np.ndarray) -> None:
    """From within one turn of it to (-180, 180], in place."""
    angles[angles > 180] -= 360
    angles[angles <= -180] += 360
