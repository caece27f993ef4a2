"""Networks as text: ``conv 16 5x5 pad 2; relu; max 2; dense 10``, ``embedding 65 x 64; lstm 128``.

One layer a line, or several with ``;`` between them; what follows a ``#`` is a comment. A layer's
numbers follow its name, and its settings follow those in any order. Every layer prints as text that
parses to it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from cnntool.engine.bin_pooling import MODES
from cnntool.errors import RequestError
from cnntool.networks.layers.attend import Attend
from cnntool.networks.layers.convolutions import Convolution, LocallyConnected
from cnntool.networks.layers.core import ACTIVATIONS, Activation, BatchNorm, Dense, Dropout, Flatten
from cnntool.networks.layers.embeddings import Embedding
from cnntool.networks.layers.layer import SHOWN, Layer, Words, shown
from cnntool.networks.layers.pools import POOLS, AdaptivePool, PyramidPool, SlidingPool, Subsampling
from cnntool.networks.layers.recurrent import GATES, Recurrent
from cnntool.networks.layers.steps import TIME_POOLS, Columns, Each, Places, TimePool
from cnntool.wording import suggestion

LAYERS: dict[str, Callable[[str, Words], Layer]] = {
    "conv": Convolution.read,
    "local": LocallyConnected.read,
    **dict.fromkeys(POOLS, SlidingPool.read),
    "subsample": Subsampling.read,
    **{f"adaptive-{mode}": AdaptivePool.read for mode in MODES},
    **{f"global-{mode}": AdaptivePool.read for mode in MODES},
    "pyramid": PyramidPool.read,
    "flatten": Flatten.read,
    "dense": Dense.read,
    **dict.fromkeys(ACTIVATIONS, Activation.read),
    "dropout": Dropout.read,
    "batch-norm": BatchNorm.read,
    "embedding": Embedding.read,
    **dict.fromkeys(GATES, Recurrent.read),
    **dict.fromkeys(TIME_POOLS, TimePool.read),
    "columns": Columns.read,
    "places": Places.read,
    "attend": Attend.read,
    "each": lambda name, words: Each(_layer(words.rest("layer", "conv 8 3x3"))),
}
"""What reads the text of every layer, by the name that begins it."""

OF_SEQUENCES = {
    "embedding": "tokens of a text",
    "each": "steps of maps or features",
    "attend": "steps of a decoder",
}
"""What the layers take that nothing makes of an image, by their names."""


def image_layers() -> list[str]:
    """The names of ``LAYERS`` that a network of images may have."""
    return [name for name in LAYERS if name not in OF_SEQUENCES]


def filled(text: str, tokens: int, letters: int, outputs: int) -> str:
    """A text of layers with what the data has for each ``?``: its tokens and their letters, and
    what there is to choose from at the end.

    >>> filled("embedding ? x 8; gru 9 => embedding ? x 8; gru 9; dense ?", 60, 0, 45)
    'embedding 60 x 8; gru 9 => embedding 45 x 8; gru 9; dense 45'
    """
    encoder, arrow, decoder = text.partition("=>")

    def put(part: str, tokens: int) -> str:
        counts = {"embedding": tokens, "letters": letters, "dense": outputs}
        for name, count in counts.items():
            part = re.sub(rf"\b{name} +\?", f"{name} {count}", part)
        return part

    return put(encoder, tokens) + arrow + put(decoder, outputs)


def begins_with_embedding(text: str) -> bool:
    """Whether a text of layers is that of a network that takes tokens."""
    return next(_words(text), [""])[0] == "embedding"


def has_layers(text: str) -> bool:
    """Whether anything but blanks and comments stands in a text of layers."""
    return any(_words(text))


def check_filled(text: str) -> None:
    """RequestError for a text of layers with a ``?`` that data would fill."""
    tasks = "train-lstm, train-classifier or train-tagger"
    if "=>" in text:
        tasks = "train-translator or train-captioner"
    for words in _words(text.replace("=>", ";")):
        layer = " ".join(words)
        if filled(layer, 1, 1, 1) != layer:
            raise RequestError(
                f"layer '{shown(layer)}': ? is known from data alone: write a number, or let "
                f"{tasks} show the layers: DATA --layers LAYERS --dry-run"
            )


def parse_layers(text: str, for_images: bool = False) -> list[Layer]:
    """The layers of a text; RequestError that names the layer and what would be one.

    for_images: images come in, so that layers of texts are refused, and not offered.
    """
    layers = [_layer(Words(words, for_images)) for words in _words(text)]
    if not layers:
        raise RequestError("there is no layer: expected such as 'conv 16 5x5; relu; dense 10'")
    return layers


def _layer(words: Words) -> Layer:
    """The layer of one text."""
    name = words.name
    if name in ("softmax", "log-softmax"):
        raise words.error("the loss takes the softmax of what comes out: leave it out")
    if name not in LAYERS:
        known = suggestion(name[:SHOWN], image_layers() if words.for_images else LAYERS)
        raise RequestError(f"layer '{shown(name)}' is not known{known}")
    if words.for_images and name in OF_SEQUENCES:
        raise words.error(
            f"it takes {OF_SEQUENCES[name]}, and images come in: train-lstm trains such layers"
        )
    layer = LAYERS[name](name, words)
    words.end()
    return layer


def _words(text: str) -> Iterator[list[str]]:
    """The words of each layer."""
    for line in text.splitlines():
        for part in line.split("#")[0].split(";"):
            if words := part.split():
                yield words
