"""What an explanation is asked for: a pixel of a picture, lists of numbers, layers, JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnntool.choices import POOLS
from cnntool.cli.console import complain, print_json
from cnntool.cli.files import check_stdin, source_of
from cnntool.cli.options import Reading, argument, flag, option
from cnntool.cli.types import LARGEST_NUMBER, LARGEST_STEP, PathName, Spec
from cnntool.cli.visualize.options import class_index
from cnntool.errors import RequestError
from cnntool.specs import Form, Parameter, read_number
from cnntool.wording import listed, suggestion

if TYPE_CHECKING:
    import numpy as np

    from cnntool.files.image import Image
    from cnntool.networks.model import Classifier, SequenceModel

LARGEST_LIST = 1000
KINDS = ("conv", *POOLS)
GLOBAL = ("max", "average")
LARGEST_MEDIAN = 64


def read_point(text: str) -> tuple[int, int]:
    """``X,Y``: a column and a row, counted from 0."""
    match = re.fullmatch(r"\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*", text)
    if not match:
        raise ValueError(f"'{text}' is not a position: expected X,Y such as 120,80")
    return int(match[1]), int(match[2])


def numbers(what: str) -> Spec:
    """Numbers with commas or spaces between; ``what`` they are opens an error message."""

    def read(text: str) -> tuple[float, ...]:
        text = text.replace("\N{MINUS SIGN}", "-").strip()
        if text[:1] == "[" and text[-1] == "]":  # as MATLAB and Python write them
            text = text[1:-1].strip()
        words = re.split(r"\s*,\s*|\s+", text)
        if words == [""]:
            raise ValueError(f"the {what} is empty: give numbers such as 1,2,3")
        if len(words) > LARGEST_LIST:
            raise ValueError(
                f"the {what} has {len(words):,} numbers: at most {LARGEST_LIST:,} are explained, "
                "cnntool convolve1d takes any number"
            )
        found = tuple(read_number(w, f"{what} number {i}") for i, w in enumerate(words, 1))
        for i, number in enumerate(found, 1):
            if not abs(number) < LARGEST_NUMBER:
                limit = f"expected numbers below {LARGEST_NUMBER:g}"
                raise ValueError(f"{what} number {i} is {number:g}: {limit}")
        return found

    return Spec("N,N,...", read)


@contextmanager
def planning(remedy: str) -> Iterator[None]:
    """Where windows are planned: what does not fit is a RequestError that ends in a remedy."""
    try:
        yield
    except ValueError as error:
        raise RequestError(f"{error}: {remedy}") from None


@dataclass(frozen=True)
class Picture:
    """An image."""

    image: str = argument("IMAGE", PathName("an image or -"))


@dataclass(frozen=True)
class Pixel(Picture):
    """An image, and one pixel of what is made of it."""

    at: tuple[int, int] | None = option(
        "--at",
        Spec("X,Y", read_point),
        "Which pixel of the result: its column and row, counted from 0 at the upper left.  "
        "[default: the middle]",
    )


@dataclass(frozen=True)
class Report:
    """How an explanation is given."""

    section = "Output"
    as_json: bool = flag("--json", "Print JSON: every number.")

    def give(self, entry: Callable[..., Any], show: Callable[..., None], *facts: Any) -> None:
        """Print what ``entry`` makes of the facts as JSON, or have ``show`` print them."""
        print_json(entry(*facts)) if self.as_json else show(*facts)


def open_one(path: str, reading: Reading, quiet: bool = False) -> tuple[Image, str]:
    """The image that IMAGE names, and what to call it; raises as open_image. That its first frame
    alone counts is said, and that its white is not the one asked for."""
    from cnntool.cli.image_route import open_source, white_note
    from cnntool.files.image import first_alone

    check_stdin([path])
    source = source_of(path)
    image = open_source(source, reading)
    notes = first_alone(source.name, image), white_note(image, reading.white)
    for note in filter(None, notes if not quiet else ()):
        complain(note)
    return image, source.name


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
    """A layer of one of some kinds: ``conv:5,padding=2``, ``max:2``, ``average:3,stride=1``.

    KIND, a colon and the size of its window or ``global``, then settings with commas between.
    """

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
        raise ValueError(f"no kind '{kind}'{suggestion(kind, [*kinds, 'global'])}")
    first = settings.partition(",")[0]
    if first == "global":
        if kind not in GLOBAL:
            raise ValueError(f"global goes with {' and '.join(GLOBAL)}, not with {kind}")
        if settings != first:
            raise ValueError("global is one window over everything: leave its settings out")
        return LayerSpec(text, kind, None, 1)
    form = _form(kind)
    given = form.read(settings or None, text)
    if kind == "conv" and "size" not in given:
        raise ValueError("the size of its window is missing: write conv:3")
    values = form.filled(given)
    if values["stride"] is None:
        values["stride"] = 1 if kind == "conv" else values["size"]
    if "p" in values:
        values["p"] = float(values["p"])  # inf is a word
    return LayerSpec(text, kind, **values | {"ceil": bool(values.get("ceil"))})


def _form(kind: str) -> Form:
    """The settings of a layer; its size is one of them, whose name may be left out."""
    size = _steps("size", 3 if kind == "conv" else 2)
    if kind == "median":
        size = size._replace(maximum=LARGEST_MEDIAN)
    padding = _steps("padding", 0)._replace(minimum=0, words=("same", "valid", "full"))
    parameters = [
        size._replace(is_required=kind == "conv"),
        _steps("stride", None),
        padding,
        _steps("dilation", 1),
    ]
    if kind != "conv":
        parameters.append(Parameter("ceil", 0, kind=int, choices=(1,), alone=1))
    if kind == "lp":
        parameters.append(Parameter("p", 2.0, minimum=1, words=("inf",)))
    if kind == "gaussian":
        parameters.append(Parameter("sigma", None, minimum=0, exclusive_minimum=True))
    example = f"{kind}:3,stride=2,padding=1,dilation=1"
    return Form(kind, parameters, example=example, nameless="size")


def _steps(name: str, default: int | None) -> Parameter:
    return Parameter(name, default, minimum=1, maximum=LARGEST_STEP, kind=int)


@dataclass(frozen=True)
class Contrast:
    """A score: that of class ``index``, less that of ``rival`` where there is one."""

    labels: Sequence[str]
    index: int
    rival: int | None

    @property
    def weights(self) -> np.ndarray:
        """(K,), of the scores of all classes."""
        import numpy as np

        weights = np.zeros(len(self.labels))
        weights[self.index] = 1
        if self.rival is not None:
            weights[self.rival] -= 1
        return weights

    @property
    def words(self) -> str:
        """What the score is of."""
        of = self.labels[self.index]
        return of if self.rival is None else f"{of} less {self.labels[self.rival]}"

    @property
    def facts(self) -> dict[str, str | None]:
        """For a report."""
        rival = None if self.rival is None else self.labels[self.rival]
        return {"class": self.labels[self.index], "against": rival}


def read_contrast(
    model: Classifier | SequenceModel, odds: np.ndarray, label: str | None, against: str | None
) -> Contrast:
    """That of a class, by default the likeliest one, and the one it is held against; RequestError
    for a name that is none, and for one class in both places."""
    index = class_index(model, label)
    rival = class_index(model, against, "--against")
    index = int(odds.argmax()) if index is None else index
    if index == rival:
        which = "the likeliest class" if label is None else "that of --class"
        raise RequestError(
            f"--against {against} is {which}, whose score is explained: expected another of "
            f"{listed(model.labels)}"
        )
    return Contrast(model.labels, index, rival)
