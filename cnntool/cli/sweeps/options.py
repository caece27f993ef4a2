"""What a sweep may be asked, beside the options of its trainer."""

from __future__ import annotations

from dataclasses import dataclass

from cnntool.cli.options import flag, option
from cnntool.cli.sweeps.settings import Setting
from cnntool.cli.types import OutputName, PathName, Spec, WholeNumber, read_cluster


@dataclass(frozen=True)
class Sweep:
    """What is asked of a sweep itself."""

    random: int | None = option(
        "--random",
        WholeNumber(1, 10_000),
        "Draw N settings, each value from its list or range, instead of every combination; each "
        "runs with every --seed.",
    )
    sweep_seed: int = option(
        "--sweep-seed",
        WholeNumber(0, (1 << 63) - 1),
        "Of what is drawn.  [default: 0]",
        default=0,
    )
    output: str | None = option(
        "-o --output",
        OutputName("a folder, such as sweep"),
        "A folder a run is made in, with its model; sweep.jsonl there has a line a run.  "
        "[default: sweep-TRAINER]",
        metavar="FOLDER",
    )
    force: bool = flag(
        "-f --force",
        "Do runs anew whose settings or data are others than those that stand in their folders, "
        "and overwrite the picture.",
    )
    jobs: int | None = option(
        "-j --jobs",
        WholeNumber(1, 256),
        "Runs at a time.  [default: as many as there are cores for their --processes]",
    )
    cluster: str | None = option(
        "--cluster",
        Spec("WHERE", read_cluster),
        "Have the workers of a Dask cluster train, which share the folder: local:4 starts so many "
        "here, tcp://HOST:8786 is the scheduler of those that run. Needs the extra cluster.",
    )
    picture: str | None = option(
        "--picture",
        PathName("a picture, such as sweep.png"),
        "Draw the score against each setting that varies; needs cnntool[charts].",
        metavar="FILE.png",
    )
    dry_run: bool = flag("--dry-run", "List the runs and how long all would take; do none.")
    as_json: bool = flag("--json", "Print the table on stdout as JSON.")
    quiet: bool = flag("-q --quiet", "No notes and no progress: only errors.")


@dataclass(frozen=True)
class Asked:
    """A sweep: of which trainer, on what, with which settings.

    varied: the names of options that take several values. paths: of options whose values may be
    files that are read.
    """

    trainer: str
    data: tuple[str, ...]
    settings: list[Setting]
    varied: list[str]
    paths: list[str]
    options: Sweep
