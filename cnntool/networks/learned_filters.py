"""Learned kernels as filters over images: ``model.npz:conv1/7``."""

from __future__ import annotations

import re

import numpy as np

from cnntool.errors import RequestError
from cnntool.imaging.kernel_spec import check_bank
from cnntool.imaging.kernels import COLOURS, Filter
from cnntool.networks.learned_kernels import Banks, load_banks
from cnntool.wording import counted

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
    :func:`~cnntool.networks.learned_kernels.load_banks`.
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
