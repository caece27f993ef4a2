"""What a person may type for an augmentation: 'shift=2,rotate=10,flip'."""

from __future__ import annotations

from dataclasses import fields

from cnntool.datasets.augmentation import Augmentation
from cnntool.errors import RequestError
from cnntool.imaging.kernel_spec import read_number
from cnntool.imaging.kernels import number_text
from cnntool.suggestions import suggestion

LIMITS = {
    "shift": (0, 10_000, "whole pixels"),
    "rotate": (0, 180, "degrees"),
    "scale": (0, 0.9, "a fraction"),
    "shear": (0, 80, "degrees"),
    "flip": (0, 1, "a probability"),
    "noise": (0, 1, "a fraction of white"),
    "cutout": (0, 10_000, "whole pixels"),
}
"""For each change, the least and the most that it takes, and in what."""

WHOLE = ("shift", "cutout")
FLIP = 0.5  # what 'flip' alone means
EXAMPLE = "shift=2,rotate=10,flip"


def parse_augmentation(spec: str) -> Augmentation:
    """The changes of a spec, in any order, separated by commas; 'none' or '' is none at all.

    shift=PIXELS, rotate=DEGREES, scale=FRACTION, shear=DEGREES, flip (or flip=PROBABILITY),
    noise=FRACTION, cutout=PIXELS. Every mistake raises RequestError with one line that says what
    was found, what was expected and the remedy.

    >>> parse_augmentation("shift=2,flip")
    Augmentation(shift=2, rotate=0.0, scale=0.0, shear=0.0, flip=0.5, noise=0.0, cutout=0)
    """
    values: dict[str, float] = {}
    text = spec.strip()
    for setting in [] if text in ("", "none") else text.split(","):
        name, equals, number = (part.strip() for part in setting.partition("="))
        if name not in LIMITS:
            raise RequestError(_unknown(name, spec))
        if name in values:
            raise RequestError(f"augmentation: {name} is given twice in '{spec}': keep one")
        if not equals and name == "flip":
            values[name] = FLIP
        elif not number:
            raise RequestError(
                f"augmentation: {name} has no value in '{spec}': write {name}=NUMBER, in "
                f"{LIMITS[name][2]}"
            )
        else:
            values[name] = _checked(name, read_number(number, f"augmentation: {name}"))
    return Augmentation(**values)


def augmentation_spec(augmentation: Augmentation) -> str:
    """The text that ``parse_augmentation`` reads back; 'none' where nothing is changed."""
    settings = [
        f"{field.name}={number_text(value)}"
        for field in fields(augmentation)
        if (value := getattr(augmentation, field.name))
    ]
    return ",".join(settings) or "none"


def _checked(name: str, value: float) -> float:
    least, most, unit = LIMITS[name]
    if not least <= value <= most:
        raise RequestError(
            f"augmentation: {name} is {number_text(value)}, expected {unit} from {least} to {most}"
        )
    if name in WHOLE:
        if value != int(value):
            raise RequestError(
                f"augmentation: {name} is {number_text(value)}, expected whole pixels: write "
                f"{name}={round(value)}"
            )
        return int(value)
    return value


def _unknown(name: str, spec: str) -> str:
    if not name:
        return f"augmentation '{spec}' has an empty place: write it like '{EXAMPLE}'"
    shown = name if len(name) <= 40 else name[:37] + "..."
    return f"unknown augmentation '{shown}'{suggestion(name, LIMITS)}"
