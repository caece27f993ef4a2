"""Sweeps on a real Dask cluster, whose workers are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from processes import COMMAND, run_here

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

from clusters import Cluster, until  # noqa: E402

TRAIN = ["train-cnn", "set.npz", "--layers", "conv 2 3x3; relu; dense 2", "--epochs", "40"]
SWEEP = ["sweep", *TRAIN, "--seed", "0..2", "-o", "out", "--cluster"]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    np.savez("set.npz", x=rng.integers(0, 256, (60, 8, 8), dtype=np.uint8), y=np.arange(60) % 2)
    (tmp_path / "cluster").mkdir()
    cluster = Cluster(tmp_path / "cluster")
    yield cluster
    cluster.end()


def test_killed_workers_and_ctrl_c_change_no_model(cluster):
    first = cluster.add_worker()
    sweep = subprocess.Popen([*COMMAND, *SWEEP, cluster.address], stderr=subprocess.PIPE, text=True)
    until(Path("out/seed=0/model.npz").exists, sweep)
    cluster.add_worker()
    cluster.wait_for_workers(2)
    cluster.end(first)
    until(Path("out/seed=1/model.npz").exists, sweep)
    sweep.send_signal(signal.SIGINT)
    said = sweep.communicate(timeout=60)[1]
    assert (sweep.returncode, said.splitlines()[-1]) == (130, "interrupted")
    done = run_here(*SWEEP, cluster.address, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["settings"][0]["count"] == 3
    for seed in "01":
        words = [*TRAIN, "--processes", "1", "--seed", seed, "-q", "-f"]
        assert run_here(*words).code == 0
        assert Path("model.npz").read_bytes() == Path(f"out/seed={seed}/model.npz").read_bytes()
