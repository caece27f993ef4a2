"""The order in which an epoch goes through the images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def batches(
    count: int,
    batch_size: int,
    rng: np.random.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[np.ndarray]:
    """Indices of one epoch, (batch_size,) int64 at a time: every one from 0 to count - 1 once.

    rng: shuffles them, once, when the first batch is asked for; None leaves them in order.
    drop_last: a last batch that is not full is left out.

    >>> [batch.tolist() for batch in batches(5, 2)]
    [[0, 1], [2, 3], [4]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected 1 or more")
    order = np.arange(count) if rng is None else rng.permutation(count)
    stop = count - count % batch_size if drop_last else count
    for start in range(0, stop, batch_size):
        yield order[start : start + batch_size]
