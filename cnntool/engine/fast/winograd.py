"""3 x 3 kernels at stride 1 by Winograd's minimal filtering: 16 products for 4 outputs, not 36.

Two outputs of a 1-D filter of three taps need four products instead of six, F(2, 3):

``y = A^T [(G g) * (B^T d)]``, with * elementwise,

for a kernel g of three taps, the four inputs d that the two outputs y read, and::

    B^T = 1  0 -1  0    G =   1    0    0    A^T = 1  1  1  0
          0  1  1  0         1/2  1/2  1/2         0  1 -1 -1
          0 -1  1  0         1/2 -1/2  1/2
          0  1  0 -1          0    0    1

In two dimensions every matrix stands on both sides, ``A^T [(G g G^T) * (B^T d B)] A``, for tiles of
2 x 2 outputs. Summed over input maps, each of the 16 elements is a matrix product of its own:
filters x maps times maps x tiles (Winograd, Arithmetic Complexity of Computations, 1980; Lavin and
Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, arXiv:1509.09308). Sums, signs
and halves are all that is added, so that the result is about as exact as that of im2col, but a NaN
or an infinity spoils its whole tile.

Tiles lie two apart. In maps sorted by even and odd rows and columns, as in polyphase.py, the same
element of all tiles is one run; between a row of tiles and the next stands a column, and between a
map and the next a row, that belongs to no tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from cnntool.engine.fast.blocks import (
    PARTIAL_SUMS,
    Axes,
    share_products,
    turned_axes,
    turned_weight,
)
from cnntool.engine.fast.polyphase import phases_of
from cnntool.engine.fast.products import multiply, multiply_over_pixels
from cnntool.engine.fast.scratch import Scratch
from cnntool.engine.windows import Axis, even_cuts, even_slices

TILE, READ = 2, 4
"""Outputs a side of a tile, and the inputs that they read."""

KERNEL_TO_TILE = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])  # G
TILE_TO_OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])  # A^T
CENTRE = 5
"""Of the 16 elements the one that goes into all four outputs alike: row 1, column 1."""

BLOCK_BYTES = 1 << 20, 3 << 20
"""What one thread has of transformed tiles at a time: enough for long calls, little enough for the
caches."""

BLOCKS = 4
"""Into which at least the work is cut between these bounds, so that threads share it evenly."""

SUMS_BYTES = 1 << 25
"""Of partial sums of a weight gradient, of which there are at least two, for two threads."""

FEWEST_TILES = 8
"""Across a block before a row of tiles is cut: there is one more column and row for nothing."""

FEWEST_MAPS, FEWEST_PIXELS, FEWEST_PRODUCTS, MOST_LEFT = 24, 512, 1 << 23, 2 / 3
"""Input and output maps of a group, outputs of a filter, and multiplications of im2col, from which
on it is worth the sums to do at most this share of the multiplications."""


def suits(x: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> bool:
    """Whether x (N, C, H, W) is convolved with weight (F, C // groups, kh, kw) faster this way."""
    if not all(axis.stride == axis.dilation == 1 and axis.kernel_size == 3 for axis in axes):
        return False
    outputs = prod(axis.output_size for axis in axes)
    left = 16 * prod(_tiles_along(axis) + 1 for axis in axes) / (9 * outputs)
    pixels = len(x) * outputs
    return (
        min(len(weight) // groups, weight.shape[1]) >= FEWEST_MAPS
        and pixels >= FEWEST_PIXELS
        and pixels * weight.size >= FEWEST_PRODUCTS
        and left <= MOST_LEFT
    )


def correlate(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, axes: Axes, groups: int
) -> np.ndarray:
    """Slide weight (F, C // groups, 3, 3) over x (N, C, H, W): (N, F, oh, ow)."""
    filters = len(weight)
    y = np.empty((len(x), filters, *(axis.output_size for axis in axes)), x.dtype)
    kernels = _both_sides(KERNEL_TO_TILE, x.dtype) @ weight.reshape(-1, 9).T
    kernels = kernels.reshape(16 * groups, filters // groups, -1)
    to_output = _both_sides(TILE_TO_OUTPUT, x.dtype)[None]

    def work(block: _Block, scratch: Scratch) -> None:
        tiles = _input_tiles(x, block, scratch).reshape(16 * groups, -1, block.pitch)
        products = scratch.array("products", (16 * groups, kernels.shape[1], block.pitch), x.dtype)
        products[..., block.line :] = 0
        multiply(kernels, tiles[..., : block.line], out=products[..., : block.line])
        products = products.reshape(16, filters, block.pitch)
        if bias is not None:
            products[CENTRE] += bias[:, None]
        outputs = scratch.array("outputs", (1, 4, filters * block.pitch), x.dtype)
        multiply(to_output, products.reshape(1, 16, -1), out=outputs)
        _unsort(outputs, y, block)

    share_products(
        _cut(len(x), max(x.shape[1], filters), axes, x.itemsize), work, y.size * weight[0].size
    )
    return y


def weight_gradient(
    dy: np.ndarray, x: np.ndarray, shape: tuple[int, ...], axes: Axes, groups: int
) -> np.ndarray:
    """What dy (N, F, oh, ow) says of weights of this shape: ``G^T [(A dy A^T) * (B^T d B)] G``."""
    filters, maps = shape[:2]
    blocks = _cut(len(x), max(x.shape[1], filters), axes, x.itemsize)
    sum_bytes = 16 * filters * maps * x.itemsize
    parts = min(len(blocks), PARTIAL_SUMS, max(2, SUMS_BYTES // sum_bytes))
    sums = np.zeros((parts, 16 * groups, filters // groups, maps), x.dtype)
    from_output = _both_sides(TILE_TO_OUTPUT.T, x.dtype)[None]

    def work(part: int, scratch: Scratch) -> None:
        for block in blocks[len(blocks) * part // parts : len(blocks) * (part + 1) // parts]:
            tiles = _input_tiles(x, block, scratch).reshape(16 * groups, -1, block.pitch)
            outputs = _sort(dy, block, block.outputs, "outputs", scratch)
            spread = scratch.array("spread", (1, 16, filters * block.pitch), x.dtype)
            multiply(from_output, outputs.reshape(1, 4, -1), out=spread)
            spread = spread.reshape(16 * groups, -1, block.pitch)
            seen = slice(0, block.line)
            sums[part] += multiply_over_pixels(spread[..., seen], tiles[..., seen])

    share_products(range(parts), work, dy.size * 9 * maps)
    to_kernel = _both_sides(KERNEL_TO_TILE.T, x.dtype)
    return (to_kernel @ sums.sum(axis=0).reshape(16, -1)).T.reshape(shape)


def input_gradient(dy: np.ndarray, weight: np.ndarray, axes: Axes, groups: int) -> np.ndarray:
    """What dy (N, F, oh, ow) says of the input, (N, C, H, W)."""
    return correlate(dy, turned_weight(weight, groups), None, turned_axes(axes), groups)


@dataclass(frozen=True)
class _Block:
    """The tiles of some samples, or of a part of one, worked on at a time."""

    samples: slice
    inputs: Axes  # the elements of x that its tiles read, 4 each, two apart
    outputs: Axes  # the 2 of y that they give

    @property
    def lengths(self) -> tuple[int, int]:
        """Of a phase of one map, down and across: the tiles and one more."""
        return tuple(axis.output_size + 1 for axis in self.inputs)

    @property
    def pitch(self) -> int:
        """Elements from one map to the next."""
        return (self.samples.stop - self.samples.start) * prod(self.lengths)

    @property
    def line(self) -> int:
        """Elements up to the last tile of a map."""
        return self.pitch - self.lengths[1] - 1


def _cut(samples: int, maps: int, axes: Axes, itemsize: int) -> list[_Block]:
    """Cut the tiles of so many maps into blocks: of several samples, or of a part of one."""
    height, width = map(_tiles_along, axes)
    tile_bytes = 16 * maps * itemsize
    share = samples * (height + 1) * (width + 1) * tile_bytes // BLOCKS
    least, most = BLOCK_BYTES
    tiles = min(max(share, least), most) // tile_bytes
    most_samples = max(1, tiles // ((height + 1) * (width + 1)))
    width_cut = even_cuts(width, max(FEWEST_TILES, tiles // (FEWEST_TILES + 1) - 1))
    rows = _runs(axes[0], height, max(1, tiles // (width_cut + 1) - 1))
    columns = _runs(axes[1], width, width_cut)
    return [
        _Block(some, *zip(row, column, strict=True))
        for some in even_slices(samples, most_samples)
        for row in rows
        for column in columns
    ]


def _tiles_along(axis: Axis) -> int:
    return -(-axis.output_size // TILE)


def _runs(axis: Axis, tiles: int, most: int) -> list[tuple[Axis, Axis]]:
    """Even runs of tiles along an axis: the inputs that they read, and their outputs."""
    sides = (READ, axis.size, axis.before), (TILE, axis.output_size, 0)
    inputs, outputs = (Axis(size, side, TILE, 1, before, 0) for side, size, before in sides)
    edges = [(run.start, run.stop) for run in even_slices(tiles, most)]
    return [(inputs.part(*run), outputs.part(*run)) for run in edges]


def _sort(x: np.ndarray, block: _Block, axes: Axes, name: str, scratch: Scratch) -> np.ndarray:
    """The part of x (N, C, H, W) in a block by phases (2, 2, C, samples, rows, columns)."""
    part = x[block.samples].swapaxes(0, 1)
    phases = scratch.array(name, (TILE, TILE, *part.shape[:2], *block.lengths), x.dtype)
    phases[...] = 0
    for a, b, sorted_part, elements in _phases(axes):
        phases[(a, b, ..., *sorted_part)] = part[(..., *elements)]
    return phases


def _unsort(phases: np.ndarray, y: np.ndarray, block: _Block) -> None:
    """The other way for an output: phases of a block into their part of y (N, F, oh, ow)."""
    part = y[block.samples].swapaxes(0, 1)
    phases = phases.reshape(TILE, TILE, *part.shape[:2], *block.lengths)
    for a, b, sorted_part, elements in _phases(block.outputs):
        part[(..., *elements)] = phases[(a, b, ..., *sorted_part)]


def _phases(axes: Axes) -> Iterator[tuple[int, int, tuple[slice, slice], tuple[slice, slice]]]:
    """Of each phase (a, b) where it stands when sorted, and which elements of the maps it is."""
    rows, columns = (phases_of(axis).copies for axis in axes)
    for a, (to_rows, from_rows) in enumerate(rows):
        for b, (to_columns, from_columns) in enumerate(columns):
            yield a, b, (to_rows, to_columns), (from_rows, from_columns)


def _input_tiles(x: np.ndarray, block: _Block, scratch: Scratch) -> np.ndarray:
    """``B^T d B`` of the tiles d of a block of x (N, C, H, W): (4, 4, C * pitch)."""
    phases = _sort(x, block, block.inputs, "inputs", scratch)
    phases = phases.reshape(TILE, TILE, -1)
    size, down, across = phases.shape[2], block.lengths[1], 1
    half_way = scratch.array("half way", (READ, TILE, size), x.dtype)
    _transform(phases[0], phases[1], down, half_way)
    tiles = scratch.array("tiles", (READ, READ, size), x.dtype)
    _transform(half_way[:, 0], half_way[:, 1], across, tiles.swapaxes(0, 1))
    return tiles


def _transform(even: np.ndarray, odd: np.ndarray, step: int, out: np.ndarray) -> None:
    """``B^T d`` of all tiles along one axis: d is even, odd, and both a step on. (4, ...)."""
    length = even.shape[1] - step
    even, later_even = even[:, :length], even[:, step:]
    odd, later_odd = odd[:, :length], odd[:, step:]
    out[..., length:] = 0
    out = out[..., :length]
    np.subtract(even, later_even, out=out[0])
    np.add(odd, later_even, out=out[1])
    np.subtract(later_even, odd, out=out[2])
    np.subtract(odd, later_odd, out=out[3])


def _both_sides(matrix: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """What does to a flattened square what ``matrix @ square @ matrix.T`` does to it."""
    return np.kron(matrix, matrix).astype(dtype)
