"""One picture whose strips the workers of a cluster make, to the bytes of one made here."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from processes import run_here

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

from clusters import Cluster, until  # noqa: E402

from cnntool.cli.shared_strips import shared_strips  # noqa: E402
from cnntool.cli.strips import write_strips  # noqa: E402
from cnntool.files.image import Frame, Image  # noqa: E402
from cnntool.files.layout import layout_of  # noqa: E402

SLOW = """
import time
import cnntool.cli.shared_strips as shared

make = shared._Making._part

def slow(*arguments):
    time.sleep(0.3)
    return make(*arguments)

shared._Making._part = slow
"""

SMALL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
"""

BLUR = ["convolve", "large.npy", "-k", "gaussian:sigma=2", "-o"]
WORK = {
    "chain": ["convolve", "-k", "gaussian:sigma=2", "-k", "sobel", "--range", "stretch"],
    "bank": ["convolve", "-k", "kirsch", "--combine", "none"],
    "pool": ["pool", "--size", "3", "--mode", "average"],
}


@pytest.fixture
def large(folder, monkeypatch):
    """A picture that goes in strips, and in parts of a few rows, as small as it is."""
    monkeypatch.setattr("cnntool.cli.image_route.is_large_file", lambda path: True)
    monkeypatch.setattr("cnntool.cli.image_route.EASY_BYTES", 0)
    monkeypatch.setattr("cnntool.cli.strips.GOOD_BYTES", 0)
    monkeypatch.setattr("cnntool.cli.shared_strips.PART_BYTES", 1 << 16)
    pixels = np.random.default_rng(0).integers(0, 256, (1800, 700, 3), dtype=np.uint8)
    np.save("large.npy", pixels)


@pytest.fixture
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.end()


def results(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_the_bytes_and_the_words_are_those_of_one_machine(large, cluster):
    for _ in range(2):
        cluster.add_worker()
    cluster.wait_for_workers(2)
    for work, (command, *options) in WORK.items():
        both = []
        for where in ([], ["--cluster", cluster.address]):
            folder = f"{work}-{len(where)}"
            done = run_here(command, "large.npy", *options, "-o", f"{folder}/", "--json", *where)
            assert done.code == 0, done.err
            both.append(done.out.replace(folder.encode(), b"") + done.err.encode())
        assert both[0] == both[1]
        assert results(f"{work}-0") == results(f"{work}-2")


def test_workers_that_are_killed_lose_nothing(large, cluster):
    for _ in range(3):
        cluster.add_worker(SLOW)
    cluster.wait_for_workers(3)
    alone = run_here(*BLUR, "alone.npy")
    assert alone.code == 0

    killed = []

    def kill() -> None:
        for _ in range(2):
            until(lambda: any(Path().glob(".cnntool-parts-*/*")), cluster.scheduler)
            time.sleep(0.3)
            cluster.end(cluster.workers[0])
            killed.append(not Path("out.npy").exists())

    killer = threading.Thread(target=kill)
    killer.start()
    done = run_here(*BLUR, "out.npy", "--cluster", cluster.address)
    killer.join()
    assert killed == [True, True]  # while there was something left to do
    assert (done.code, done.lines) == (0, ["out.npy"]), done.err
    assert Path("out.npy").read_bytes() == Path("alone.npy").read_bytes()
    assert not list(Path().glob(".cnntool*"))


def test_a_worker_whose_disk_is_full_is_told_and_nothing_is_left(large, cluster):
    cluster.add_worker(SMALL_DISK)
    cluster.wait_for_workers(1)
    done = run_here(*BLUR, "out.npy", "--cluster", cluster.address)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "large.npy" in done.err or "out.npy" in done.err
    assert not Path("out.npy").exists()
    assert not list(Path().glob(".cnntool*"))


def test_what_ends_while_it_is_written_leaves_no_parts(tmp_path, monkeypatch):
    """As by Ctrl-C or a full disk here: whoever still makes some is not waited for."""
    go_on = threading.Event()

    @contextmanager
    def one_worker(where, do, items, **others):
        yield do(items)

    def make(start, stop):
        if start:
            go_on.wait(5)
        yield [Frame(np.zeros((stop - start, 3, 1), np.uint8))], None

    monkeypatch.setattr("cnntool.cli.shared_strips.on_cluster", one_worker)
    monkeypatch.setattr("cnntool.cli.shared_strips.PART_BYTES", 1)
    layout = layout_of(Image((Frame(np.zeros((4, 3, 1), np.uint8)),), 255.0, "NPY"))
    strips = shared_strips("local:1", make, [0, 2], [layout], tmp_path)
    kept = {"overwrite": False, "adopt": False, "quality": None}
    with pytest.raises(ValueError, match="expected"):  # of rows that are none of the file's
        write_strips([tmp_path / "a.npy"], [replace(layout, width=4)], strips, ["NPY"], **kept)
    assert os.listdir(tmp_path) == []
    go_on.set()
