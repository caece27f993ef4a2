"""Pictures of any size as rows of one table: `cnntool pool --pyramid`."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from cnntool.cli.console import complain, harmless, json_text, print_line
from cnntool.cli.files import Source, gather, in_shard
from cnntool.cli.image_route import open_within, probe_source, white_note
from cnntool.cli.options import Batch, refuse
from cnntool.cli.running import Report, jobs_of, run_each
from cnntool.files.atomic import atomic_write, check_writable
from cnntool.files.image import Image
from cnntool.imaging.pooling import Pooling, pyramid_features
from cnntool.wording import counted, readable, valid_json

KINDS = (".csv", ".npy", ".json")
OF_PICTURES = ("show", "skip_existing", "depth", "quality", "format", "manifest")
COLOURS = {1: ("grey",), 3: ("red", "green", "blue")}


class Row(NamedTuple):
    """The features (values, C) of a frame, what it is called, and what white is in it."""

    name: str
    features: np.ndarray
    white: float


def run_table(options: Batch, pooling: Pooling, levels: tuple[int, ...]) -> int:
    """Write a row of features an image, in the order of the inputs; returns the exit code."""
    path = _check_options(options)
    sources, is_failed = gather(options.images, options.recursive, options.quiet)
    sources = [sources[place] for place in in_shard(sources, options.shard, options.quiet)]
    if path is not None:
        check_writable(path, options.force)

    jobs = jobs_of(options, len(sources))

    def work(source: Source, report: Report, threads: int) -> None:
        if options.dry_run:
            report.lines.append(_plan_line(source, levels, options))
            return
        image = open_within(source, options, jobs, "bins are parts of the whole")
        if note := white_note(image, options.white):
            report.notes.append(note)
        report.rows = _rows_of(source, image, pooling, levels)

    reports = run_each(sources, f"{pooling.mode}-pool-pyramid", options, work, as_json=False)
    is_failed |= any(report.error for report in reports)
    found = [row for report in reports for row in report.rows]
    table = _alike(found)
    whites = {row.white for row in table}
    if len(whites) > 1:
        options.note(
            f"white is {' here and '.join(f'{white:g}' for white in sorted(whites))} there: each "
            "row is in its own picture's units"
        )
    if table:
        _write(table, pooling.mode, levels, path, options)
    return int(is_failed or len(table) < len(found))


def _check_options(options: Batch) -> Path | None:
    """The file of the table, None for stdout. Raises UsageError on what a table cannot do."""
    refuse(options, OF_PICTURES, "is for pictures: --pyramid writes a table")
    if options.output is None or options.output == "-":
        return None
    path = Path(options.output)
    if path.suffix.lower() not in KINDS:
        raise click.UsageError(
            f"-o {options.output} is no table: name a .csv, .npy or .json file, or leave it out"
        )
    if options.as_json:
        raise click.UsageError("--json writes the table to stdout: leave out -o, or name a .json")
    return path


def _rows_of(source: Source, image: Image, pooling: Pooling, levels: tuple[int, ...]) -> list[Row]:
    """A row for each frame of an image."""
    features = [pyramid_features(frame, image.white, levels, pooling) for frame in image.frames]
    names = [source.name]
    if len(features) > 1:
        names = [f"{source.name}#{number}" for number in range(1, len(features) + 1)]
    return [Row(*row, image.white) for row in zip(names, features, strict=True)]


def _plan_line(source: Source, levels: tuple[int, ...], options: Batch) -> str:
    info = probe_source(source, options)
    count = info.channels * sum(level * level for level in levels)
    where = options.output or "stdout"
    size = f"{info.width}x{info.height}, {counted(info.channels, 'channel')}"
    return f"{source.name}: {size} -> {where}: {counted(count, 'number')}"


def _alike(found: list[Row]) -> list[Row]:
    """The rows without those, with a word, whose channels differ from the first's."""
    kept = []
    for row in found:
        if row.features.shape == found[0].features.shape:
            kept.append(row)
        else:
            complain(
                f"{row.name} has {counted(row.features.shape[1], 'channel')}, {found[0].name} has "
                f"{found[0].features.shape[1]}: rows of one table need the same, --gray makes them "
                "so"
            )
    return kept


def _write(
    table: list[Row],
    mode: str,
    levels: tuple[int, ...],
    path: Path | None,
    options: Batch,
) -> None:
    names = _columns(mode, levels, table[0].features.shape[1])
    if path is None:
        if options.as_json:
            text = "".join(json_text(entry) + "\n" for entry in _entries(table))
        else:
            text = _as_csv(table, names)
        print(harmless(text) if sys.stdout.isatty() else text, end="", flush=True)
        return
    kind = path.suffix.lower()
    with atomic_write(path, options.force) as file:
        if kind == ".npy":
            np.save(file, np.stack([row.features.ravel() for row in table]))
        elif kind == ".csv":
            file.write(_as_csv(table, names).encode())
        else:
            whole = {"columns": names, "rows": _entries(table)}
            file.write(valid_json(whole).encode() + b"\n")
    print_line(path)


def _columns(mode: str, levels: tuple[int, ...], channels: int) -> list[str]:
    """Such as ``2x2-1-0-red``: level, row, column, channel; in the order of the features."""
    colours = COLOURS.get(channels) or tuple(f"channel{c}" for c in range(channels))
    return [
        f"{mode}-{level}x{level}-{row}-{column}" + (f"-{colour}" if channels > 1 else "")
        for level in levels
        for row in range(level)
        for column in range(level)
        for colour in colours
    ]


def _as_csv(table: Sequence[Row], names: list[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *names])
    for row in table:
        writer.writerow([readable(row.name), *_figures(row)])
    return text.getvalue()


def _figures(row: Row) -> list[str]:
    """As many digits as the features have."""
    digits = 7 if row.features.dtype == np.float32 else 15
    return [f"{value:.{digits}g}" for value in row.features.ravel()]


def _entries(table: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {"image": readable(row.name), "features": [float(figure) for figure in _figures(row)]}
        for row in table
    ]
