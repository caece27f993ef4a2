"""Banks of learned kernels: of a model file, or of weights that another tool saved."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

import numpy as np

from cnntool.errors import InputError, RequestError
from cnntool.imaging.kernel_files import check_bank
from cnntool.imaging.kernels import COLOURS, Filter
from cnntool.networks.joined import ENCODER
from cnntool.networks.layers.convolutions import Convolution
from cnntool.networks.model import Trained, TrainedText, load_trained
from cnntool.networks.network import Network
from cnntool.networks.weight_files import has_header, read_kernels
from cnntool.wording import counted, instead, nan_count


@dataclass(frozen=True, eq=False)
class Banks:
    """Kernels by layer.

    name: of the file.
    layers: (F, C, kh, kw) float32 by the layer's name, in the order of the network; C is that of
        one group, and kernels that a connection table leaves out are 0. Empty for a model without
        convolutions.
    model: that they are a part of; None for weights from elsewhere.
    epochs: the first layer's kernels as they were after so many epochs, 0 being the random start;
        empty where the file holds none.
    """

    name: str
    layers: dict[str, np.ndarray]
    model: Trained | None = None
    epochs: dict[int, np.ndarray] = field(default_factory=dict)

    def layer_name(self, layer: str | None = None) -> str:
        """The layer of this name, the first one for None.

        InputError where there is no convolution at all, RequestError where none has the name.
        """
        if not self.layers:
            raise InputError(
                f"{self.name} has no convolution layer, so no filters: name a model that has"
            )
        if layer is None:
            return next(iter(self.layers))
        if layer not in self.layers and ENCODER + layer in self.layers:
            return ENCODER + layer
        if layer not in self.layers:
            there = instead(layer, list(self.layers))
            raise RequestError(
                f"{self.name} has no filters in a layer '{layer[:60]}', only in {there}"
            )
        return layer

    def bank(self, layer: str | None = None) -> np.ndarray:
        """The kernels (F, C, kh, kw) of a layer; errors as of :meth:`layer_name`.

        InputError also where a weight is NaN or infinite, as nothing can be shown or measured then.
        """
        name = self.layer_name(layer)
        bank = self.layers[name]
        bad = np.argwhere(~np.isfinite(bank))
        if len(bad):
            raise InputError(
                f"{self.name}: of {bank.size:,} weights {name} holds "
                f"{nan_count(len(bad), 'weight')}, the first in filter {bad[0][0]}: training went "
                "astray, or the file is damaged"
            )
        return bank


def load_banks(path: str | os.PathLike) -> Banks:
    """The kernels of a model file, or of weights: .npy, .npz or .safetensors, F x C x kh x kw.

    InputError, one line, whatever is wrong with the file.
    """
    name = os.fspath(path)
    if not has_header(path):
        return Banks(name, read_kernels(path))
    trained: Trained = load_trained(path)
    if isinstance(trained, TrainedText):
        trained = load_trained(path, "cnn")  # raises
    return Banks(name, kernels_of(trained.network), trained, dict(trained.model.filters))


def kernels_of(network: Network) -> dict[str, np.ndarray]:
    """The kernels (F, C, kh, kw) of every convolution of a network, by the layer's name, those over
    each frame of a video among them."""
    return {
        name: network.params[f"{name}.weight"]
        for name, layer, _ in network.each()
        if isinstance(layer.inner, Convolution)
    }


SHOWN = "stretch"
"""The range that shows learned responses, whose size means nothing beside that of pixels."""


def learned_filter(path: str, place: str | None) -> Filter:
    """The filters at a place of a model file, or of weights from elsewhere.

    place: ``LAYER``, all of its filters; ``LAYER/FILTER``, one, counted from 0; or
    ``LAYER/FILTER/CHANNEL``, one of its channels. None, or no LAYER, is the first layer. Filters
    over one channel are for each channel of an image; those over three see red, green and blue, and
    the responses are summed, as in the layer: of a model that is the first one, of weights from
    elsewhere any. Biases and what is done to the pixels before a network are left out.

    RequestError for a place that is not there, and for filters over other numbers of channels,
    which see the maps of a layer and no image; InputError as for
    :func:`~cnntool.study.learned_kernels.load_banks`.
    """
    banks = load_banks(path)
    layer, numbers = _split(banks, place or "")
    layer = banks.layer_name(layer)
    bank = banks.bank(layer)  # (F, C, kh, kw)
    where = f"{path}: {layer}"
    name = re.sub(r"[^\w.-]+", "-", layer)
    names = [f"{name}-{index}" for index in range(len(bank))]
    if numbers:
        index = _number(numbers[0], len(bank), "filter", where)
        bank, names, name = bank[index : index + 1], names[index : index + 1], names[index]
        where = f"{where}/{index}"
    if len(numbers) > 1:
        channel = _number(numbers[1], bank.shape[1], "channel", where)
        bank, name = bank[:, channel : channel + 1], f"{name}-{channel}"
        names, where = [name], f"{where}/{channel}"
    channels = bank.shape[1]
    is_deep = banks.model is not None and layer != next(iter(banks.layers))
    is_colour = channels == len(COLOURS) and not is_deep
    if channels != 1 and not is_colour:
        example = f"{layer}/{numbers[0] if numbers else 0}/0"
        raise RequestError(
            f"{where} sees {counted(channels, 'map')} of the layer before, not an image: name one "
            f"channel of a filter, as in {example}, or `cnntool visualize maps` shows what it finds"
        )
    kernels = check_bank(bank.reshape(-1, *bank.shape[2:]).astype(np.float64), where)
    spec = f"{path}:{'/'.join([layer, *map(str, numbers)])}"
    return Filter(name, spec, kernels, "none", tuple(names), is_colour=is_colour, shown=SHOWN)


def _split(banks: Banks, place: str) -> tuple[str | None, list[str]]:
    """The layer of a place, and the numbers behind it; a name of a layer may end in numbers."""
    if place in banks.layers:
        return place, []
    layer, *numbers = place.split("/")
    for count in (1, 2):
        start, *end = place.rsplit("/", count)
        if start in banks.layers and len(end) == count:
            layer, numbers = start, end
    if len(numbers) > 2:
        raise RequestError(
            f"'{place[:60]}' is no place in {banks.name}: expected LAYER, LAYER/FILTER or "
            "LAYER/FILTER/CHANNEL, such as conv1/7"
        )
    return layer or None, numbers


def _number(text: str, count: int, noun: str, where: str) -> int:
    """A number from 0 to ``count - 1``."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) >= count:
        raise RequestError(
            f"{where} has {counted(count, noun)}, and '{text[:40]}' is none of them: expected a "
            f"number from 0 to {count - 1}"
        )
    return int(text)
