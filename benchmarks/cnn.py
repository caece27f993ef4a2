"""Training and using a CNN side by side with PyTorch, on as many cores.

    python benchmarks/cnn.py [--rounds 15] [--data FOLDER] [--only steps|command|memory]

``steps`` times training steps (forward, loss, backward, Adam) and inference of ``lenet``, and steps
of the two usual networks, on the same random images of 28 x 28, in turn with PyTorch's eager mode.
``command`` runs one epoch of the whole ``cnntool train-cnn`` against a plain PyTorch script with a
DataLoader, start-up included, over ``--data`` (a folder in IDX layout) or made digits of that size.
``memory`` is the peak of the same.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import os
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import numpy as np
from harness import (
    TURN,
    Machine,
    command_seconds,
    peak_megabytes,
    print_machine,
    race,
    report,
    turns,
)

from cnntool.datasets.feeds import ImageFeed
from cnntool.datasets.images.dataset import Dataset
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.engine.fast.threads import available_cores
from cnntool.networks.summary import multiply_adds
from cnntool.networks.zoo import build
from cnntool.training.loop import Step, Trainer
from cnntool.training.measures import ACCURACY
from cnntool.training.settings import Settings
from cnntool.training.shards import CAN_FORK
from cnntool.training.task import Task

try:
    torch = importlib.import_module("torch")
except ImportError:
    torch = None

CORES = available_cores()

TORCH_SCRIPT = """
import sys, gzip, struct, numpy as np, torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
def read(path):
    data = gzip.open(path).read()
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
folder, batch = sys.argv[1], int(sys.argv[2])
x = torch.from_numpy(read(folder + "/train-images-idx3-ubyte.gz").copy())[:, None].float() / 255
y = torch.from_numpy(read(folder + "/train-labels-idx1-ubyte.gz").astype(np.int64))
x = (x - x.mean()) / x.std()
torch.manual_seed(0)
cut = len(x) // 10
net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
    nn.Linear(84, 10))
optimizer = torch.optim.Adam(net.parameters(), 0.002)
for images, labels in DataLoader(TensorDataset(x[cut:], y[cut:]), batch, shuffle=True):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(images), labels).backward()
    optimizer.step()
with torch.no_grad():
    print((net(x[:cut]).argmax(1) == y[:cut]).float().mean().item())
torch.save(net.state_dict(), sys.argv[3])
"""


def random_digits(count: int) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)
    return Dataset(x, rng.integers(0, 10, count), tuple("0123456789"), "random")


def our_steps(name: str, batch: int, shards: int) -> tuple[Trainer, Callable[[], object]]:
    """A trainer of a named network on random digits, and what takes its next step."""
    network = build(name, (1, 28, 28), 10).initialise(np.random.default_rng(0))
    preprocessing = Preprocessing(1, (28, 28), (0.5,), (0.3,))
    settings = Settings(epochs=10**6, batch_size=batch, shards=shards, schedule="constant")
    feed = ImageFeed(random_digits(8 * batch), preprocessing, batch)
    trainer = Trainer(Task("cnn", network, feed, None, settings, ACCURACY))
    events = trainer.run()

    def step() -> None:
        while not isinstance(next(events), Step):
            pass

    return trainer, step


def torch_network(name: str):
    """The same layers as ``build`` makes of the name."""
    nn = torch.nn

    def normalised(maps: int, filters: int) -> list:
        convolution = nn.Conv2d(maps, filters, 3, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(filters), nn.ReLU()]

    pool, relu = nn.MaxPool2d(2), nn.ReLU()
    if name == "lenet":
        first = [nn.Conv2d(1, 6, 5, padding=2), relu, pool, nn.Conv2d(6, 16, 5), relu, pool]
        dense = [nn.Linear(400, 120), relu, nn.Linear(120, 84), relu, nn.Linear(84, 10)]
        return nn.Sequential(*first, nn.Flatten(), *dense)
    if name == "light":
        first = [nn.Conv2d(1, 16, 5, padding=2), relu, pool, nn.Conv2d(16, 32, 3), relu, pool]
        return nn.Sequential(*first, nn.Flatten(), nn.Linear(1152, 96), relu, nn.Linear(96, 10))
    stages = [normalised(1, 16), normalised(16, 16), [pool], normalised(16, 32), [pool]]
    layers = [layer for stage in (*stages, normalised(32, 64)) for layer in stage]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def torch_steps(name: str, batch: int) -> Callable[[], object]:
    """PyTorch's step on the same images, which it holds as floats already."""
    data = random_digits(8 * batch)
    x = torch.from_numpy((data.x / np.float32(255) - np.float32(0.5)) / np.float32(0.3))
    y = torch.from_numpy(data.y)
    network = torch_network(name)
    optimizer = torch.optim.Adam(network.parameters(), 0.002)

    def step() -> None:
        indices = torch.randint(len(x), (batch,))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x[indices]), y[indices]).backward()
        optimizer.step()

    return step


