"""Layers forward and backward side by side with PyTorch, on as many threads.

    python benchmarks/layers.py [--rounds 15]

Below stands what the machine needs at least: for the products of a convolution at its own peak,
which takes part in the race, or to read the maps of a pool and write its result. Maps and gradients
lie in memory as each one's own layers leave them: ours with the samples innermost, but for the
images that a network begins with. PyTorch (`pip install "cnntool[bench]"`) is left out where it is
missing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import tracemalloc
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from harness import SGEMM_FLOPS, TURN, Machine, print_machine, race, report, sgemm, turns

from cnntool.engine import convolution, pooling
from cnntool.engine.fast.layout import batch_last
from cnntool.engine.fast.threads import available_cores

try:
    torch = importlib.import_module("torch")
except ImportError:
    torch = None

CORES = available_cores()
PEAK = "sgemm peak"


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def gradients(y, leaves, dy) -> Callable[[], object]:
    """PyTorch's way back from y, as often as it is called."""
    leaves = [leaf for leaf in leaves if leaf.requires_grad]
    return lambda: torch.autograd.grad(y, leaves, torch.from_numpy(dy), retain_graph=True)


def time_convolution(
    title: str, x_shape, weight_shape, rounds: int, *, padding: int = 0, need_dx: bool = True
) -> None:
    x, weight, bias = random(*x_shape), random(*weight_shape), random(weight_shape[0])
    maps = batch_last(x) if need_dx else x
    y, cache = convolution.conv2d(maps, weight, bias, padding=padding)
    dy = random(*y.shape)
    gradient = batch_last(dy)
    forward = {"cnntool": lambda: convolution.conv2d(maps, weight, bias, padding=padding)}
    backward = {"cnntool": lambda: convolution.conv2d_backward(gradient, cache, need_dx=need_dx)}
    if torch:
        leaves = [torch.from_numpy(a).requires_grad_() for a in (x, weight, bias)]
        leaves[0].requires_grad_(need_dx)
        conv2d = torch.nn.functional.conv2d
        forward["PyTorch"] = lambda: conv2d(*leaves, padding=padding)
        backward["PyTorch"] = gradients(conv2d(*leaves, padding=padding), leaves, dy)
    flops = 2 * y.size * weight[0].size
    for name, contenders, factor in (("forward", forward, 1), ("backward", backward, 1 + need_dx)):
        timings = race({**turns(contenders), PEAK: sgemm(CORES)}, rounds)
        peak = CORES * SGEMM_FLOPS / timings.pop(PEAK).median
        limit = factor * TURN * flops / peak, "products, at the peak"
        report(f"{title}, {name}, {TURN} times", timings, *limit)


def time_pool(machine: Machine, title: str, x_shape, size: int, stride: int, rounds: int) -> None:
    x = random(*x_shape)
    maps = batch_last(x)
    y, cache = pooling.max_pool2d(maps, size, stride)
    dy = random(*y.shape)
    gradient = batch_last(dy)
    forward = {"cnntool": lambda: pooling.max_pool2d(maps, size, stride)}
    backward = {"cnntool": lambda: pooling.max_pool2d_backward(gradient, cache)}
    if torch:
        leaf = torch.from_numpy(x).requires_grad_()
        max_pool2d = torch.nn.functional.max_pool2d
        forward["PyTorch"] = lambda: max_pool2d(leaf, size, stride)
        backward["PyTorch"] = gradients(max_pool2d(leaf, size, stride), [leaf], dy)
    limit = machine.moved(TURN * (x.nbytes + dy.nbytes))
    report(f"{title}, forward, {TURN} times", race(turns(forward), rounds), *limit)
    report(f"{title}, backward, {TURN} times", race(turns(backward), rounds), *limit)


def time_lenet(rounds: int, batch: int = 64) -> None:
    """The two convolutions and pools of LeNet-5, there and back, without the layers between."""
    x = random(batch, 1, 32, 32)
    weights = [random(6, 1, 5, 5), random(16, 6, 5, 5)]
    biases = [random(6), random(16)]
    dy = random(batch, 16, 5, 5)

    def ours() -> None:
        a, conv1 = convolution.conv2d(x, weights[0], biases[0])
        a, pool1 = pooling.max_pool2d(a, 2)
        a, conv2 = convolution.conv2d(a, weights[1], biases[1])
        _, pool2 = pooling.max_pool2d(a, 2)
        d = pooling.max_pool2d_backward(dy, pool2)
        d, *_ = convolution.conv2d_backward(d, conv2)
        d = pooling.max_pool2d_backward(d, pool1)
        convolution.conv2d_backward(d, conv1, need_dx=False)

    contenders = {"cnntool": ours}
    if torch:
        functional = torch.nn.functional
        leaves = [torch.from_numpy(a).requires_grad_() for a in (*weights, *biases)]
        images, gradient = torch.from_numpy(x), torch.from_numpy(dy)

        def by_torch() -> None:
            a = functional.max_pool2d(functional.conv2d(images, leaves[0], leaves[2]), 2)
            a = functional.max_pool2d(functional.conv2d(a, leaves[1], leaves[3]), 2)
            torch.autograd.grad(a, leaves, gradient)

        contenders["PyTorch"] = by_torch
    title = f"LeNet-5's convolutions and max pools, {TURN} times at batch {batch}, there and back"
    report(title, race(turns(contenders), rounds))


def measure_memory() -> None:
    print("\npeak memory of a 64 -> 64 convolution of 32 x 32 maps beside input and results")
    weight = random(64, 64, 3, 3)
    for batch in (4, 16, 64):
        x = random(batch, 64, 32, 32)
        convolution.conv2d(x[:1], weight, padding=1)
        tracemalloc.start()
        y, cache = convolution.conv2d(x, weight, padding=1)
        forward = tracemalloc.get_traced_memory()[1] - y.nbytes
        dx, dweight, _ = convolution.conv2d_backward(y, cache)
        results = y.nbytes + dx.nbytes + dweight.nbytes
        backward = tracemalloc.get_traced_memory()[1] - results
        tracemalloc.stop()
        print(f"  batch {batch:<3} {forward / 1e6:5.1f} MB forward, {backward / 1e6:5.1f} backward")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    machine = print_machine(CORES)
    if torch:
        torch.set_num_threads(CORES)
    shapes = (16, 64, 32, 32), (64, 64, 3, 3)
    time_convolution("conv 64 -> 64, 3x3, on 16 x 32 x 32", *shapes, rounds, padding=1)
    time_convolution("LeNet-5 C1 at batch 64", (64, 1, 32, 32), (6, 1, 5, 5), rounds, need_dx=False)
    time_convolution("LeNet-5 C3 at batch 64", (64, 6, 14, 14), (16, 6, 5, 5), rounds)
    time_lenet(rounds)
    time_pool(machine, "max pool 2x2 on 16 x 64 x 112 x 112", (16, 64, 112, 112), 2, 2, rounds)
    time_pool(machine, "max pool 2x2 on 64 x 16 x 32 x 32", (64, 16, 32, 32), 2, 2, rounds)
    time_pool(
        machine, "max pool 3x3, stride 2, on 16 x 64 x 55 x 55", (16, 64, 55, 55), 3, 2, rounds
    )
    measure_memory()


if __name__ == "__main__":
    main()
