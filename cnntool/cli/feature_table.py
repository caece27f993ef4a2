"""Pictures of any size as rows of one table: `cnntool pool --pyramid`."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from cnntool.cli.console import complain
from cnntool.cli.files import Source, check_free, check_stdin, find_sources
from cnntool.cli.images import Report, open_source, run_each
from cnntool.cli.options import Batch
from cnntool.errors import InputError
from cnntool.files.atomic import atomic_write
from cnntool.files.image import Image
from cnntool.imaging.pooling import Pooling, pyramid_features
from cnntool.wording import counted, readable

KINDS = (".csv", ".npy", ".json")
COLOURS = {1: ("grey",), 3: ("red", "green", "blue")}


def run_table(options: Batch, pooling: Pooling, levels: tuple[int, ...]) -> int:
    """Write a row of features an image, in the order of the inputs; returns the exit code."""
    path = _check_options(options)
    sources, problems = find_sources(options.images, options.recursive)
    for problem in problems:
        complain(problem)
    if path is not None:
        check_free(path, options.force)
    rows: list[list[tuple[str, np.ndarray]]] = [[] for _ in sources]
    white_of: dict[str, float] = {}

    def work(index: int, report: Report, threads: int) -> None:
        source = sources[index]
        if options.dry_run:
            report.lines.append(_plan_line(source, levels, options))
            return
        image = open_source(source, options)
        rows[index] = _rows_of(source, image, pooling, levels)
        white_of.update((name, image.white) for name, _ in rows[index])

    failed = run_each(sources, f"{pooling.mode}-pool-pyramid", options, work, as_json=False)
    table = [row for found in rows for row in found]
    odd = _drop_odd(table)
    whites = {white_of[name] for name, _ in table}
    if len(whites) > 1 and not options.quiet:
        complain(
            f"white is {' here and '.join(f'{white:g}' for white in sorted(whites))} there: each "
            "row is in its own picture's units"
        )
    if table:
        _write(table, pooling.mode, levels, path, options)
    return 1 if problems or failed or odd else 0


def _check_options(options: Batch) -> Path | None:
    """The file of the table, None for stdout. Raises UsageError on what a table cannot do."""
    unfit = {
        "--show": options.show,
        "--skip-existing": options.skip_existing,
        "--depth": options.depth,
        "--quality": options.quality,
        "--format": options.format,
    }
    for name, value in unfit.items():
        if value:
            raise click.UsageError(f"{name} is for pictures: --pyramid writes a table")
    check_stdin(options.images)
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


def _rows_of(
    source: Source, image: Image, pooling: Pooling, levels: tuple[int, ...]
) -> list[tuple[str, np.ndarray]]:
    """A name and features (values, C) for each frame of an image."""
    features = [pyramid_features(frame, image.white, levels, pooling) for frame in image.frames]
    if len(features) == 1:
        return [(source.name, features[0])]
    return [(f"{source.name}#{number}", row) for number, row in enumerate(features, 1)]


def _plan_line(source: Source, levels: tuple[int, ...], options: Batch) -> str:
    from cnntool.files.images import probe_image

    if source.path is None:
        raise InputError("stdin: a dry run reads no data: name a file")
    info = probe_image(source.path)
    channels = 1 if options.gray else info.channels
    count = channels * sum(level * level for level in levels)
    where = options.output or "stdout"
    size = f"{info.width}x{info.height}, {counted(channels, 'channel')}"
    return f"{source.name}: {size} -> {where}: {counted(count, 'number')}"


def _drop_odd(table: list[tuple[str, np.ndarray]]) -> bool:
    """Leave out, with a word, the rows whose channels differ from the first's."""
    kept = []
    for name, features in table:
        if features.shape == table[0][1].shape:
            kept.append((name, features))
        else:
            complain(
                f"{name} has {counted(features.shape[1], 'channel')}, {table[0][0]} has "
                f"{table[0][1].shape[1]}: rows of one table need the same, --gray makes them so"
            )
    is_odd = len(kept) < len(table)
    table[:] = kept
    return is_odd


def _write(
    table: list[tuple[str, np.ndarray]],
    mode: str,
    levels: tuple[int, ...],
    path: Path | None,
    options: Batch,
) -> None:
    names = _columns(mode, levels, table[0][1].shape[1])
    if path is None:
        if options.as_json:
            text = "".join(json.dumps(entry) + "\n" for entry in _entries(table))
        else:
            text = _as_csv(table, names)
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    kind = path.suffix.lower()
    with atomic_write(path, options.force) as file:
        if kind == ".npy":
            np.save(file, np.stack([features.ravel() for _, features in table]))
        elif kind == ".csv":
            file.write(_as_csv(table, names).encode())
        else:
            whole = {"columns": names, "rows": _entries(table)}
            file.write(json.dumps(whole).encode() + b"\n")
    print(options.output)


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


def _as_csv(table: Sequence[tuple[str, np.ndarray]], names: list[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *names])
    for name, features in table:
        writer.writerow([readable(name), *(f"{value:.7g}" for value in features.ravel())])
    return text.getvalue()


def _entries(table: Sequence[tuple[str, np.ndarray]]) -> list[dict[str, Any]]:
    return [
        {"image": readable(name), "features": [float(f"{value:.7g}") for value in row.ravel()]}
        for name, row in table
    ]
