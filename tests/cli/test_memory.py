"""What the whole process takes beside the picture it reads and the one it writes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import COMMAND
from text_models import text_of

MEGABYTE = 1_000_000


def peak(*arguments: str) -> tuple[float, str]:
    """Peak resident memory of the command, in megabytes, and what it says on stderr.

    Started by a small process in between: Linux counts what the starter held as the child's own.
    """
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, *COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, check=True)
    return int(done.stdout) * 1024 / MEGABYTE, done.stderr.decode()


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
    taken, _ = peak("convolve", f"in.{kind}", "-k", spec, "-q", "-o", f"out.{kind}")
    assert taken < 2 * pixels.size / MEGABYTE + 120


NETWORKS = {
    "lenet": ((28, 28), "--network lenet"),
    "lenet5": ((32, 32), "--network lenet5"),
    "small": ((64, 64, 3), "--network small"),
    "alexnet": ((32, 32, 3), "--network alexnet"),
    "wide and dense": ((28, 28), "--layers 'dense 2048; relu; dense 2048; relu; dense 10'"),
    "deep, 3x3": (
        (32, 32, 3),
        "--layers 'conv 64 3x3 pad 1; relu; conv 64 3x3 pad 1; relu; conv 64 3x3 pad 1; relu; "
        "global-average; dense 10'",
    ),
    "norms, dropout, lp": (
        (32, 32, 3),
        "--batch-size 90 --layers 'conv 32 5x5 pad 2 no-bias; batch-norm; tanh; dropout 0.3; "
        "average 2; conv 64 3x3 no-bias; batch-norm; tanh; dropout 0.3; lp 2; dense 10'",
    ),
    "local": (
        (32, 32, 3),
        "--optimizer sgd --layers 'local 16 5x5; relu; max 2; dense 200; tanh; dense 10'",
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
@pytest.mark.parametrize(("shape", "options"), NETWORKS.values(), ids=NETWORKS)
def test_what_training_says_it_takes_is_what_it_takes(folder, shape, options):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (100, *shape), dtype=np.uint8)
    np.savez("images.npz", x=x, y=np.arange(100) % 10)
    held_to_what_it_said("train-cnn", "images.npz", "--epochs", "1", *shlex.split(options))


@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
def test_what_learning_a_text_says_it_takes_is_what_it_takes(folder):
    Path("text.txt").write_text(text_of(600), encoding="utf-8")
    sizes = "--hidden-size 256 --batch-size 40 --seq-length 60 --num-samples 0"
    held_to_what_it_said("train-lstm", "text.txt", "--level", "char", *sizes.split())


@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
@pytest.mark.parametrize(
    "call",
    [
        "train-classifier vowels --hidden-size 256 --batch-size 270",
        "train-tagger addresses --hidden-size 256 --batch-size 128",
        "train-translator dates:count=500 --batch-size 450",
        "train-captioner shapes:count=150 --batch-size 135",
    ],
)
def test_what_learning_sequences_says_it_takes_is_what_it_takes(folder, call):
    held_to_what_it_said(*call.split(), "--epochs", "1")


def held_to_what_it_said(*arguments: str) -> None:
    """Within a quarter, of the whole process: Python and the data are some of it."""
    taken, text = peak(*arguments, "--processes", "1")
    said = float(re.search(r"about ([\d.]+) MB of memory", text)[1])
    assert 0.75 * taken < said < 1.25 * taken
