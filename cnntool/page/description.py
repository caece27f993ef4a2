"""What a page has to know of a network: its layers as JSON, with their geometry planned here.

The page plans nothing: where windows and bins lie, and what their elements weigh, comes from the
plans that the engine itself computes by.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnntool.engine.bin_pooling import bin_weights, plan_bins
from cnntool.engine.normalization import EPS
from cnntool.engine.pool_reductions import gaussian_weights
from cnntool.engine.pool_windows import plan_pool
from cnntool.engine.windows import Axis, plan_axes
from cnntool.errors import RequestError
from cnntool.networks.layers.attend import Attend
from cnntool.networks.layers.convolutions import Convolution, LocallyConnected
from cnntool.networks.layers.core import Activation, BatchNorm, Dense, Dropout, Flatten
from cnntool.networks.layers.embeddings import Embedding
from cnntool.networks.layers.layer import Arrays, Layer, Shape
from cnntool.networks.layers.pools import AdaptivePool, PyramidPool, SlidingPool, Subsampling
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.layers.steps import TIME_POOLS, Columns, Places, TimePool
from cnntool.networks.network import Network
from cnntool.page.html import packed


def described(network: Network, count: int | None = None) -> list[dict[str, Any]]:
    """The first ``count`` layers, or all, each with its arrays."""
    found: list[dict[str, Any]] = []
    places: dict[int, tuple[int, str]] = {}  # of arrays that stand in the page already
    rows = zip(network.each(), network.output_shapes, strict=True)
    for index, ((name, layer, shape), output) in enumerate(rows):
        if index == count:
            break
        arrays = network.params_of(index) | {
            key: network.buffers[f"{name}.{key}"] for key in layer.buffers(shape)
        }
        found.append(
            {
                "name": name,
                "text": str(layer),
                "input": list(shape),
                "output": list(output),
                **settings(layer, shape, arrays),
                "arrays": {
                    key: {"shared": places[id(array)]} if id(array) in places else packed(array)
                    for key, array in (arrays | _starts(network, name)).items()
                },
            }
        )
        places |= {id(array): (index, key) for key, array in arrays.items()}
    return found


def _starts(network: Network, name: str) -> Arrays:
    """What makes the state that a recurrence of a decoder begins with, if anything does."""
    start = f"{name}.start."
    paths = [path for path in network.params if path.startswith(start)]
    return {f"start_{path.removeprefix(start)}": network.params[path] for path in paths}


def settings(layer: Layer, shape: Shape, arrays: Arrays) -> dict[str, Any]:
    """Which operation it is, and where its windows lie over samples of this shape; RequestError
    for a layer that pages do not have."""
    if isinstance(layer, Convolution | LocallyConnected):
        window = layer.window
        axes = plan_axes(shape[1:], window.size, window.stride, window.dilation, window.padding)
        found = {"operation": layer.kind} | _windows(*axes)
        if isinstance(layer, Convolution):
            table = layer.table and [[int(seen) for seen in row] for row in layer.table]
            found |= {"groups": layer.groups, "table": table}
        return found
    if isinstance(layer, SlidingPool):
        axes = plan_pool(shape[1:], layer.size, layer.stride, layer.padding)
        found = {"operation": layer.mode} | _windows(*axes)
        if layer.mode == "lp":
            found["p"] = "inf" if np.isinf(layer.p) else layer.p
        if layer.mode == "gaussian":
            found["weights"] = [w.tolist() for w in gaussian_weights(*axes, layer.sigma)]
        return found
    if isinstance(layer, Subsampling):
        return {"operation": "subsample"} | _windows(*plan_pool(shape[1:], layer.size))
    if isinstance(layer, AdaptivePool):
        return {"operation": "bins", "levels": [_bins(shape, layer.output_size, layer.mode)]}
    if isinstance(layer, PyramidPool):
        levels = [_bins(shape, (level, level), layer.mode) for level in layer.levels]
        return {"operation": "bins", "levels": levels}
    if isinstance(layer, BatchNorm):
        return {"operation": "norm", "eps": EPS}
    if isinstance(layer, Activation):
        return {"operation": layer.function}
    if isinstance(layer, Dropout):
        return {"operation": "dropout", "rate": layer.rate}
    if isinstance(layer, Embedding):
        return {"operation": "embedding", "letters": layer.letters}
    if isinstance(layer, Recurrent):
        facts = {"cell": layer.cell, "units": layer.units, "both": layer.both}
        return {"operation": "recurrent"} | facts
    if isinstance(layer, TimePool):
        return {"operation": f"time-{TIME_POOLS[layer.name]}", "ofBoth": layer.of_both}
    if not isinstance(layer, Flatten | Dense | Attend | Columns | Places):
        raise RequestError(f"a page does not compute '{layer}': leave it out of the network")
    return {"operation": layer.kind}


def _windows(rows: Axis, columns: Axis) -> dict[str, Any]:
    return {"rows": _axis(rows), "columns": _axis(columns)}


def _axis(axis: Axis) -> dict[str, int]:
    """Output ``o`` reads inputs ``o*stride - before + k*dilation`` for the taps k."""
    return {
        "size": axis.size,
        "count": axis.output_size,
        "taps": axis.kernel_size,
        "stride": axis.stride,
        "dilation": axis.dilation,
        "before": axis.before,
    }


def _bins(shape: Shape, output_size: tuple[int, int], mode: str) -> dict[str, Any]:
    """From where to where each bin reaches, and what its elements weigh; of a maximum nothing."""
    rows, columns = (plan_bins(*axis) for axis in zip(shape[1:], output_size, strict=True))
    found: dict[str, Any] = {"mode": mode, "rows": rows.pairs, "columns": columns.pairs}
    if mode != "max":
        weights = bin_weights(rows, columns, np.inf if mode == "average" else None)
        found["weights"] = [[bin.tolist() for bin in axis] for axis in weights]
    return found
