"""Each format is a module of its own, loaded when a file needs it."""

import subprocess
import sys

import pytest

from cnntool.files.codecs import codec
from cnntool.files.formats import FORMATS

CODECS = "cnntool.files"
FORMAT_MODULES = ("bmp", "gif", "jpeg", "npy", "png", "pnm", "tiff", "webp")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_its_three_functions(format):
    for name in ("probe", "read", "write"):
        assert getattr(codec(format), name).__module__ == codec(format).__name__


def test_a_file_loads_the_modules_of_its_own_format_only(tmp_path):
    path = tmp_path / "image.pgm"
    path.write_bytes(b"P5 2 1 255\n\x00\xff")
    program = (
        "import sys; from cnntool.files.images import open_image, save_image;"
        "save_image(open_image(sys.argv[1]), sys.argv[2]); print(*sys.modules)"
    )
    command = [sys.executable, "-c", program, path, tmp_path / "image.npy"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    formats = {name for name in FORMAT_MODULES if f"{CODECS}.{name}" in loaded}
    assert formats == {"pnm", "npy"}
    assert "PIL" not in loaded
    assert f"{CODECS}.deep" not in loaded
