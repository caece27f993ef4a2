"""Many inputs, several at a time: what came of each is said in their order, notes in few lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cnntool.cli.console import complain, json_text, print_line, progress, reason
from cnntool.cli.options import Batch
from cnntool.engine.fast.processes import in_order
from cnntool.engine.fast.scratch import keep_freed_memory
from cnntool.engine.fast.threads import available_cores
from cnntool.errors import InputError, RequestError
from cnntool.wording import listed, readable

if TYPE_CHECKING:
    from cnntool.cli.manifest import State
    from cnntool.files.image import Image

LOST = "the process that worked on it was ended, as where memory is short: "
"""Before what helps."""

LOST_WORKERS = (
    "the workers that worked on it were ended, one after the other, as where memory is short: "
    "leave out --cluster"
)


@dataclass
class Report:
    """What there is to say about one input once it is done, and what it adds to a table."""

    name: str
    error: str = ""
    skipped: bool = False
    why: str = ""  # it is left out, or done again; as in cli/manifest.py
    states: tuple[State, list[State]] | None = None  # of input and outputs, for the manifest
    notes: list[str] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # for stdout
    pictures: list[Image] = field(default_factory=list)  # to draw
    rows: list[Any] = field(default_factory=list)


class Named(Protocol):
    """An input, such as a file, and whatever else is settled about it."""

    @property
    def name(self) -> str: ...


Item = TypeVar("Item", bound=Named)


def jobs_of(batch: Batch, count: int) -> int:
    """How many of so many inputs are worked on at a time, on one machine."""
    if batch.cluster and batch.cluster.startswith("local:"):
        return int(batch.cluster.removeprefix("local:"))
    return min(batch.jobs or available_cores(), max(1, count))


def run_each(
    items: Sequence[Item],
    label: str,
    batch: Batch,
    work: Callable[[Item, Report, int], None],
    as_json: bool,
    put_down: Callable[[Report], None] = lambda report: None,
) -> list[Report]:
    """Call ``work(item, report, threads)`` for every input, several at a time.

    It works in processes of their own: what comes back is the report. They are said, and returned,
    in the order of the inputs; ``put_down`` has each as soon as there is one, in any order.
    """
    jobs = jobs_of(batch, len(items))
    threads = max(1, available_cores() // jobs)
    has_names = len(items) > 1 or batch.recursive or batch.shard is not None

    def report_on(index: int) -> Report:
        report = _report_on(work, items[index], threads)
        _try(report, put_down, report)
        return report

    def lost(index: int) -> Report:
        return Report(items[index].name, f"{items[index].name}: {LOST}--jobs 1 needs less")

    if batch.cluster and not batch.dry_run:
        from cnntool.cli.cluster import on_cluster

        left_out = "its manifest has" if batch.manifest else "--skip-existing leaves out"
        handed_out = on_cluster(
            batch.cluster,
            partial(_reports_on, work),
            items,
            lost=lambda item: Report(item.name, f"{item.name}: {LOST_WORKERS}"),
            arrived=lambda report: _try(report, put_down, report),
            again=f"run it again, {left_out} what is done",
        )
    else:
        handed_out = in_order(report_on, len(items), jobs, lost)
    done = []
    with (
        handed_out as reports,
        progress(label, len(items), batch.quiet) as advance,
        Notes(batch.quiet) as notes,
    ):
        for report in reports:
            if report.error:
                complain(report.error)
            for note in report.notes:
                notes.say(f"{report.name}: " if has_names else "", note)
            _say_results(report, as_json)
            report.pictures.clear()
            done.append(report)
            advance()
    return done


def _report_on(work: Callable[[Item, Report, int], None], item: Item, threads: int) -> Report:
    """What came of an input."""
    report = Report(item.name)
    _try(report, work, item, report, threads)
    return report


def _reports_on(
    work: Callable[[Item, Report, int], None], items: Iterable[Item]
) -> Iterator[Report]:
    """The same for several, one after the other."""
    keep_freed_memory()
    return (_report_on(work, item, threads=1) for item in items)


def _try(report: Report, do: Callable[..., None], *arguments: Any) -> None:
    """Do something for an input; what goes wrong is put down in its report."""
    try:
        do(*arguments)
    except BrokenPipeError:
        raise
    except (InputError, RequestError, OSError, MemoryError) as error:
        report.error = reason(error, report.name)


def _say_results(report: Report, as_json: bool) -> None:
    for picture in report.pictures:
        from cnntool.cli.terminal import draw

        draw(picture)
    for line in [json_text(_entry(report))] if as_json else report.lines:
        print_line(line, is_asked_for=as_json)


def _entry(report: Report) -> dict[str, Any]:
    entry = {"input": readable(report.name), "outputs": report.outputs}
    entry["error"] = report.error or None
    return entry | ({"skipped": True} if report.skipped else {})


FEW = 3
"""Notes of a kind that are said as they come; of the others, how many and in what range."""

NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)")


class Notes:
    """Notes on inputs, of which those that differ in numbers alone are of one kind.

    >>> with Notes(is_quiet=False) as notes:
    ...     for index in range(5):
    ...         notes.say(f"{index}.png: ", f"{10 + index}% of the values were clipped")
    0.png: 10% of the values were clipped
    1.png: 11% of the values were clipped
    2.png: 12% of the values were clipped
    2 more: 13 to 14% of the values were clipped

    A lead that ends in no colon is the subject of its note: ``a.png`` `` is light``. Such a note
    names those that are more.
    """

    def __init__(self, is_quiet: bool, few: int = FEW) -> None:
        self._is_quiet, self._few = is_quiet, few
        self._kinds: dict[tuple[str, ...], list[tuple[str, str]]] = {}

    def say(self, lead: str, note: str) -> None:
        """Say a note behind the name of an input, or keep its numbers for the end."""
        if self._is_quiet:
            return
        pieces = NUMBER.split(note)
        kept = self._kinds.setdefault(tuple(pieces[::2]), [])
        if len(kept) < self._few:
            complain(lead + note)
        kept.append((lead, note))

    def __enter__(self) -> Notes:
        return self

    def __exit__(self, *error: object) -> None:
        for words, said in self._kinds.items():
            rest = said[self._few :]
            if len(rest) == 1:
                complain("".join(rest[0]))
            elif rest:
                every = zip(*(NUMBER.split(note)[1::2] for _, note in rest), strict=True)
                pieces = [a + b for a, b in zip(words, [*map(_range, every), ""], strict=True)]
                names = [lead for lead, _ in rest]
                is_subject = all(name and not name.endswith(": ") for name in names)
                more = f", {listed(names, 3)}: each" if is_subject else ":"
                complain(f"{len(rest):,} more{more} {''.join(pieces).strip()}")


def _range(numbers: Sequence[str]) -> str:
    """``"13 to 14"``, or one number where all are the same."""
    least, most = (end(numbers, key=lambda n: float(n.replace(",", ""))) for end in (min, max))
    return least if least == most else f"{least} to {most}"
