"""What a file may make us allocate, and what else the caller wants of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cnntool.errors import InputError

MAX_PIXELS = 500_000_000
REMEDY = (
    "raise the limit with --max-pixels; where a command has none, cnntool pool has, and makes it "
    "smaller"
)
LARGE_TILE = 1 << 24
"""Pixels of a tile that any picture may have; decoders make room for all of it."""
DEFLATED = 1032
"""Bytes that deflate makes of one at the most. Source: zlib's manual, "Technical details"."""
PIXEL_BYTES, OTHER_BYTES = 32, 1 << 26
"""A file may have so many bytes for each pixel it may have (numbers as text take the most), and as
many for all else."""


class Limits(NamedTuple):
    """The most pixels of a file, the name to call it by in messages, and how it is read."""

    name: str
    max_pixels: int = MAX_PIXELS
    gray: bool = False
    float_white: float = 255.0
    format: str = ""

    def check_size(
        self, width: int, height: int, frames: int = 1, pixels: int | None = None
    ) -> None:
        """InputError for an image without pixels or with more than we may decode.

        pixels: of all frames, where not each of them is width x height.
        """
        if width < 1 or height < 1 or frames < 1:
            raise InputError(f"{self.name} has no pixels: it is {width} x {height}")
        times = f" x {frames} frames" if frames > 1 else ""
        pixels = width * height * frames if pixels is None else pixels
        self._check_pixels(pixels, f"is {width} x {height}{times}")

    def check_tile(self, width: int, height: int, picture: tuple[int, int]) -> None:
        """InputError for a tile that is large, and has more than twice the picture's pixels."""
        across, down = picture
        if width * height > max(LARGE_TILE, 2 * across * down):
            raise InputError(
                f"{self.name} has tiles of {width} x {height} for a picture of {across} x {down}: "
                "save it with smaller tiles"
            )

    def check_channels(self, width: int, height: int, channels: int) -> None:
        """InputError for values of more than four channels that are as many as of more pixels."""
        what = f"is {width} x {height} with {channels:,} channels, four of which count as one,"
        self._check_pixels(width * height * -(-channels // 4), what)

    def check_bytes(self, count: int) -> None:
        """InputError for a file that is longer than a picture within the limit can be."""
        most = PIXEL_BYTES * self.max_pixels + OTHER_BYTES
        if count > most:
            raise InputError(
                f"{self.name} has more than {most:,} bytes, as many as {self.max_pixels:,} pixels "
                f"can take: {REMEDY}"
            )

    def _check_pixels(self, pixels: int, what: str) -> None:
        if pixels > self.max_pixels:
            raise InputError(
                f"{self.name} {what} = {pixels:,} pixels, over the limit of "
                f"{self.max_pixels:,}: {REMEDY}"
            )


def resident_memory() -> int | None:
    """Bytes of memory that this process has; None where the system does not say.

    Source: VmRSS of proc(5).
    """
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])
    return None


def address_space_left() -> int | None:
    """Bytes that this process may still map under ``ulimit -v``; None without that limit.

    Source: RLIMIT_AS of getrlimit(2), the first number of statm of proc(5).
    """
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        if limit != resource.RLIM_INFINITY:
            return max(0, limit - pages * resource.getpagesize())
    return None


def free_memory() -> int | None:
    """Bytes that can be taken without swapping, and under ``ulimit -v``; None where the system does
    not say.

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
    if (left := address_space_left()) is not None:
        limits.append(left)
    return min(limits, default=None)
