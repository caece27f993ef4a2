"""What a layer is: text, shapes, parameters, forward and backward. It holds no arrays itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from cnntool.errors import RequestError
from cnntool.networks.initialisation import Constant, Start
from cnntool.networks.receptive_field import WindowLayer
from cnntool.wording import shape_text, shortened, suggestion

Shape = tuple[Any, ...]
"""Of one sample: maps (C, H, W), features (D,), steps (T, D) or tokens (None,), which are ids.

T is None for any number of steps, as it is of frames (None, *shape). A batch of N maps is (N, C, H,
W), one of features (N, D); of sequences time comes first: (T, B, D) and (T, B).
"""

Arrays = dict[str, np.ndarray]
"""Arrays by their names within a layer: ``weight``, ``bias``."""

Table = tuple[tuple[bool, ...], ...]
"""A connection table: a row a filter, an entry a map that it may see."""

Output = tuple[np.ndarray, Any]
"""What a layer gives, and what its way back needs."""

Gradients = tuple[Any, dict[str, Any]]
"""By what came in, None where nobody needs it, and by name; arrays."""


ZERO = Constant()
ONE = Constant(1.0)


@dataclass(frozen=True)
class Parameter:
    """The shape of a parameter, and how it starts.

    table: which kernels there are, of weights (F, C, kh, kw); the others are 0, and stay so.
    """

    shape: tuple[int, ...]
    start: Start = ZERO
    table: Table | None = None

    @property
    def count(self) -> int:
        """Of those that are trained."""
        if self.table is None:
            return prod(self.shape)
        return sum(map(sum, self.table)) * prod(self.shape[2:])

    def drawn(self, rng: np.random.Generator, rule: str = "glorot") -> np.ndarray:
        """A float32 array to start from; rule: of weights that name none themselves."""
        return self.cut(self.start.draw(self.shape, rng, rule).astype(np.float32))

    def cut(self, array: np.ndarray) -> np.ndarray:
        """A copy, with 0 where the table has no kernel."""
        return array * (1 if self.table is None else np.array(self.table)[:, :, None, None])


class Borrowed(NamedTuple):
    """A parameter of another layer, by its path, and the shape that it has to have."""

    path: str
    shape: tuple[int, ...]


def total(parameters: Mapping[str, Parameter]) -> int:
    """How many numbers are trained in all."""
    return sum(parameter.count for parameter in parameters.values())


LARGEST = 1 << 20
"""Of any number in a layer."""

SHOWN = 40
"""Characters of a word that an error repeats."""


class Words:
    """The text of one layer, read word by word, with what is wrong with it in one line.

    for_images: the layer's network is one of images, without an embedding.
    """

    def __init__(self, words: list[str], for_images: bool = False) -> None:
        self.text = " ".join(words)
        self.name = words[0]
        self.for_images = for_images
        self._words = words[1:]
        self._seen: set[str] = set()

    def error(self, problem: str) -> RequestError:
        return RequestError(f"layer '{shown(self.text)}': {problem}")

    def peek(self) -> str | None:
        """The next word, which stays; None at the end."""
        return self._words[0] if self._words else None

    def next(self, what: str, such_as: str) -> str:
        if not self._words:
            raise self.error(f"it needs its {what}, such as {such_as}")
        return self._words.pop(0)

    def rest(self, what: str, such_as: str) -> Words:
        """All that is left, as the text of a layer within this one."""
        words = [self.next(what, such_as), *self._words]
        self._words = []
        return Words(words, self.for_images)

    def setting(self, names: tuple[str, ...]) -> str | None:
        """The name of the next setting, None at the end."""
        if not self._words:
            return None
        name = self._words.pop(0)
        if name not in names:
            known = suggestion(name[:SHOWN], names) if names else ": it takes nothing more"
            raise self.error(f"'{shown(name)}' is no setting of it{known}")
        if name in self._seen:
            raise self.error(f"'{name}' stands twice: leave one of them out")
        self._seen.add(name)
        return name

    def end(self) -> None:
        self.setting(())

    def sign(self, sign: str) -> None:
        if (found := self.next(f"'{sign}'", sign)) != sign:
            raise self.error(f"'{shown(found)}' stands where '{sign}' is expected")

    def count(self, what: str, least: int = 1) -> int:
        return self._whole(self.next(what, "10"), what, least)

    def pair(self, what: str, least: int = 1) -> tuple[int, int]:
        """``5`` or ``5x3``, height first."""
        text = self.next(what, "5 or 5x3")
        parts = text.split("x")
        if len(parts) > 2 or not all(parts):
            raise self.error(
                f"{what} '{shown(text)}': expected a number, or height x width such as 5x3"
            )
        numbers = [self._whole(part, what, least) for part in parts]
        return numbers[0], numbers[-1]

    def number(self, what: str, least: float, most: float, is_open: bool = False) -> float:
        text = self.next(what, f"{max(least, 0.5):g}")
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most or (is_open and value == most):
            end = f"below {most:g}" if is_open else f"{most:g}"
            raise self.error(f"{what} '{shown(text)}': expected a number from {least:g} to {end}")
        return value

    def _whole(self, text: str, what: str, least: int) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 9):
            raise self.error(
                f"{what} '{shown(text)}': expected a whole number from {least} to {LARGEST:,}"
            )
        if not least <= int(text) <= LARGEST:
            raise self.error(f"{what} is {int(text):,}: expected {least} to {LARGEST:,}")
        return int(text)


def shown(text: str) -> str:
    return shortened(text, SHOWN)


@dataclass(frozen=True)
class Pass:
    """One way through a network: whether it trains, what dropout draws from, whether what the way
    back needs is kept, and how many steps (B,) each sequence has, None where all have the same."""

    training: bool = False
    rng: np.random.Generator | None = None
    keeps_caches: bool = True
    lengths: np.ndarray | None = None


class Layer:
    """A layer without parameters that keeps shapes; others say where they differ.

    Layers are frozen dataclasses, equal where their settings are; ``str(layer)`` is the text that
    :func:`cnntool.networks.spec.parse_layers` makes it from.
    """

    @classmethod
    def read(cls, name: str, words: Words) -> Layer:
        """The layer of a text that begins with its name; by default one without settings."""
        return cls()

    @property
    def kind(self) -> str:
        """What it is called in a network, with a number behind: ``conv1``."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.kind

    @property
    def inner(self) -> Layer:
        """The layer that does the work on each step, of one over all of them; else itself."""
        return self

    def behind(self, before: Sequence[Layer]) -> Layer:
        """The layer as it is behind those before it."""
        return self

    @property
    def mixes_samples(self) -> bool:
        """Whether an output depends on the other samples of a batch while it trains."""
        return False

    needs_size = False
    """Whether its parameters depend on the height and width of its maps."""

    makes_size = False
    """Whether its output has one size whatever that of its maps."""

    sees_all = False
    """Whether each of its outputs depends on all that comes in."""

    @property
    def is_numbered(self) -> bool:
        """Whether the number stands behind what it is called: a network has one embedding alone."""
        return True

    @property
    def writes_out(self) -> bool:
        """Whether its ``backward`` takes ``out``: by name, arrays that gradients go into."""
        return False

    gives = ""
    """What a lecture calls the features that it gives, such as hidden; nothing where it gives what
    it takes."""

    def lecture(self, source: str) -> dict[str, tuple[str, str]]:
        """What a lecture calls the parameters that it uses, by their names, each with its shape in
        words; source: what it calls the features that come in."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of its output for one sample; ValueError, saying what would fit."""
        if shape == (None,):
            raise ValueError(
                "it takes no tokens: begin with an embedding, such as embedding 65 x 32"
            )
        return shape

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        """By name, for samples of this shape."""
        return {}

    def buffers(self, shape: Shape) -> dict[str, Parameter]:
        """What it keeps that is not trained."""
        return {}

    def borrowed(self, shape: Shape) -> dict[str, Borrowed]:
        """Parameters of other layers that it uses, by the names that it has for them."""
        return {}

    def state(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        """What it carries from step to step: by name, the shape for one sequence."""
        return {}

    def sees(self, shape: Shape) -> tuple[WindowLayer, WindowLayer] | None:
        """The windows of its outputs over the height and the width of what comes in, one element
        each unless it says otherwise; None where an output sees all of it."""
        return None if self.sees_all else (WindowLayer(1), WindowLayer(1))

    def multiply_adds(self, shape: Shape) -> int:
        """Of one sample, or one step of a sequence, forward, in its products."""
        return 0

    def least_batch(self, shape: Shape) -> int:
        """Samples that it needs at a time to learn."""
        return 1

    def connections(self, shape: Shape) -> int:
        """Inputs, and biases, that reach its outputs, each counted where it does."""
        return 0

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        """The output for a batch x (N, *shape), and the cache for the way back.

        buffers: what it keeps, to be written into; and the state that it carries, to be replaced.
        """
        raise NotImplementedError

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> Gradients:
        """The gradient by x, and those by the parameters and by the state it began with, by name.

        Where it carries a state, also for ``dstate``, the gradient by that it ended with.
        """
        raise NotImplementedError


def maps_of(shape: Shape) -> tuple[int, int, int]:
    """The shape as (C, H, W); ValueError where it is not one of maps."""
    if len(shape) != 3:
        raise ValueError(
            f"it takes maps, not {shape_text(shape)}: move it before what makes features of them"
        )
    return shape


def is_steps(shape: Shape) -> bool:
    """Whether it is one of steps of features."""
    return len(shape) == 2


def shape_of_sample(shape: Shape) -> tuple[int, ...]:
    """The shape itself, of maps or features; ValueError where it is one of a sequence."""
    if None in shape or is_steps(shape):
        raise ValueError(f"it takes maps or features, not {shape_text(shape)}")
    return shape


def size_text(size: tuple[int, int]) -> str:
    """``5x5``."""
    return f"{size[0]}x{size[1]}"


def pair_text(pair: tuple[int, int]) -> str:
    """``2`` where both are 2, else ``2x1``."""
    return str(pair[0]) if pair[0] == pair[1] else size_text(pair)
