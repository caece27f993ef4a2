"""Timing side by side: contenders take turns, so that a change of the machine's speed hits all."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cnntool.engine.fast.threads import parallel_for


@dataclass(frozen=True)
class Timing:
    """Seconds of every round, and the processor's seconds in them, of all threads and children."""

    seconds: tuple[float, ...]
    cpu: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        scale, unit = (1, "s") if self.median >= 1 else (1e3, "ms")
        low, high = min(self.seconds) * scale, max(self.seconds) * scale
        return f"{self.median * scale:.3g} {unit} ({low:.3g}-{high:.3g})"


REST = 0.02
"""Seconds before each turn: idle threads of the one before spin for a while, on a core that the
next one needs, and are then asleep."""


def race(
    contenders: dict[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Run all contenders once to warm up, then in turn, ``rounds`` times, each after a rest; by the
    clock on the wall, or that of this process, ``time.process_time``."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender()
    for _ in range(rounds):
        for name, contender in contenders.items():
            time.sleep(REST)
            start, begun = clock(), cpu_seconds()
            contender()
            seconds[name].append(clock() - start)
            cpu[name].append(cpu_seconds() - begun)
    return {name: Timing(tuple(seconds[name]), tuple(cpu[name])) for name in contenders}


def cpu_seconds() -> float:
    """Of this process, the children that have ended and, where Linux tells, those that run."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    running = children.read_text(encoding="utf-8").split() if children.exists() else []
    return sum(os.times()[:4]) + sum(map(_cpu_seconds_of, running))


def _cpu_seconds_of(child: str) -> float:
    text = Path(f"/proc/{child}/stat").read_text(encoding="utf-8")
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


TURN = 20
"""Calls of a short contender in a turn: the first of them has to wake threads."""


def turns(contenders: dict[str, Callable[[], object]]) -> dict[str, Callable[[], object]]:
    """Each contender ``TURN`` times in a row, its results thrown away as they come."""

    def repeated(call: Callable[[], object]) -> Callable[[], None]:
        def turn() -> None:
            for _ in range(TURN):
                call()

        return turn

    return {name: repeated(call) for name, call in contenders.items()}


ROWS = "CNNTOOL_BENCHMARK_ROWS"
"""The variable that names a file which has a line of JSON for whatever is measured."""


def record(**facts: object) -> None:
    """Put down what was measured, where that is asked for."""
    if path := os.environ.get(ROWS):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


def report(title: str, timings: dict[str, Timing], limit: float = 0, limit_of: str = "") -> None:
    """Print a row a contender, with each peer's time as a multiple of ours, the first; and below
    them the seconds that the machine needs at least, of what."""
    ours = next(iter(timings.values())).median
    cpu = {name: statistics.median(timing.cpu) for name, timing in timings.items() if timing.cpu}
    facts: dict[str, object] = {"limit": limit, "limit_of": limit_of} if limit else {}
    seconds = {name: timing.median for name, timing in timings.items()}
    record(title=title, seconds=seconds, cpu=cpu, **facts)
    print(f"\n{title}")
    for name, timing in timings.items():
        used = f"{cpu[name]:8.2f} CPU s" if name in cpu else ""
        print(f"  {name:<28} {timing!s:<28} {timing.median / ours:6.2f} x ours {used}")
    if limit:
        print(f"  {limit_of:<28} {Timing((limit,))!s:<28} {limit / ours:6.2f} x ours")


SGEMM_FLOPS = 2 * 1024**3


def sgemm(threads: int) -> Callable[[], None]:
    """The machine's peak: every thread multiplies matrices of ``SGEMM_FLOPS``, BLAS on one."""
    operands = [np.random.default_rng(i).normal(size=(1024, 1024)).astype("f") for i in range(2)]
    products = [np.empty_like(operands[0]) for _ in range(threads)]

    def run() -> None:
        parallel_for(products, lambda: lambda out: np.matmul(*operands, out=out), threads)

    return run


@dataclass(frozen=True)
class Machine:
    """What this machine can do at best: matrix products, and copies."""

    cores: int
    gflops_of_one: float
    gflops_of_all: float
    copied_gb_a_second: float  # read and written

    def products(self, flops: float) -> tuple[float, str]:
        """The seconds that products take on all cores, and what they are, for a report."""
        return flops / self.gflops_of_all / 1e9, "products, at the peak"

    def moved(self, count: float) -> tuple[float, str]:
        """The seconds in which one core reads or writes so many bytes of memory."""
        return count / self.copied_gb_a_second / 1e9, "bytes, read and written once"


def print_machine(threads: int) -> Machine:
    """Measure it on one core and on all."""
    large = np.zeros(64 << 20, np.uint8)
    times = race({"one": sgemm(1), "all": sgemm(threads), "copy": large.copy}, 9)
    machine = Machine(
        threads,
        SGEMM_FLOPS / times["one"].median / 1e9,
        threads * SGEMM_FLOPS / times["all"].median / 1e9,
        2 * large.nbytes / times["copy"].median / 1e9,
    )
    record(machine=asdict(machine))
    print(
        f"{threads} cores; sgemm {machine.gflops_of_one:.0f} GFLOP/s on one core, "
        f"{machine.gflops_of_all:.0f} on {threads}; copy {machine.copied_gb_a_second:.1f} GB/s"
    )
    return machine


def command_seconds(command: Sequence[str]) -> Callable[[], None]:
    """A contender that runs a command; its output is thrown away, its failure is not.

    Python keeps what it compiles, as after an installation, whatever is said in this shell.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run() -> None:
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode()[-300:]}")

    return run


def peak_megabytes(command: Sequence[str]) -> float:
    """Peak resident memory of a command, in MB (10^6 bytes).

    Started by a small process in between: Linux counts what the starter held as the child's own.
    """
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=True)
    return int(done.stdout) * 1024 / 1e6
