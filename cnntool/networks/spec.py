"""Networks as text: ``conv 16 5x5 pad 2; relu; max 2; dense 10``.

One layer a line, or several with ``;`` between them; what follows a ``#`` is a comment. A layer's
numbers follow its name, and its settings follow those in any order. Every layer prints as text that
parses to it again.
"""

from __future__ import annotations

from collections.abc import Callable

from cnntool.engine.bin_pooling import MODES
from cnntool.errors import RequestError
from cnntool.networks.layers.convolutions import (
    TABLES,
    Convolution,
    LocallyConnected,
    Table,
    Window,
)
from cnntool.networks.layers.dense import Dense, Flatten
from cnntool.networks.layers.layer import Layer
from cnntool.networks.layers.pointwise import ACTIVATIONS, Activation, BatchNorm, Dropout
from cnntool.networks.layers.pools import (
    POOLS,
    AdaptivePool,
    PyramidPool,
    SlidingPool,
    Subsampling,
)
from cnntool.networks.layers.recurrent import GATES, Embedding, Recurrent
from cnntool.wording import suggestion

LARGEST = 1 << 20
"""Of any number in a layer."""

MOST_LEVELS = 16
"""Of a pyramid."""

LARGEST_LEVEL = 999
"""Of a pyramid: a million features a map."""

SHOWN = 40
"""Characters of a word that an error repeats."""


def parse_layers(text: str) -> list[Layer]:
    """The layers of a text; RequestError that names the layer and what would be one."""
    lines = [line.split("#")[0] for line in text.splitlines()]
    parts = [part.split() for line in lines for part in line.split(";")]
    layers = [_parse_layer(words) for words in parts if words]
    if not layers:
        raise RequestError("there is no layer: expected such as 'conv 16 5x5; relu; dense 10'")
    return layers


def _parse_layer(words: list[str]) -> Layer:
    name, rest = words[0], _Words(words)
    if name not in LAYERS:
        raise RequestError(f"layer '{_shown(name)}' is not known{suggestion(name[:SHOWN], LAYERS)}")
    layer = LAYERS[name](name, rest)
    rest.end()
    return layer


class _Words:
    """The words of one layer, taken one after the other."""

    def __init__(self, words: list[str]) -> None:
        self.text = " ".join(words)
        self._words, self._seen = words[1:], set()

    def error(self, problem: str) -> RequestError:
        return RequestError(f"layer '{_shown(self.text)}': {problem}")

    def next(self, what: str, such_as: str) -> str:
        if not self._words:
            raise self.error(f"it needs its {what}, such as {such_as}")
        return self._words.pop(0)

    def setting(self, names: tuple[str, ...]) -> str | None:
        """The name of the next setting, None at the end."""
        if not self._words:
            return None
        name = self._words.pop(0)
        if name not in names:
            known = suggestion(name[:SHOWN], names) if names else ": it takes nothing more"
            raise self.error(f"'{_shown(name)}' is no setting of it{known}")
        if name in self._seen:
            raise self.error(f"'{name}' stands twice: leave one of them out")
        self._seen.add(name)
        return name

    def end(self) -> None:
        self.setting(())

    def sign(self, sign: str) -> None:
        if (found := self.next(f"'{sign}'", sign)) != sign:
            raise self.error(f"'{_shown(found)}' stands where '{sign}' is expected")

    def count(self, what: str, least: int = 1) -> int:
        return self._whole(self.next(what, "10"), what, least)

    def pair(self, what: str, least: int = 1) -> tuple[int, int]:
        """``5`` or ``5x3``, height first."""
        text = self.next(what, "5 or 5x3")
        parts = text.split("x")
        if len(parts) > 2 or not all(parts):
            raise self.error(
                f"{what} '{_shown(text)}': expected a number, or height x width such as 5x3"
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
            raise self.error(f"{what} '{_shown(text)}': expected a number from {least:g} to {end}")
        return value

    def _whole(self, text: str, what: str, least: int) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 9):
            raise self.error(
                f"{what} '{_shown(text)}': expected a whole number from {least} to {LARGEST:,}"
            )
        if not least <= int(text) <= LARGEST:
            raise self.error(f"{what} is {int(text):,}: expected {least} to {LARGEST:,}")
        return int(text)

    def table(self) -> Table:
        """``lenet5``, or rows of 0 and 1 such as ``110/011``."""
        text = self.next("connection table", "lenet5 or 110/011")
        if text in TABLES:
            return TABLES[text]
        rows = text.split("/")
        if set(text) - set("01/") or len({len(row) for row in rows}) > 1 or not all(rows):
            raise self.error(
                f"connection table '{_shown(text)}': expected lenet5, or rows of 0 and 1 of one "
                "length such as 110/011"
            )
        return tuple(tuple(seen == "1" for seen in row) for row in rows)

    def window(self, others: tuple[str, ...] = ()) -> tuple[Window, dict[str, object]]:
        """The kernel's size and where its windows lie; other settings apart."""
        size = self.pair("kernel size")
        settings, rest = {}, {}
        while name := self.setting(("stride", "pad", "dilation", *others)):
            if name == "pad":
                settings["padding"] = self._padding()
            elif name in ("stride", "dilation"):
                settings[name] = self.pair(name)
            elif name == "connections":
                rest["table"] = self.table()
            elif name == "groups":
                rest["groups"] = self.count("groups")
            else:
                rest["has_bias"] = False
        return Window(size, **settings), rest

    def _padding(self) -> tuple[int, int] | str:
        if self._words and self._words[0] == "same":
            return self._words.pop(0)
        return self.pair("pad", least=0)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _convolution(_: str, words: _Words) -> Layer:
    filters = words.count("number of filters")
    window, rest = words.window(("groups", "connections", "no-bias"))
    return Convolution(filters, window, **rest)


