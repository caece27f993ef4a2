"""A bar while the images of a folder are read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def reading(source: str, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yields what a loader tells its progress, (done, all); shown on stderr, on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    from cnntool.cli.console import console

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"reading {source}", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
