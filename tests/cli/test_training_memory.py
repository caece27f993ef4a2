"""The memory that a training says it takes, beside what its processes take."""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from processes import COMMAND

from cnntool.engine.fast.threads import available_cores

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="the system tells no process's memory"
)

DEEP = "; ".join(["conv 64 3x3 pad 1; relu"] * 4) + "; max 2; dense 10"
WIDE = "conv 16 3x3; relu; max 2; dense 2048; relu; dense 1024; relu; dense 10"
STRIDED = "conv 32 7x7 stride 2 pad 3; batch-norm; relu; max 2; conv 64 3x3; batch-norm; dense 10"
POINTS = "conv 128 1x1; relu; average 2; dropout 0.5; dense 100; tanh; dense 10"
NETWORKS = [
    ["--network", "light"],
    ["--network", "small"],
    ["--network", "lenet5"],
    ["--network", "alexnet"],
    ["--layers", DEEP],
    ["--layers", WIDE],
    ["--layers", STRIDED],
    ["--layers", POINTS, "--processes", "1"],
    ["--layers", "dense 10"],
]


def children(process: int) -> list[int]:
    with suppress(OSError):
        path = Path(f"/proc/{process}/task/{process}/children")
        return [int(child) for child in path.read_text().split()]
    return []


def kilobytes(process: int, file: str, *kinds: str) -> int:
    """The sum of what /proc says of these kinds; 0 where the process has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(kinds))
    return 0


@pytest.mark.parametrize("network", NETWORKS, ids=" ".join)
def test_training_takes_the_memory_that_it_says_to_a_quarter(folder, network):
    pixels = np.random.default_rng(0).integers(0, 256, (142, 32, 32, 3), dtype=np.uint8)
    np.savez("images.npz", x=pixels, y=np.arange(142) % 10)
    taken, said = taken_and_said("train-cnn", "images.npz", *network)
    assert said / 1.25 < taken < 1.25 * said


@pytest.mark.parametrize("data", ["shapes:count=1000", "digit-strings:count=500"])
def test_a_captioner_takes_it_too_with_what_it_says_and_what_is_beside_it(folder, data):
    taken, said = taken_and_said("train-captioner", data)
    assert said / 1.25 < taken < 1.25 * said


def taken_and_said(*call: str) -> tuple[float, float]:
    """Of the first process all that it takes, of those that train along what is theirs alone."""
    run = [*COMMAND, *call, "--epochs", "1"]
    taken: dict[int, int] = {}
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            there = {process.pid: kilobytes(process.pid, "status", "VmHWM")}
            for child in children(process.pid):
                there[child] = kilobytes(child, "smaps_rollup", "Private_")
            taken |= {each: max(taken.get(each, 0), most) for each, most in there.items()}
            time.sleep(0.005)
        said = process.stderr.read().decode()
    assert process.returncode == 0, said
    number, unit = re.search(r"about ([\d.]+) (MB|GB) of memory", said).groups()
    expected = float(number) * {"MB": 1e6, "GB": 1e9}[unit]
    count = 2 if "in 2 processes" in said and available_cores() > 1 else 1
    assert len(taken) == count
    return 1024 * sum(taken.values()), expected