def _local(_: str, words: _Words) -> Layer:
    filters = words.count("number of filters")
    return LocallyConnected(filters, words.window()[0])


def _sliding_pool(mode: str, words: _Words) -> Layer:
    size, settings = words.pair("window size"), {}
    own = {"lp": ("p",), "gaussian": ("sigma",)}.get(mode, ())
    while name := words.setting(("stride", "pad", *own)):
        if name == "stride":
            settings["stride"] = words.pair("stride")
        elif name == "pad":
            settings["padding"] = words.pair("pad", least=0)
        elif name == "p":
            settings["p"] = words.number("p", 1, float("inf"))
        else:
            settings["sigma"] = words.number("sigma", 1e-3, 1e6)
    return SlidingPool(mode, size, **settings)


def _adaptive_pool(name: str, words: _Words) -> Layer:
    return AdaptivePool(name.removeprefix("adaptive-"), words.pair("output size"))


def _global_pool(name: str, _: _Words) -> Layer:
    return AdaptivePool(name.removeprefix("global-"), (1, 1))


def _pyramid_pool(_: str, words: _Words) -> Layer:
    text = words.next("levels", "1,2,4")
    parts = text.split(",")
    are_sound = len(parts) <= MOST_LEVELS and all(
        part.isascii() and part.isdigit() and len(part) < 9 and 0 < int(part) <= LARGEST_LEVEL
        for part in parts
    )
    if not are_sound:
        raise words.error(
            f"levels '{_shown(text)}': expected up to {MOST_LEVELS} whole numbers from 1 to "
            f"{LARGEST_LEVEL} such as 1,2,4"
        )
    return PyramidPool(tuple(map(int, parts)), words.setting(MODES) or "max")


def _dense(_: str, words: _Words) -> Layer:
    return Dense(words.count("number of outputs"), words.setting(("tied",)) is not None)


def _embedding(_: str, words: _Words) -> Layer:
    """``embedding 65 x 64``."""
    count = words.count("number of tokens")
    words.sign("x")
    return Embedding(count, words.count("width"))


def _recurrent(cell: str, words: _Words) -> Layer:
    return Recurrent(cell, words.count("number of units"))


LAYERS: dict[str, Callable[[str, _Words], Layer]] = {
    "conv": _convolution,
    "local": _local,
    **dict.fromkeys(POOLS, _sliding_pool),
    "subsample": lambda _, words: Subsampling(words.pair("window size")),
    **{f"adaptive-{mode}": _adaptive_pool for mode in MODES},
    **{f"global-{mode}": _global_pool for mode in MODES},
    "pyramid": _pyramid_pool,
    "flatten": lambda _, __: Flatten(),
    "dense": _dense,
    "embedding": _embedding,
    **{cell: _recurrent for cell in GATES},
    **{name: lambda name, _: Activation(name) for name in ACTIVATIONS},
    "dropout": lambda _, words: Dropout(words.number("rate", 0, 1, is_open=True)),
    "batch-norm": lambda _, __: BatchNorm(),
}
"""Every layer by the name it has in a text."""
