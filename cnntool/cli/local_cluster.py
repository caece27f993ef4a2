"""A Dask cluster on this machine, for as long as stdin is open: what ``--cluster local:4`` starts.

    python -m cnntool.cli.local_cluster 4

prints the address of its scheduler. It is a process of its own, in a session of its own, so that
Ctrl-C does not reach the workers, and so that it ends where whoever started it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cnntool.errors import InputError

PATIENCE = 5.0
"""Seconds to end in order."""

IMPORTED = ["distributed", "cnntool.cli.images", "cnntool.imaging.filtering"]

QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "10s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "2s",
    "distributed.admin.tick.limit": "1h",
}
"""Nobody looks at what Dask would measure many times a second: a twentieth of a core."""


@contextmanager
def local_cluster(count: int) -> Iterator[str]:
    """The address of the scheduler of so many new workers, which end with the block."""
    with tempfile.TemporaryFile() as log:
        host = subprocess.Popen(
            [sys.executable, "-m", __name__, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        try:
            import distributed  # noqa: F401  while it is imported there

            assert host.stdout is not None
            address = host.stdout.readline().decode().strip()
            if not address:
                log.seek(0)
                lines = log.read().decode(errors="replace").split("\n")
                said = next((line for line in reversed(lines) if line.strip()), "it says nothing")
                raise InputError(f"no cluster can be started here: {said.strip()}")
            yield address
        finally:
            _end(host)


def _end(host: subprocess.Popen) -> None:
    assert host.stdin is not None
    assert host.stdout is not None
    host.stdin.close()
    try:
        host.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        host.kill()
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(host.pid, signal.SIGKILL)
    host.wait()
    host.stdout.close()


def _serve(count: int) -> None:
    import dask
    from distributed import LocalCluster

    if "forkserver" in multiprocessing.get_all_start_methods():
        _fork_workers()
    with (
        dask.config.set(QUIET),
        LocalCluster(
            n_workers=count, threads_per_worker=1, memory_limit=0, dashboard_address=None
        ) as cluster,
    ):
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


def _fork_workers() -> None:
    """Let workers be forked from a process that has imported all they need: half the time for two,
    a third for four, and one that is killed is there again at once."""
    import dask
    from distributed.utils import get_mp_context

    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context().set_forkserver_preload(IMPORTED)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
