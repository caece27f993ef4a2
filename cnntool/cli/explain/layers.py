"""Layers as a person types them: ``conv:5,padding=2``, ``max:2``, ``average:3,stride=1``.

KIND, a colon and the size of its window or ``global``, then settings with commas between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnntool.choices import POOLS
from cnntool.cli.types import LARGEST_STEP, Spec
from cnntool.specs import Form, Parameter

KINDS = ("conv", *POOLS)
GLOBAL = ("max", "average")
LARGEST_MEDIAN = 64


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
            return _read(text.strip(), kinds)
        except ValueError as error:
            raise ValueError(f"layer '{text}': {error}") from None

    return Spec("LAYER", read)


def _read(text: str, kinds: Sequence[str]) -> LayerSpec:
    kind, _, settings = text.partition(":")
    if text.split(",")[0] == "global":
        kind, settings = "max", text
    if kind not in kinds:
        raise ValueError(f"no kind '{kind}': expected {', '.join(kinds)} or global")
    first = settings.partition(",")[0]
    if first == "global":
        if kind not in GLOBAL:
            raise ValueError(f"global goes with {' and '.join(GLOBAL)}, not with {kind}")
        if settings != first:
            raise ValueError("global is one window over everything: leave its settings out")
        return LayerSpec(text, kind, None, 1)
    if first and "=" not in first and first != "ceil":
        settings = f"size={settings}"
    form = _form(kind)
    values = form.filled(form.read(settings or None))
    if values["stride"] is None:
        values["stride"] = 1 if kind == "conv" else values["size"]
    if "p" in values:
        values["p"] = float(values["p"])  # inf is a word
    return LayerSpec(text, kind, **values | {"ceil": bool(values.get("ceil"))})


def _form(kind: str) -> Form:
    """The settings of a layer; its size is one of them, whose name may be left out."""
    is_conv = kind == "conv"
    size = _steps("size", None if is_conv else 2)
    if kind == "median":
        size = replace(size, maximum=LARGEST_MEDIAN)
    padding = replace(_steps("padding", 0), minimum=0, words=("same", "valid", "full"))
    parameters = [
        replace(size, is_required=is_conv),
        _steps("stride", None),
        padding,
        _steps("dilation", 1),
    ]
    if not is_conv:
        parameters.append(Parameter("ceil", 0, choices=(1,), alone=1))
    if kind == "lp":
        parameters.append(Parameter("p", 2.0, minimum=1, words=("inf",)))
    if kind == "gaussian":
        parameters.append(Parameter("sigma", None, minimum=0, exclusive_minimum=True))
    return Form(kind, parameters)


def _steps(name: str, default: int | None) -> Parameter:
    return Parameter(name, default, minimum=1, maximum=LARGEST_STEP, kind=int)
