"""Convolution by kernels of 3x3 with 36 multiplications for 144: Winograd's minimal filtering.

Layers of 64 maps and 64 filters are 1.4 to 1.8 times as fast by it, and steps of networks of such
layers 1.5 to 1.7 times.

A tile of 4x4 outputs y sees 6x6 inputs d. Polynomials of degree 3 and 2 are multiplied by way of
their values at six points; transposed, that is a correlation, along each axis of the tile::

    y = A^T [(G g G^T) * (B^T d B)] A        g: the kernel; *: element by element

The sum over input maps goes inside, so that each of the 36 elements t is a matrix product of its
own, with the samples of a batch innermost as in :mod:`cnntool.engine.fast.samples_innermost`::

    M[t] (F, P) = U[t] (F, C) @ V[t] (C, P)        P: tiles of a row, times samples

The transforms are products too, by matrices for both axes at once. Back to the kernels goes what is
adjoint to this, ``dg = G^T [sum over tiles of (A dy A^T) * (B^T d B)] G``; back to the input goes a
convolution of dy by the turned kernels.

Source: Winograd, Arithmetic Complexity of Computations, SIAM 1980; Lavin, Gray, Fast Algorithms for
Convolutional Neural Networks, CVPR 2016.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from cnntool.engine.fast import samples_innermost
from cnntool.engine.fast.layout import batch_last, batch_last_pays
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.fast.small_products import multiply, multiply_over_pixels
from cnntool.engine.fast.threads import PARTIAL_SUMS, parallel_blocks
from cnntool.engine.windows import Axes, Axis, even_slices

KERNEL = 3
TILE = 4
"""Outputs of a tile, along each axis."""

REACH = TILE + KERNEL - 1
"""Inputs that it sees."""

POINTS = (0, 0.75, -0.75, 1.5, -1.5)
"""And infinity. Of those tried they round least: three times as much as plain products do, and six
times in the gradient by the input, where those add up little at a time."""

MAP_COST, GAIN = 1500, 1.25
"""What a tile of one map costs to cut and transform, or to put together, in multiplications; and
how many times cheaper than plain products tiles must be."""

BLOCK_BYTES = 16 << 20
"""What one thread multiplies at a time: calls are long, and it stays in the caches."""

FEWEST_TOGETHER, MOST_TIMES = 64, 4
"""Samples of a block, where there are so many, and they take no more than so many times that."""


def suits(x: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> bool:
    """Whether maps x (N, C, H, W) are convolved faster this way."""
    if not (batch_last_pays(x) and fits(axes, groups)):
        return False
    filters, maps = weight.shape[:2]
    tiles, outputs = 1, 1
    for axis in axes:
        tiles, outputs = tiles * _tiles_along(axis), outputs * axis.output_size
    cost = tiles * (REACH**2 * maps * filters + MAP_COST * (maps + filters))
    return GAIN * cost < outputs * KERNEL**2 * maps * filters


def fits(axes: Axes, groups: int) -> bool:
    """Whether it can be done this way: 3x3, every output, and on the way back too."""
    is_square = all(axis.kernel_size == KERNEL for axis in axes)
    return groups == 1 and is_square and samples_innermost.can_be_turned(axes)


def convolve(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, axes: Axes, groups: int
) -> np.ndarray:
    """Slide weight (F, C, 3, 3) over x (N, C, H, W), in one group: (N, F, oh, ow)."""
    filters, maps = weight.shape[:2]
    matrices = _matrices(x.dtype)
    kernels = matrices.kernels @ weight.reshape(filters * maps, -1).T
    kernels = kernels.reshape(-1, 1, filters, maps)
    y = np.empty((filters, *(axis.output_size for axis in axes), len(x)), x.dtype)
    x = batch_last(x).transpose(1, 2, 3, 0)

    def work(block: _Block, scratch: Scratch) -> None:
        inputs = block.transformed(x, REACH, matrices.inputs, scratch)
        shape = block.height, filters, inputs.shape[3]
        products = scratch.array("products", (REACH**2 + 1, *shape), y.dtype)
        multiply(kernels, inputs, out=products[:-1])
        products[-1] = 0 if bias is None else bias[:, None]
        outputs = scratch.array("outputs", (TILE**2, *shape), y.dtype)
        _transform(matrices.outputs, products, out=outputs)
        block.put(outputs, y)

    parallel_blocks(_cut(axes, y.shape[-1], filters + maps), work, y.size * weight[0].size)
    return y.transpose(3, 0, 1, 2)


def gradients(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, axes: Axes, groups: int, *, need_dx: bool
) -> tuple[np.ndarray | None, np.ndarray]:
    """What dy (N, F, oh, ow) says of the input, (N, C, H, W), and of the weights."""
    dy = batch_last(dy)
    dweight = _weight_gradient(dy, x, weight, axes)
    if not need_dx:
        return None, dweight
    kernels, bias, back = samples_innermost.turned(weight, axes)
    if suits(dy, kernels, back, groups):
        return convolve(dy, kernels, bias, back, groups), dweight
    return samples_innermost.input_gradient(dy, x.shape, weight, axes, groups), dweight


def _weight_gradient(dy: np.ndarray, x: np.ndarray, weight: np.ndarray, axes: Axes) -> np.ndarray:
    """Transformed gradients times transformed inputs, added up over tiles, transformed back."""
    filters, maps = weight.shape[:2]
    matrices = _matrices(x.dtype)
    x, dy = batch_last(x).transpose(1, 2, 3, 0), dy.transpose(1, 2, 3, 0)
    blocks = _cut(axes, x.shape[3], filters + maps)
    parts = even_slices(len(blocks), -(-len(blocks) // PARTIAL_SUMS))
    sums = np.zeros((len(parts), REACH**2, maps, filters), x.dtype)

    def work(part: int, scratch: Scratch) -> None:
        for block in blocks[parts[part]]:
            inputs = block.transformed(x, REACH, matrices.inputs, scratch)
            gradient = block.transformed(dy, TILE, matrices.gradients, scratch)
            sums[part] += multiply_over_pixels(inputs, gradient.swapaxes(2, 3))

    parallel_blocks(range(len(parts)), work, dy.size * weight[0].size)
    total = matrices.kernels.T @ sums.sum(axis=0).reshape(REACH**2, -1)
    return np.ascontiguousarray(total.reshape(-1, maps, filters).T).reshape(weight.shape)


@dataclass(frozen=True)
class _Block:
    """Some samples and some rows of tiles."""

    samples: slice
    rows: slice
    axes: Axes

    @property
    def height(self) -> int:
        """Rows of tiles."""
        return self.rows.stop - self.rows.start

    def transformed(
        self, maps: np.ndarray, size: int, matrix: np.ndarray, scratch: Scratch
    ) -> np.ndarray:
        """Its tiles of maps (C, H, W, N), of ``size`` x ``size``: matrix (R, size*size) times them,
        (R, rows, C, tiles of a row * samples)."""
        maps = maps[..., self.samples]
        rows, columns = (_tile_axis(axis, size) for axis in self.axes)
        lines = rows.input_positions(self.rows.start, self.height)
        shape = len(lines), size, len(maps), columns.output_size, maps.shape[3]
        unfolded = scratch.array(f"unfolded {size}", shape, maps.dtype)
        _unfold_across(maps, lines, columns, out=unfolded)
        pixels = columns.output_size * maps.shape[3]
        whole = len(matrix), self.height, len(maps), pixels
        out = scratch.array(f"transformed {size}", whole, maps.dtype)
        for row in range(self.height):
            tiles = unfolded[row * TILE : row * TILE + size]
            _transform(matrix, tiles.reshape(size * size, -1), out=out[:, row])
        return out

    def put(self, tiles: np.ndarray, y: np.ndarray) -> None:
        """Tiles (16, rows, F, tiles of a row * samples) where they belong in y (F, oh, ow, N)."""
        lines = slice(self.rows.start * TILE, self.rows.stop * TILE)
        y = _by_run(y[:, lines, :, self.samples])
        count = self.samples.stop - self.samples.start
        tiles = _by_run(tiles.reshape(*tiles.shape[:3], -1, count))
        for index, tile in enumerate(tiles):
            row, column = divmod(index, TILE)
            target = y[:, row::TILE, column::TILE]  # the last tiles may reach beyond it
            target[...] = tile.swapaxes(0, 1)[:, : target.shape[1], : target.shape[2]]


def _unfold_across(maps: np.ndarray, lines: range, columns: Axis, out: np.ndarray) -> None:
    """The windows across of those rows of maps (C, H, W, n), with zeros around: (rows, taps, C,
    windows, n)."""
    before, after = max(0, -lines.start), max(0, lines.stop - maps.shape[1])
    inside = slice(before, len(lines) - after)
    out[:before], out[inside.stop :] = 0, 0
    source = _by_run(maps[:, lines.start + before : lines.stop - after]).swapaxes(0, 1)
    target = _by_run(out[inside])
    for tap, (seen, read) in enumerate(columns.taps):
        out[inside, tap, :, : seen.start] = 0
        out[inside, tap, :, seen.stop :] = 0
        target[:, tap, :, seen] = source[..., read]


def _by_run(maps: np.ndarray) -> np.ndarray:
    """Maps (..., n) as one element a run of samples, which NumPy copies as a whole: (...)."""
    return maps.view(np.dtype((np.void, maps.shape[-1] * maps.itemsize)))[..., 0]


def _transform(matrix: np.ndarray, tiles: np.ndarray, out: np.ndarray) -> None:
    """``matrix (R, K) @ tiles (K, ...)``: (R, ...)."""
    multiply(matrix, tiles.reshape(len(tiles), -1), out=out.reshape(len(out), -1))


def _cut(axes: Axes, count: int, maps: int) -> list[_Block]:
    """Blocks that transform ``BLOCK_BYTES`` of so many samples and maps, or one row of tiles; at
    least one block a thread."""
    down, across = map(_tiles_along, axes)
    most = max(1, BLOCK_BYTES // (4 * REACH**2 * maps * across))  # rows of tiles, times samples
    samples = even_slices(count, max(most, min(FEWEST_TOGETHER, MOST_TIMES * most)))
    height = max(1, min(most // samples[0].stop, -(-down // 2)))
    return [_Block(some, rows, axes) for some in samples for rows in even_slices(down, height)]


def _tiles_along(axis: Axis) -> int:
    return -(-axis.output_size // TILE)


def _tile_axis(axis: Axis, size: int) -> Axis:
    """The windows of the inputs that tiles see, ``REACH``, or those of the outputs, ``TILE``."""
    length, before = (axis.size, axis.before) if size == REACH else (axis.output_size, 0)
    end = (_tiles_along(axis) - 1) * TILE + size
    return Axis(length, size, TILE, 1, before, end - length - before)


@dataclass(frozen=True)
class _Matrices:
    """What tiles are multiplied by, one element a row."""

    kernels: np.ndarray  # (36, 9)
    inputs: np.ndarray  # (36, 36)
    outputs: np.ndarray  # (16, 37), the last for what is added to all elements alike
    gradients: np.ndarray  # (36, 16)


@functools.cache
def _matrices(dtype: np.dtype) -> _Matrices:
    """The transforms of Toom and Cook: kernels and outputs by their values at ``POINTS`` and
    infinity, inputs by the polynomials that are 0 at all points but one."""
    points = np.array(POINTS)
    others = [np.delete(points, index) for index in range(len(points))]
    scale = [np.prod(point - rest) for point, rest in zip(points, others, strict=True)]
    kernels, outputs, inputs = np.eye(REACH)[:, -KERNEL:], np.eye(REACH)[:, -TILE:], np.eye(REACH)
    kernels[:-1] = np.vander(points, KERNEL, increasing=True) / np.array(scale)[:, None]
    outputs[:-1] = np.vander(points, TILE, increasing=True)
    for index, rest in enumerate(others):
        inputs[index] = [*np.poly(rest)[::-1], 0]
    inputs[-1] = np.poly(points)[::-1]
    gradients = np.kron(outputs, outputs)
    with_bias = np.hstack([gradients.T, np.ones((TILE**2, 1))])
    found = np.kron(kernels, kernels), np.kron(inputs, inputs), with_bias, gradients
    return _Matrices(*(matrix.astype(dtype) for matrix in found))
