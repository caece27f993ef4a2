"""What layers answer: every map of one image, and the patches of a data set that excite each filter
most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cnntool.datasets.feeds import batches
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.errors import RequestError, not_finite
from cnntool.networks.batch_sizes import batch_size_for
from cnntool.networks.layers.layer import Shape, is_steps
from cnntool.networks.network import Network
from cnntool.networks.receptive_field import ReceptiveField
from cnntool.wording import instead, shape_text

SILENT = ("dropout", "flatten")
"""Layers that change no value where nothing is trained."""


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The output of a layer for one image: maps (C, H, W), features (D,), or T steps of D features
    as one map (1, D, T), time from left to right."""

    name: str
    layer: str
    values: np.ndarray

    @property
    def shape(self) -> str:
        return shape_text(self.values.shape)


def feature_maps(network: Network, x: np.ndarray, name: str) -> list[FeatureMaps]:
    """What every layer but the SILENT ones makes of a prepared image (1, C, H, W), in the order of
    the network.

    name: of its file. InputError where values are not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = network.outputs(x)
    found = [
        FeatureMaps(each, str(layer), _of_one(output.astype(np.float32), shape))
        for (each, layer, _), output, shape in zip(
            network.each(), outputs, network.output_shapes, strict=True
        )
        if layer.kind not in SILENT
    ]
    for each in found:
        if not np.isfinite(each.values).all():
            raise not_finite(f"{name}: {each.name}")
    return found


def _of_one(output: np.ndarray, shape: Shape) -> np.ndarray:
    return output.transpose(1, 2, 0) if is_steps(shape) else output[0]


def layer_named(model: str, found: list[FeatureMaps], name: str) -> FeatureMaps:
    """The output of the layer with this name; RequestError with those that there are."""
    for each in found:
        if each.name == name:
            return each
    there = instead(name, [each.name for each in found], most=len(found))
    raise RequestError(f"{model} has no maps of a layer '{name[:60]}', only of {there}")


GREY = 0.5
"""Of what lies outside an image, where black is 0 and white 1."""


@dataclass(frozen=True, eq=False)
class Best:
    """Where each filter answers most, the strongest first; one place an image.

    values: (F, K) float32, the filter's answers: what its convolution gives, before batch
        normalisation and activation. images: (F, K) indices into the data set. places: (F, K, 2),
        row and column in the filter's map.
    """

    values: np.ndarray
    images: np.ndarray
    places: np.ndarray


def best_places(
    network: Network,
    preprocessing: Preprocessing,
    data: Dataset,
    layer: str,
    filters: Sequence[int],
    top: int,
    advance: Callable[[], None] = lambda: None,
) -> Best:
    """The ``top`` images, or all where there are fewer, that each of the filters answers most.

    Of each image the place of the greatest answer counts, the first of equal ones, and of equal
    images the one that comes first. The data goes through in batches, and no more than the best so
    far is kept. ``advance`` is called after each batch; :func:`batch_count` says how many there
    are. InputError where answers are not finite.

    Source: M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV,
    2014, figure 2.
    """
    stop = network.names.index(layer) + 1
    chosen = np.asarray(filters)
    kept = [np.empty((len(chosen), 0), dtype) for dtype in (np.float32, np.int64, np.int64)]
    for indices in batches(len(data), batch_size_for(network, stop=stop)):
        x = preprocessing.normalized(data.x[indices], data.scale)
        with np.errstate(over="ignore", invalid="ignore"):
            maps, _ = network.forward(x, stop=stop, keeps_caches=False)
        answers = maps[:, chosen].reshape(len(indices), len(chosen), -1)
        at = answers.argmax(axis=2)
        most = np.take_along_axis(answers, at[..., None], axis=2)[..., 0]
        found = most.T, np.tile(indices, (len(chosen), 1)), at.T
        joined = [np.concatenate(pair, axis=1) for pair in zip(kept, found, strict=True)]
        order = np.argsort(-joined[0], axis=1, kind="stable")[:, :top]
        kept = [np.take_along_axis(each, order, axis=1) for each in joined]
        advance()
    values, images, places = kept
    if not np.isfinite(values).all():
        raise not_finite(f"{layer} of the network")
    _, _, width = network.shapes[stop]
    assert width is not None
    return Best(values, images, np.stack(np.divmod(places, width), axis=2))


def batch_count(network: Network, data: Dataset, layer: str) -> int:
    """The batches that :func:`best_places` makes of the data."""
    return -(-len(data) // batch_size_for(network, stop=network.names.index(layer) + 1))


def cut_out(
    image: np.ndarray,
    place: Sequence[int] | np.ndarray,
    field: tuple[ReceptiveField, ReceptiveField] | None,
    fill: float = GREY,
) -> np.ndarray:
    """What one output sees of an image (C, H, W), as (C, h, w); what lies outside is ``fill``.

    place: row and column of the output. field: of its layer
        (:func:`~cnntool.networks.summary.fields_of`); None, of one that sees all of the image.
    """
    if field is None:
        return image
    seen = [np.array(axis.seen(int(at))) for axis, at in zip(field, place, strict=True)]
    rows, columns = (np.clip(p, 0, n - 1) for p, n in zip(seen, image.shape[1:], strict=True))
    patch = image[:, rows[:, None], columns]
    patch[:, ~np.logical_and.outer(rows == seen[0], columns == seen[1])] = fill
    return patch
