"""Run every benchmark, and write what was measured into tables, in Markdown and JSON.

    python benchmarks/all.py [--output FOLDER] [--only filters,layers,cnn,lstm,sequences,scale]

On an idle machine it takes less than ten minutes. Ratios hold between contenders that took turns in
one run; seconds are those of the machine that stands above the tables, with its load.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import ROWS

HERE = Path(__file__).parent
BENCHMARKS = {
    "filters": ["--rounds", "5"],
    "layers": ["--rounds", "7"],
    "cnn": ["--rounds", "7", "--only", "steps"],
    "lstm": ["--rounds", "5"],
    "sequences": ["--rounds", "5"],
    "scale": ["--photographs", "500", "--megapixels", "64", "--rounds", "1"],
}
"""Each with rounds enough to tell a tenth, so that all take less than ten minutes."""


def processor() -> str:
    """The name of the machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


def measured(name: str) -> list[dict[str, Any]]:
    """What a benchmark puts down; it prints as ever."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        command = [sys.executable, str(HERE / f"{name}.py"), *BENCHMARKS[name]]
        subprocess.run(command, env={**os.environ, ROWS: str(path)}, check=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) | {"benchmark": name} for line in lines]


def heading(machine: dict[str, Any]) -> str:
    """The machine, its peak and its load."""
    peak = machine.get("peak", {})
    return (
        f"{machine['processor']}, {peak.get('cores', os.cpu_count())} cores: sgemm "
        f"{peak.get('gflops_of_one', 0):.0f} GFLOP/s on one, {peak.get('gflops_of_all', 0):.0f} on "
        f"all, copy {peak.get('copied_gb_a_second', 0):.1f} GB/s; load "
        f"{machine['load_before']:.2f} before, {machine['load_after']:.2f} after; "
        f"Python {machine['python']}, NumPy {machine['numpy']}"
    )


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """A row a contender, its time as a multiple of ours, and one of what the machine needs."""
    lines = [
        "| work | contender | seconds | of ours | CPU s | MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ours = next(iter(row["seconds"].values()))
        limit = {f"limit: {row['limit_of']}": row["limit"]} if "limit" in row else {}
        for contender, seconds in (row["seconds"] | limit).items():
            cpu, memory = (row.get(kind, {}).get(contender) for kind in ("cpu", "megabytes"))
            others = [f"{cpu:.2g}" if cpu else "", f"{memory:.0f}" if memory else ""]
            cells = [row["title"], contender, f"{seconds:.3g}", f"{seconds / ours:.2f}", *others]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def as_ratios(rows: list[dict[str, Any]]) -> str:
    """A row a work: each peer's time over ours, and the share of it that the machine needs."""
    lines = ["| work | others' time over ours | limit over ours |", "| --- | --- | --- |"]
    for row in rows:
        ours, *others = row["seconds"].values()
        names = list(row["seconds"])[1:]
        ratios = [f"{n.strip()} {t / ours:.2f}" for n, t in zip(names, others, strict=True)]
        limit = f"{row['limit'] / ours:.2f}" if "limit" in row else ""
        lines.append(f"| {row['title']} | {', '.join(ratios)} | {limit} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--only", default=",".join(BENCHMARKS))
    options = parser.parse_args()
    import numpy as np

    machine: dict[str, Any] = {
        "processor": processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
    }
    start, rows = time.perf_counter(), []
    for name in options.only.split(","):
        begun = time.perf_counter()
        rows += measured(name)
        print(f"\n{name}.py: {time.perf_counter() - begun:.0f} s\n")
    machine["seconds"] = time.perf_counter() - start
    machine["load_after"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    machine["peak"] = next((row["machine"] for row in rows if "machine" in row), {})
    rows = [row for row in rows if "seconds" in row]
    options.output.mkdir(parents=True, exist_ok=True)
    found = {"machine": machine, "rows": rows}
    (options.output / "results.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    for name, text in (("results", as_markdown(rows)), ("ratios", as_ratios(rows))):
        path = options.output / f"{name}.md"
        path.write_text(f"{heading(machine)}\n\n{text}", encoding="utf-8")
    print(f"\n{options.output / 'ratios.md'} after {machine['seconds']:.0f} s")


if __name__ == "__main__":
    main()
