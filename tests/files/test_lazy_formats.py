"""A format's module is loaded when a file needs it."""

import subprocess
import sys


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


def test_filtering_a_picture_imports_nothing_that_is_slow_and_not_needed(tmp_path):
    path = tmp_path / "image.pgm"
    path.write_bytes(b"P5 2 1 255\n\x00\xff")
    program = (
        "import sys; from cnntool.__main__ import _run;"
        "sys.argv = ['cnntool', 'convolve', sys.argv[1], '-k', 'box', '-q', '-o', sys.argv[2]];"
        "_run(); print(*sys.modules)"
    )
    command = [sys.executable, "-c", program, path, tmp_path / "image.npy"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    slow = {"PIL", "rich", "numpy.ma", "multiprocessing", "concurrent.futures", "zipfile"}
    assert not slow & set(loaded)
