"""Layers as a person types them: ``conv:5,padding=2``, ``max:2``, ``average:3,stride=1``.

KIND, a colon and the size of its window or ``global``, then settings with commas between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cnntool.choices import POOLS
from cnntool.cli.types import LARGEST_STEP, Spec

KINDS = ("conv", *POOLS)
GLOBAL = ("max", "average")
LARGEST_MEDIAN = 64
SETTINGS = ("stride", "padding", "dilation", "ceil", "p", "sigma")


@dataclass(frozen=True)
class LayerSpec:
    """One layer: its kind and its window; ``size`` None is the whole picture."""

    text: str
    kind: str
    size: int | None
    stride: int
    padding: int | str = 0
    dilation: int = 1
    ceil: bool = False
    p: float = 2.0
    sigma: float | None = None


def layer(kinds: Sequence[str] = KINDS) -> Spec:
    """A layer of one of some kinds, as the text at the top says."""

    def read(text: str) -> LayerSpec:
        try:
            return _parsed(text.strip(), kinds)
        except ValueError as error:
            raise ValueError(f"layer '{text}': {error}") from None

    return Spec("LAYER", read)


def _parsed(text: str, kinds: Sequence[str]) -> LayerSpec:
    kind, _, rest = text.partition(":")
    words = [word.strip() for word in rest.split(",")] if rest else []
    if re.match(r"global(,|$)", text):
        kind, words = "max", text.split(",")
    if kind not in kinds:
        raise ValueError(f"no kind '{kind}': expected {', '.join(kinds)} or global")
    size: int | None = 2
    if words and "=" not in words[0] and words[0] != "ceil":
        first = words.pop(0)
        size = None if first == "global" else _whole("the size", first)
    elif kind == "conv":
        raise ValueError("the size of its window is missing: write conv:3")
    settings: dict[str, int | float | str | bool] = {}
    for key, value in map(_setting, words):
        if key in settings:
            raise ValueError(f"{key} is given twice: keep one")
        settings[key] = value
    for key, owner in (("p", "lp"), ("sigma", "gaussian")):
        if key in settings and kind != owner:
            raise ValueError(f"{key} is for {owner}, not for {kind}")
    if size is None and kind not in GLOBAL:
        raise ValueError(f"global goes with {' and '.join(GLOBAL)}, not with {kind}")
    if size is None and settings:
        raise ValueError("global is one window over everything: leave its settings out")
    if kind == "conv" and "ceil" in settings:
        raise ValueError("conv takes stride, padding and dilation only")
    if kind == "median" and size > LARGEST_MEDIAN:
        raise ValueError(f"a median of more than {LARGEST_MEDIAN} a side takes too long")
    stride = 1 if kind == "conv" or size is None else size
    return LayerSpec(text, kind, size, **{"stride": stride, **settings})


def _setting(word: str) -> tuple[str, int | float | str | bool]:
    key, equals, value = (part.strip() for part in word.partition("="))
    if word == "ceil":
        return "ceil", True
    if key not in SETTINGS or not equals or key == "ceil":
        raise ValueError(
            f"'{word}' is no setting: expected stride=N, padding=N, dilation=N, ceil, p=P, sigma=S"
        )
    if key == "padding" and value in ("same", "valid", "full"):
        return key, value
    if key in ("p", "sigma"):
        return key, _real(key, value, 1 if key == "p" else 0)
    return key, _whole(key, value, 0 if key == "padding" else 1)


def _whole(name: str, text: str, least: int = 1) -> int:
    if not re.fullmatch(r"\d+", text, re.ASCII) or not least <= int(text) <= LARGEST_STEP:
        raise ValueError(f"{name} is '{text}': expected a whole number, {least} to {LARGEST_STEP}")
    return int(text)


def _real(name: str, text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (value >= least if least else 0 < value < float("inf")):
        expected = f"a number from {least:g} on, or inf" if least else "a number above 0"
        raise ValueError(f"{name} is '{text}': expected {expected}")
    return value
