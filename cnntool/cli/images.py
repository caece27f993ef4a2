"""Images from files to files: what every image command does around its own work.

A command says what it does with one image, a :class:`Job`; reading, naming, converting, writing,
progress, reports and errors are here. One bad file never stops the others.

    def shrink(job: Job) -> None:
        job.check([size_of(shape) for shape in job.shapes])  # before any work
        if job.batch.dry_run:
            job.describe("mean", ...)
        else:
            job.deliver([Result(shrunk(job.take_image()))])

    return run_images(batch, "smaller", ("",), shrink, {"command": "shrink", "factor": 2}, Needs())
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnntool.cli.files import (
    STDIO,
    Source,
    Targets,
    check_no_terminal,
    gather,
    identity,
    in_shard,
    plan_targets,
)
from cnntool.cli.image_job import Item, Job, open_job
from cnntool.cli.image_route import Needs, choose_route, format_of
from cnntool.cli.manifest import Fate, Manifest
from cnntool.cli.options import Batch, given
from cnntool.cli.running import Report, jobs_of, run_each
from cnntool.engine.fast.processes import in_order
from cnntool.engine.fast.scratch import keep_freed_memory
from cnntool.engine.fast.threads import available_cores
from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import check_free
from cnntool.files.formats import EXTENSIONS, FORMATS, can_hold, format_named
from cnntool.files.image import DEPTHS


def run_images(
    batch: Batch,
    label: str,
    parts: tuple[str, ...],
    work: Callable[[Job], None],
    settings: dict[str, Any],
    needs: Needs,
) -> int:
    """Do the work on every image that the options name; returns the exit code.

    ``label`` says in names what was done, ``parts`` name the results of one image, of which the
    work delivers as many. ``settings`` are all else that the results depend on, for a manifest.
    """
    keep_freed_memory()
    _check_options(batch)
    sources, is_failed = gather(batch.images, batch.recursive, batch.quiet, batch.output)
    targets = _plan(sources, batch, label, parts)
    mine = in_shard(sources, batch.shard, batch.quiet)

    items = [Item(sources[place], targets[place]) for place in mine]
    manifest = _manifest(items, batch, settings)

    known = manifest
    if batch.cluster and not batch.dry_run:
        items, known = _settled(items, batch, manifest), None
    # This function goes by value to the workers of a cluster, with all that it names.
    needs = needs._replace(results=len(parts))
    if batch.cluster and is_shared(items, batch, needs):
        needs = needs._replace(cluster=batch.cluster)
        batch = replace(batch, cluster=None, jobs=1)
    needs = needs._replace(jobs=jobs_of(batch, len(items)))

    def work_on(item: Item, report: Report, threads: int) -> None:
        job = open_job(item, settle(item, batch, known), batch, needs, threads, report)
        if job is not None:
            work(job)
            job.close()

    def put_down(report: Report) -> None:
        if manifest is not None and report.states is not None:
            manifest.append(*report.states)

    with closing(manifest) if manifest is not None else nullcontext():
        reports = run_each(items, label, batch, work_on, batch.as_json, put_down)
    summary = manifest.summary(report.why for report in reports) if manifest else ""
    batch.note(summary)
    return int(is_failed or any(report.error for report in reports))


def is_shared(items: Sequence[Item], batch: Batch, needs: Needs) -> bool:
    """Whether workers of a cluster share the strips of a picture: one that is large, and alone."""
    if batch.dry_run or len(items) != 1:
        return False
    try:
        return choose_route(items[0].source, items[0].target, batch, needs).file is not None
    except (InputError, RequestError, OSError, MemoryError):  # which the work itself says in words
        return False


OF_RESULTS = ("depth", "format", "quality", "gray", "alpha", "white")
"""Options of a batch that make a difference to what is written."""


def _manifest(items: Sequence[Item], batch: Batch, settings: dict[str, Any]) -> Manifest | None:
    """What was done before, where that is asked for."""
    if batch.manifest is None:
        return None
    if batch.skip_existing:
        raise RequestError(
            "--manifest tells what is done by content, --skip-existing by names: use one of them"
        )
    if any(item.source.path is None or not item.target.paths for item in items):
        raise RequestError(
            "--manifest puts down files that were read and written: name files, and write with -o"
        )
    if batch.manifest == STDIO:
        raise RequestError(
            "--manifest - is stdout, and a manifest is read as well: name a file such as done.jsonl"
        )
    own = Path(batch.manifest)
    for item in items:
        if any(
            path.name == own.name and identity(path) == identity(own) for path in item.target.paths
        ):
            raise RequestError(
                f"the result of {item.name} would overwrite {own}, the manifest: give "
                "one of them another name"
            )
    asked = {name: value for name, value in given(batch).items() if name in OF_RESULTS}
    wanted = [(item.source, item.target.paths) for item in items]
    manifest = Manifest(batch.manifest, settings | asked, wanted, batch.dry_run)
    batch.note(*manifest.notes)
    return manifest


def settle(item: Item, batch: Batch, manifest: Manifest | None) -> Fate:
    """What becomes of an image, as was settled already or by the outputs that exist; InputError
    where that may not be."""
    if isinstance(item.fate, InputError):
        raise item.fate
    if item.fate is not None:
        return item.fate
    paths = item.target.paths
    if manifest is not None:
        return manifest.fate(item.source, paths, batch.force)
    if batch.dry_run:
        return Fate(overwrite=batch.force)
    kept = frozenset(path for path in paths if batch.skip_existing and os.path.isfile(path))
    for path in paths:
        if path not in kept:
            check_free(path, batch.force)
    return Fate(kept, overwrite=batch.force)


def _settled(items: Sequence[Item], batch: Batch, manifest: Manifest | None) -> list[Item]:
    """The items with their fates, before any work elsewhere.

    What is written meanwhile is then that of an earlier try, whose worker was killed: it is adopted
    where it is the same.
    """

    def settled(place: int) -> Item:
        item = items[place]
        try:
            return item._replace(fate=settle(item, batch, manifest)._replace(adopt=True))
        except InputError as error:
            return item._replace(fate=error)

    jobs = min(available_cores(), max(1, len(items)))
    lost = InputError("the process that looked at its outputs was ended: run it again")
    with in_order(
        settled, len(items), jobs, lambda place: items[place]._replace(fate=lost)
    ) as all_:
        return list(all_)


def _check_options(batch: Batch) -> None:
    to_stdout = batch.output == STDIO or (batch.output is None and STDIO in batch.images)
    writes_stdout = to_stdout and not batch.dry_run and not (batch.show and not batch.output)
    if writes_stdout and batch.as_json:
        raise RequestError(
            "the image and --json both go to stdout: write the image to a file with -o"
        )
    if writes_stdout:
        check_no_terminal()
    if batch.cluster and (STDIO in batch.images or batch.output == STDIO):
        raise RequestError(
            "--cluster works on files that its workers share, not on stdin and stdout: name files"
        )
    if batch.cluster and batch.jobs:
        raise RequestError("--jobs is of this machine, --cluster has workers: use one of them")
    if batch.force and batch.skip_existing:
        raise RequestError("--force and --skip-existing contradict each other: use one of them")


def _plan(
    sources: Sequence[Source], batch: Batch, label: str, parts: Sequence[str]
) -> list[Targets]:
    """Where the results of each source go; what cannot be written is an error before any work."""
    if batch.show and batch.output is None:
        return [Targets(()) for _ in sources]
    suffix = FORMATS[format_named(batch.format)].extensions[0] if batch.format else None
    targets = plan_targets(sources, batch.output, suffix, label, parts)
    if targets and targets[0].stdout and len(parts) > 1 and suffix != ".npy":
        raise RequestError(
            f"{len(parts)} feature maps do not fit into one picture on stdout: "
            "--format npy stacks them, -o writes files"
        )
    for target in targets:
        for path in target.paths:
            name = format_of(path, batch)
            if name and batch.depth and not can_hold(name, dtype=DEPTHS[batch.depth], samples=1):
                raise RequestError(f"--depth {batch.depth} does not fit into {path}: {name}")
            if path.suffix.lower() in EXTENSIONS and EXTENSIONS[path.suffix.lower()] != name:
                raise RequestError(f"--format {batch.format} contradicts the name of {path}")
            if name and batch.quality is not None and not FORMATS[name].quality:
                raise RequestError(f"--quality does not apply to {path}: {name} has none")
    return targets
