"""A folder of small images, and the command run in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import Done, run_here
from trained_models import run_of_digits


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working directory with ``grey.png`` (40 x 30), ``colour.png`` and ``photo.jpg``."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (30, 40), dtype=np.uint8)).save("grey.png")
    colour = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    colour.save("colour.png")
    colour.resize((80, 60)).save("photo.jpg")
    return tmp_path


@pytest.fixture
def image(folder) -> str:
    """``small.png``, noise of the size of the digits."""
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save("small.png")
    return "small.png"


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory) -> Path:
    """A model file of a finished run with convolutions; its log is beside it, ``.jsonl``."""
    return run_of_digits(tmp_path_factory.mktemp("runs") / "digits.npz")


@pytest.fixture
def cnntool(folder):
    """Run ``cnntool ARGUMENTS...`` in the folder; ``stdin`` is bytes."""

    def run(*arguments: str, stdin: bytes = b"") -> Done:
        return run_here(*map(str, arguments), stdin=stdin)

    return run
