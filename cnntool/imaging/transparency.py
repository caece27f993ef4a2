"""How much each pixel counts: colours weighted by alpha on the way in, and back on the way out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnntool.engine.arrays import float_dtype
from cnntool.engine.windows import SomeRows


def hides(alpha: np.ndarray | None, white: float) -> bool:
    """Whether some pixel is not opaque."""
    return alpha is not None and bool(alpha.min(initial=white) < white)


def weighted(pixels: np.ndarray, alpha: np.ndarray, white: float) -> np.ndarray:
    """Colours times alpha, then alpha: (H, W, C + 1) floats.

    Alpha is taken from [0, white] to [0, 1].
    """
    dtype = float_dtype(alpha)
    weights = np.clip(alpha[..., None].astype(dtype) / dtype.type(white), 0, 1)
    return np.concatenate([pixels * weights, weights], axis=2)


def unweighting(
    colours: np.ndarray | SomeRows, bank: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> Callable[[np.ndarray, slice, slice], np.ndarray]:
    """From responses to weighted colours and to alpha itself, to responses to the colours.

    With weights w, alphas a and colours c, where the window's centre has the colour c_0:

    - a blur (all w >= 0) is the weighted mean ``sum(w) * sum(w a c) / sum(w a)``;
    - for a signed kernel a transparent pixel counts as if it had the centre's colour:
      ``sum(w a c) + c_0 (sum(w) - sum(w a))``, so that hidden colours make no edges.

    ``rows`` and ``columns`` are the centres of the windows. The function that is returned takes
    responses (F, strips, rows, columns, C + 1) to (F, ..., C), in the block's own memory.
    """

    def unweight(block: np.ndarray, row_slice: slice, column_slice: slice) -> np.ndarray:
        centre = colours[rows[row_slice]][:, columns[column_slice]]
        centre = centre.reshape(*block.shape[1:-1], -1).astype(block.dtype)
        results, alphas = block[..., :-1], block[..., -1:]
        for kernel, result, alpha in zip(bank, results, alphas, strict=True):
            total = kernel.sum()
            if kernel.min() >= 0 and total > 0:
                seen = alpha > 1e-6 * total
                np.divide(result * total, alpha, out=result, where=seen)
                np.copyto(result, centre * total, where=~seen)
            else:
                result += centre * (total - alpha)
        return results

    return unweight


def alpha_in_depth(
    alpha: np.ndarray, white: float, dtype: np.dtype, new_white: float
) -> np.ndarray:
    """Alpha (H, W) in [0, white] as ``dtype`` in [0, new_white]."""
    if alpha.dtype == dtype and white == new_white:
        return alpha
    wide = float_dtype(alpha)
    values = alpha.astype(wide) * wide.type(new_white / white)
    return (values if dtype.kind == "f" else np.rint(values)).astype(dtype)
