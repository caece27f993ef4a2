"""What training takes of memory, and what does not fit."""

from __future__ import annotations

from math import prod

from cnntool.datasets.memory import check_free, size_text
from cnntool.networks.layers.layer import total
from cnntool.networks.layers.recurrent import GATES
from cnntool.networks.network import Network
from cnntool.training.task import Task

FLOAT = 4
"""Bytes."""


def task_bytes(task: Task) -> int:
    """Of parameters with all that is kept of each (gradients of every process, the optimizer's
    vectors), and of what a step keeps."""
    parameters = sum(array.nbytes for array in task.network.params.values())
    return parameters * (4 + task.settings.shards) + step_bytes(task)


def step_bytes(task: Task) -> int:
    """Of what the layers before the last give for a batch, and of the gradients by it; cells keep
    their gates too."""
    network = task.network
    values = prod(size for size in network.input_shape if size) if network.input_shape[0] else 0
    for layer, output in zip(network.layers[:-1], network.shapes[1:-1], strict=True):
        gates = GATES.get(layer.kind)
        values += prod(size for size in output if size) * (2 + gates if gates else 1)
    return 2 * FLOAT * next(task.feed.batches()).samples * values


def check_step(task: Task, remedy: str) -> None:
    """InputError where what a step keeps would not fit."""
    needed = step_bytes(task)
    check_free(needed, f"a step of {task.feed.step_text} needs {size_text(needed)}", remedy)


def check_parameters(network: Network, remedy: str) -> None:
    """InputError where parameters, gradients and the optimizer's vectors would not fit."""
    count = total(network.parameters())
    needed = 5 * FLOAT * count
    check_free(needed, f"{count:,} parameters need {size_text(needed)} to be trained", remedy)
