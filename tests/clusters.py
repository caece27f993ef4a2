"""A Dask scheduler and workers as processes on 127.0.0.1, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from distributed import Client

ONCE = """
import os, sys, threading
if "{name}" not in sys.modules:  # preloads are loaded twice
    sys.modules["{name}"] = sys
    timer = threading.Timer({seconds}, os._exit, [9])
    timer.daemon = True
    timer.start()
"""
"""What a process runs once as it begins; what a test leaves behind ends by itself."""


class Cluster:
    """Processes that begin in a folder of their own, and end with this."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.workers: list[subprocess.Popen] = []
        self._count = 0
        preload = self.script("scheduler.py", "")
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show",
            "--scheduler-file", str(self.file), "--preload", preload,
        )  # fmt: skip
        until(self._is_up, self.scheduler)
        self.address = json.loads(self.file.read_text())["address"]

    def _is_up(self) -> bool:
        return self.file.exists() and self.file.read_text().rstrip().endswith("}")

    def script(self, name: str, code: str, seconds: float = 300) -> str:
        """A file that a process runs as it begins."""
        path = self.folder / name
        path.write_text(ONCE.format(name=name, seconds=seconds) + textwrap.indent(code, "    "))
        return str(path)

    def _start(self, what: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
        with open(self.folder / f"{what}{self._count}.log", "wb") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log
            )

    def add_worker(self, code: str = "") -> subprocess.Popen:
        """A worker without anybody who would start it anew; code: what it runs as it begins."""
        self._count += 1
        preload = self.script(f"worker{self._count}.py", code)
        worker = self._start(
            "worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard",
            "--memory-limit", "0", "--preload", preload, "--name", f"w{self._count}",
            "--death-timeout", "3",
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, count: int) -> None:
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=30)

    def run(self, function: Callable[..., object]) -> list[object]:
        """What a function gives in every worker, which is ``dask_worker`` where it has one."""
        with Client(self.address, set_as_default=False) as client:
            return [*client.run(function).values()]

    def end(self, *processes: subprocess.Popen) -> None:
        """Kill these, or all."""
        for process in processes or (*self.workers, self.scheduler):
            process.send_signal(signal.SIGKILL)
            process.wait()
            if process in self.workers:
                self.workers.remove(process)


def until(is_so: Callable[[], bool], process: subprocess.Popen, seconds: float = 30) -> None:
    """Wait for something, which a process brings about."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)
