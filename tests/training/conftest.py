"""Few digits, with some held out."""

import numpy as np
import pytest

from cnntool.datasets.images.parts import hold_out
from cnntool.datasets.images.sources import load_images


@pytest.fixture(scope="module")
def parts():
    parts = load_images("digits")
    few = np.random.default_rng(0).permutation(len(parts.train))[:200]
    return hold_out(parts.map(lambda part: part.subset(few)), np.random.default_rng(0), 0.2)
