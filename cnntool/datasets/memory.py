"""How much memory is free, and what does not fit into it."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

from cnntool.errors import InputError
from cnntool.wording import bytes_text, counted, shape_text


def check_fits(name: str, count: int, shape: tuple[int, ...], item_size: int) -> None:
    """InputError when ``count`` arrays of ``shape`` with items of so many bytes exceed the memory
    that is free, before any of it is asked for."""
    images = f"{counted(count, 'image')} of {shape_text(shape)}"
    needed = count * math.prod(shape) * item_size
    text = f"{name} would need {bytes_text(needed)} for {images}"
    check_free(needed, text, "use smaller images (--resize) or fewer")


def check_free(needed: int, text: str, remedy: str) -> None:
    """InputError where so many bytes are not free; ``text`` says what needs them, and how many."""
    free = free_memory()
    if free is not None and needed > free:
        raise InputError(f"{text}, and {bytes_text(free)} of memory is free: {remedy}")


def free_memory() -> int | None:
    """Bytes that can be taken without swapping; None where the system does not say.

    Source: MemAvailable of proc(5), memory.max and memory.current of cgroups(7); elsewhere the
    whole memory of the machine.
    """
    limits = []
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):  # 'max' is no number: no limit
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        limits.append(max(0, limit - int((group / "memory.current").read_text())))
    if not limits and hasattr(os, "sysconf"):
        with suppress(OSError, ValueError):
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=None)
