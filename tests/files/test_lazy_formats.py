"""A format's module is loaded when a file needs it."""

import subprocess
import sys

import numpy as np
import pytest

from cnntool.files.formats import format_for
from cnntool.files.image import Frame, Image
from cnntool.files.images import save_image

ALONE = ("__main__", "choices", "errors", "specs", "wording")


def test_a_file_loads_the_modules_of_its_own_format_only(tmp_path):
    path = tmp_path / "image.pgm"
    path.write_bytes(b"P5 2 1 255\n\x00\xff")
    program = (
        "import sys; from cnntool.files.images import open_image, save_image;"
        "save_image(open_image(sys.argv[1]), sys.argv[2]); print(*sys.modules)"
    )
    command = [sys.executable, "-c", program, path, tmp_path / "image.npy"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    ours = {name.removeprefix("cnntool.files.") for name in loaded if "cnntool.files." in name}
    assert {"pnm", "npy"} < ours
    assert not ours & {"pictures", "pillow", "tiff", "tiff_pages", "animations", "deep"}
    assert not {"PIL", "tifffile", "imagecodecs"} & set(loaded)


@pytest.mark.parametrize("name", ["image.pgm", "image.png"])
def test_filtering_a_picture_imports_nothing_that_is_slow_and_not_needed(tmp_path, name):
    path = tmp_path / name
    save_image(Image((Frame(np.zeros((4, 5, 1), np.uint8)),), 255.0, format_for(name)), path)
    program = (
        "import sys; from cnntool.__main__ import _run;"
        "sys.argv = ['cnntool', 'convolve', sys.argv[1], '-k', 'box', '-q', '-o', sys.argv[2]];"
        "_run(); print(*sys.modules)"
    )
    command = [sys.executable, "-c", program, path, tmp_path / f"out-{name}"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    slow = {"rich", "numpy.ma", "numpy.random", "numpy.fft", "multiprocessing", "asyncio"}
    slow |= {"concurrent.futures", "zipfile", "tempfile", "hashlib", "email", "importlib.metadata"}
    if name != "image.png":
        slow |= {"PIL", "cnntool.files.pillow"}
    assert not slow & set(loaded)
    ours = {name.removeprefix("cnntool.files.") for name in loaded if "cnntool.files." in name}
    assert not ours & {"jpeg", "jpeg_rows", "animations", "tiff", "npy", "wav", "signal", "signals"}
    floors = {name.split(".")[1] for name in loaded if name.startswith("cnntool.")}
    assert floors <= {"cli", "imaging", "engine", "files", *ALONE}
