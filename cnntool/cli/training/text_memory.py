"""What training a language model takes of memory, and what does not fit."""

from __future__ import annotations

from cnntool.datasets.memory import free_memory, size_text
from cnntool.errors import InputError
from cnntool.networks.language_spec import GATES, Architecture
from cnntool.networks.layers.layer import total
from cnntool.training.text_task import TextTask
from cnntool.wording import counted


def window_bytes(architecture: Architecture, tokens: int) -> int:
    """What a step keeps of the units of all layers, for a window of so many tokens."""
    units = architecture.layers * architecture.hidden_size * (4 + 2 * GATES[architecture.cell])
    return 4 * tokens * units


def check_window(task: TextTask) -> None:
    """InputError where what a step keeps of a window would not fit."""
    rows, columns = task.settings.batch_size, min(task.windows.seq_length, task.windows.steps)
    needed, free = window_bytes(task.network.architecture, rows * columns), free_memory()
    if free is not None and needed > free:
        raise InputError(
            f"a step of {counted(rows, 'row')} x {counted(columns, 'token')} needs "
            f"{size_text(needed)}, and {size_text(free)} of memory is free: set a smaller "
            "--seq-length, --batch-size or --hidden-size"
        )


def check_parameters(architecture: Architecture) -> None:
    """InputError where parameters, gradients and the optimizer's vectors would not fit."""
    count = total(architecture.parameters())
    needed, free = 4 * 5 * count, free_memory()
    if free is not None and needed > free:
        raise InputError(
            f"{count:,} parameters need {size_text(needed)} to be trained, and {size_text(free)} "
            "of memory is free: set a smaller --hidden-size, --embed-size or --vocab-size"
        )
