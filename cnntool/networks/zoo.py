"""Networks of images by name, each as text with the number of classes left open."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from cnntool.errors import InputError, RequestError
from cnntool.networks.joined import parse_network
from cnntool.networks.layers.layer import Shape, is_steps
from cnntool.networks.network import Network
from cnntool.networks.spec import (
    begins_with_embedding,
    check_filled,
    image_layers,
    parse_layers,
)
from cnntool.wording import counted, shape_text, suggestion


def lenet5(shape: Shape, classes: int) -> str:
    """LeNet-5 as published, for 32 x 32 images: 60,000 trainable parameters up to F6.

    C1, S2, C3 with its connection table, S4, C5 and F6, with trainable subsampling and
    ``1.7159 tanh(2x/3)``. The output is a dense layer; the published one compares F6 with fixed
    bitmaps of the characters (RBF units), which have no trained parameters.

    Source: LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86, 1998, section II.B.
    """
    return (
        "conv 6 5x5; scaled-tanh; subsample 2; scaled-tanh; "
        "conv 16 5x5 connections lenet5; scaled-tanh; subsample 2; scaled-tanh; "
        f"conv 120 5x5; scaled-tanh; dense 84; scaled-tanh; dense {classes}"
    )


def lenet(shape: Shape, classes: int, width: float = 1) -> str:
    """LeNet-5's sizes with relu and max pooling, for images from 16 pixels up.

    Images of less than 32 pixels are padded, as 28 x 28 digits are in the original.
    """
    pad = " pad 2" if min(shape[1:]) < 32 else ""
    w = _scaled(width)
    return (
        f"conv {w(6)} 5x5{pad}; relu; max 2; conv {w(16)} 5x5; relu; max 2; "
        f"dense {w(120)}; relu; dense {w(84)}; relu; dense {classes}"
    )


def light(shape: Shape, classes: int, width: float = 1) -> str:
    """A good start for small drawings and digits, from 8 pixels up: on 28 x 28 as good as
    ``lenet`` in 1.8 times its time, on 8 x 8 within half a point of ``small``, in a quarter of its
    time. Without batch normalisation, so that processes can share a batch.
    """
    w = _scaled(width)
    pad, pool = ("", "; max 2") if min(shape[1:]) >= 16 else (" pad 1", "")
    return (
        f"conv {w(16)} 5x5 pad 2; relu; max 2; conv {w(32)} 3x3{pad}; relu{pool}; "
        f"dense {w(96)}; relu; dense {classes}"
    )


def small(shape: Shape, classes: int, width: float = 1) -> str:
    """A good start for photographs, and images of any size from 8 pixels up: convolutions with
    batch normalisation, and a global average before the only dense layer."""
    w = _scaled(width)
    block = lambda filters: f"conv {filters} 3x3 pad 1 no-bias; batch-norm; relu"
    stages = [f"{block(w(16))}; {block(w(16))}", block(w(32)), block(w(64))]
    if min(shape[1:]) >= 64:  # more pooling, so that the last maps see more of a large image
        stages.insert(0, "conv 16 5x5 stride 2 pad 2 no-bias; batch-norm; relu")
    return "; max 2; ".join(stages) + f"; global-average; dense {classes}"


def alexnet(shape: Shape, classes: int, width: float = 0.25) -> str:
    """AlexNet's shape, scaled: large kernels first, five convolutions, three dense layers.

    As published (``width`` 1) from 128 pixels up, with 11 x 11 kernels at stride 4; smaller images,
    from 32 pixels, have 7 x 7 kernels at stride 1 and less overlap. Dense layers see 6 x 6 maps (or
    2 x 2), whatever the size of the images.

    Source: Krizhevsky, Sutskever, Hinton, NIPS 2012, section 3.5; without its two groups and its
    local response normalisation, which later networks leave out.
    """
    w = _scaled(width)
    is_large = min(shape[1:]) >= 128
    first = f"conv {w(96)} 11x11 stride 4 pad 2" if is_large else f"conv {w(96)} 7x7 pad 3"
    pool, last = "max 3 stride 2", 6 if is_large else 2
    return (
        f"{first}; relu; {pool}; conv {w(256)} 5x5 pad 2; relu; {pool}; "
        f"conv {w(384)} 3x3 pad 1; relu; conv {w(384)} 3x3 pad 1; relu; "
        f"conv {w(256)} 3x3 pad 1; relu; {pool}; adaptive-max {last}; "
        f"dropout 0.5; dense {w(4096)}; relu; dropout 0.5; dense {w(4096)}; relu; dense {classes}"
    )


ZOO: dict[str, Callable[..., str]] = {
    "light": light,
    "small": small,
    "lenet": lenet,
    "lenet5": lenet5,
    "alexnet": alexnet,
}

LEAST_SIZE = {"light": 8, "small": 8, "lenet": 16, "lenet5": 32, "alexnet": 32}
"""Pixels that an image needs at least in both directions."""

SCALED = ("light", "small", "lenet", "alexnet")
"""Those that take a width."""

LIGHT_SIDE = 64
"""Pixels from which on grey images, too, are taken for photographs."""

USUAL_SIDE = 28
"""Pixels of an image of which nothing is said."""

LARGEST_WIDTH = 64

LARGEST_TEXT = 1 << 20
"""Bytes of a file of layers."""


def usual_network(shape: Shape) -> str:
    """The name of the network that images are learned by if none is named: ``light`` for small grey
    ones; photographs are told apart better by ``small``, which takes them longer."""
    is_small = shape[0] == 1 and min(shape[1:]) < LIGHT_SIDE
    return "light" if is_small else "small"


def build(
    architecture: str,
    input_shape: Shape | None,
    classes: int | None = None,
    width: float | None = None,
) -> Network:
    """A network by its name in the zoo, from the text of its layers, or from a file of such text.

    input_shape: of an image; None for the usual one, or for tokens where the layers begin with an
        embedding.
    width: multiplies the numbers of filters and of dense outputs of the ``SCALED``.

    RequestError where that is none of them, where a layer does not fit into what comes before it,
    or where the last one does not give one output a class. Parameters are not drawn yet.
    """
    if width is not None and architecture not in SCALED:
        raise RequestError(
            f"a width scales {', '.join(SCALED)}, and '{architecture[:80]}' has sizes of its own: "
            "leave the width out"
        )
    if width is not None and not 0 < width <= LARGEST_WIDTH:
        raise RequestError(
            f"the width is {width:g}: expected a number above 0, to {LARGEST_WIDTH}, such as 0.5"
        )
    text = architecture
    side = max(USUAL_SIDE, LEAST_SIZE.get(architecture, 0))
    shape = input_shape or (1, side, side)
    if architecture in ZOO:
        size, least = min(shape[1:]), LEAST_SIZE[architecture]
        if size < least:
            raise RequestError(
                f"{architecture} takes images from {least} pixels up, not {shape[1]} x "
                f"{shape[2]}: use --resize {least}x{least}, or another network"
            )
        if classes is None:
            raise ValueError(f"{architecture} needs the number of classes")
        scale = {} if width is None else {"width": width}
        text = ZOO[architecture](shape, classes, **scale)
    elif _first_word(architecture) not in image_layers():
        text = _read(architecture)
    check_filled(text)
    if input_shape is None and begins_with_embedding(text):
        shape = (None,)
    if "=>" in text:
        network = parse_network(text, shape)
    else:
        network = Network(parse_layers(text, for_images=shape != (None,)), shape)
    if classes is not None and network.output_shape != (classes,):
        pooled = "max-steps; " if is_steps(network.output_shape) else ""
        raise RequestError(
            f"the last layer ({network.layers[-1]}) gives {shape_text(network.output_shape)}, and "
            f"the data has {counted(classes, 'class')}: end with '{pooled}dense {classes}'"
        )
    return network


def _first_word(text: str) -> str:
    return re.split(r"[\s;#]", text, maxsplit=1)[0]


def _read(path: str) -> str:
    """The text of a file, or the text itself where it reads like layers and no file is there."""
    expected = "expected a text of layers such as 'conv 8 3x3; relu; dense 10', or a file of it"
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder: {expected}")
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_TEXT + 1)
    except (OSError, ValueError) as error:
        if re.search(r"[\s;#]", path):
            return path
        if isinstance(error, FileNotFoundError) and Path(path).suffix:
            raise InputError(f"{path} does not exist: {expected}") from None
        if isinstance(error, PermissionError):
            raise InputError(f"{path} cannot be read, no permission: {expected}") from None
        raise RequestError(
            f"'{path[:80]}' is no network of the zoo, no layers and no file of them"
            f"{suggestion(path, ZOO)}"
        ) from error
    if content.startswith(b"PK\3\4"):
        raise RequestError(
            f"{path} is an .npz archive, not a text: {expected}; cnntool info shows the layers of "
            "a model"
        )
    if not content.strip():
        raise RequestError(f"{path} is empty: {expected}")
    try:
        if len(content) <= LARGEST_TEXT and b"\0" not in content:
            return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise RequestError(f"{path} is no text of layers: {expected}")


def _scaled(width: float) -> Callable[[int], int]:
    return lambda filters: max(1, round(filters * width))
