"""A folder of small images, and the command run in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import COMMAND, Done


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
def cnntool(folder):
    """Run ``cnntool ARGUMENTS...`` in the folder; ``stdin`` is bytes."""

    def run(*arguments: str, stdin: bytes | None = b"", **options) -> Done:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            timeout=60,
            **options,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode("utf-8", "backslashreplace"))

    return run
