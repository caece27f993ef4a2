"""What the whole process takes beside the picture it reads and the one it writes."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from processes import COMMAND

MEGABYTE = 1_000_000


def peak(*arguments: str) -> float:
    """Peak resident memory of the command, in megabytes.

    Started by a small process in between: Linux counts what the starter held as the child's own.
    """
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, *COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, check=True)
    return int(done.stdout) * 1024 / MEGABYTE


@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
@pytest.mark.parametrize(
    ("kind", "channels", "spec"),
    [
        ("png", 1, "sobel"),
        ("png", 3, "gaussian:sigma=25"),
        ("jpg", 3, "sobel"),
    ],
)
def test_a_large_picture_takes_its_input_its_output_and_little_more(folder, kind, channels, spec):
    """Little more: 120 MB, whatever the kernel; a third copy of the picture would be as much."""
    height, width = 5000, 24_000 // channels
    line = np.resize(np.arange(256, dtype=np.uint8), (width, channels))
    pixels = np.broadcast_to(line, (height, width, channels))
    Image.fromarray(pixels.squeeze()).save(f"in.{kind}")
    taken = peak("convolve", f"in.{kind}", "-k", spec, "-q", "-o", f"out.{kind}")
    assert taken < 2 * pixels.size / MEGABYTE + 120