def time_steps(machine: Machine, name: str, batch: int, rounds: int) -> None:
    shards = CORES if CAN_FORK else 1
    trainer, step = our_steps(name, batch, shards)
    with trainer:
        contenders = {"cnntool": step, "cnntool, one process": our_steps(name, batch, 1)[1]}
        if torch:
            contenders["PyTorch"] = torch_steps(name, batch)
        limit = machine.products(6 * TURN * batch * multiply_adds(trainer.task.network))
        title = f"{TURN} training steps of {name} at batch {batch}"
        report(title, race(turns(contenders), rounds), *limit)


def time_inference(machine: Machine, name: str, batch: int, rounds: int) -> None:
    x = np.random.default_rng(0).normal(size=(batch, 1, 28, 28)).astype(np.float32)
    network = build(name, x.shape[1:], 10).initialise(np.random.default_rng(0))
    contenders = {"cnntool": lambda: network.predict(x)}
    if torch:
        peer, images = torch_network(name).eval(), torch.from_numpy(x)

        def infer() -> None:
            with torch.no_grad():
                peer(images)

        contenders["PyTorch"] = infer
    limit = machine.products(2 * TURN * batch * multiply_adds(network))
    title = f"inference of {TURN} batches of {batch} by {name}"
    report(title, race(turns(contenders), rounds), *limit)


def write_digits(folder: Path, count: int = 10_000) -> None:
    """Images with something to learn, in MNIST's files."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, count).astype(np.uint8)
    prototypes = rng.random((10, 7, 7)).repeat(4, 1).repeat(4, 2)
    x = (prototypes[y] * 155 + rng.integers(0, 100, (count, 28, 28))).astype(np.uint8)
    for name, array in (("train-images-idx3-ubyte", x), ("train-labels-idx1-ubyte", y)):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / f"{name}.gz").write_bytes(gzip.compress(header + array.tobytes(), 1))


def commands(folder: str, scratch: Path) -> dict[str, list[str]]:
    """One epoch over a folder in IDX layout, a tenth held out, by each."""
    installed = Path(sys.executable).with_name("cnntool")
    start = [str(installed)] if installed.exists() else [sys.executable, "-m", "cnntool"]
    options = ["--network", "lenet", "--epochs", "1", "--optimizer", "adam", "--batch-size", "64"]
    options += ["-qf", "-o", str(scratch / "model.npz")]
    found = {"cnntool train-cnn": [*start, "train-cnn", folder, *options]}
    if torch:
        script = scratch / "plain.py"
        script.write_text(TORCH_SCRIPT)
        found["PyTorch script"] = [sys.executable, str(script), folder, "64", str(scratch / "m.pt")]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data")
    parser.add_argument("--only", choices=["steps", "command", "memory"])
    options = parser.parse_args()
    machine = print_machine(CORES)
    if torch:
        torch.set_num_threads(CORES)
    if options.only in (None, "steps"):
        for batch in (64, 256):
            time_steps(machine, "lenet", batch, options.rounds)
            time_inference(machine, "lenet", batch, options.rounds)
        for name in ("light", "small"):
            time_steps(machine, name, 64, options.rounds)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if not options.data:
            write_digits(scratch)
        contenders = commands(options.data or name, scratch)
        if options.only in (None, "command"):
            runs = {name: command_seconds(command) for name, command in contenders.items()}
            report("an epoch over 9,000 digits, start-up included", race(runs, 5))
        if options.only in (None, "memory"):
            print("\npeak memory of that")
            for name, command in contenders.items():
                print(f"  {name:<28} {peak_megabytes(command):6.0f} MB")


if __name__ == "__main__":
    main()
