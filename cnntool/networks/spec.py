"""Networks as text: ``conv 16 5x5 pad 2; relu; max 2; dense 10``, ``embedding 65 x 64; lstm 128``.

One layer a line, or several with ``;`` between them; what follows a ``#`` is a comment. A layer's
numbers follow its name, and its settings follow those in any order. Every layer prints as text that
parses to it again.
"""

from __future__ import annotations

from collections.abc import Callable

from cnntool.engine.bin_pooling import MODES
from cnntool.errors import RequestError
from cnntool.networks.layers.convolutions import Convolution, LocallyConnected
from cnntool.networks.layers.dense import Dense, Flatten
from cnntool.networks.layers.layer import SHOWN, Layer, Words, shown
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
}
"""What reads the text of every layer, by the name that begins it."""


def parse_layers(text: str) -> list[Layer]:
    """The layers of a text; RequestError that names the layer and what would be one."""
    lines = [line.split("#")[0] for line in text.splitlines()]
    parts = [part.split() for line in lines for part in line.split(";")]
    layers = [parse_layer(words) for words in parts if words]
    if not layers:
        raise RequestError("there is no layer: expected such as 'conv 16 5x5; relu; dense 10'")
    return layers


def parse_layer(parts: list[str]) -> Layer:
    """The layer of one text, given in words."""
    name, words = parts[0], Words(parts)
    if name not in LAYERS:
        raise RequestError(f"layer '{shown(name)}' is not known{suggestion(name[:SHOWN], LAYERS)}")
    layer = LAYERS[name](name, words)
    words.end()
    return layer
