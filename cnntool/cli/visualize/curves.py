"""`cnntool visualize curves`: how loss, accuracy or perplexity went over the epochs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.choices import MEASURES
from cnntool.cli.console import print_json, print_line
from cnntool.cli.files import STDIO, check_apart, check_no_terminal
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, flag, option, takes
from cnntool.cli.types import Choice, OutputName, PathName
from cnntool.cli.visualize.options import OUTPUT, WHAT, Reported
from cnntool.errors import InputError
from cnntool.files.atomic import atomic_write, check_writable

if TYPE_CHECKING:
    from cnntool.training.progress import History
    from cnntool.visuals.charts import Curve


@dataclass(frozen=True)
class Runs:
    """Which runs, and what of them."""

    section = WHAT
    paths: tuple[str, ...] = argument(
        "MODEL|LOG...", PathName("a model file, or a log such as run.jsonl"), many=True
    )
    measures: tuple[str, ...] = option(
        "--measure",
        Choice(MEASURES, "measure", "NAME"),
        "loss, accuracy or perplexity (the exponential of the loss); repeat it for several.  "
        "[default: loss and accuracy; of what says texts loss and perplexity, given the right "
        "beginning]",
        multiple=True,
    )


@dataclass(frozen=True)
class Chart(Reported):
    """Where the chart goes."""

    section = OUTPUT
    output: str | None = option(
        "-o --output",
        OutputName("a picture, such as curves.png, or -"),
        "A PNG, SVG, PDF, JPEG, TIFF or WebP, or - for PNG on stdout.  [default: a chart in the "
        "terminal]",
        metavar="PATH",
    )
    force: bool = flag("-f --force", "Overwrite a file that exists.")
    show: bool = flag("--show", "The chart in the terminal beside -o.")


@click.command(
    "curves",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize curves digits.npz
  cnntool visualize curves digits.npz shifted.jsonl --measure accuracy
  cnntool visualize curves digits.npz --json
  cnntool visualize curves digits.npz shifted.npz -o curves.png""",
)
@takes(Runs, Chart)
def command(runs: Runs, chart: Chart) -> None:
    """Draw how training went, epoch by epoch, of one run or of several on the same axes.

    Each is a model file or the log that --log wrote. Lines of validation are whole, those of
    training dashed. A chart in a file is drawn by matplotlib: pip install 'cnntool[charts]'.
    """
    from cnntool.training.progress import read_history
    from cnntool.visuals import fonts

    output, as_json = chart.output, chart.as_json
    if output == STDIO and (as_json or chart.show):
        other = "--json" if as_json else "--show"
        raise click.UsageError(f"{other} and -o - both write to stdout: name a file with -o")
    if output == STDIO:
        check_no_terminal("the chart", " or leave out -o")
    elif output is not None:
        for path in (*runs.paths, chart.font):
            check_apart({"-o": output}, {"MODEL|LOG" if path != chart.font else "--font": path})
        check_chart(Path(output), chart.force)
    else:
        chart.refuse_font()
    histories = [read_history(path) for path in dict.fromkeys(runs.paths)]
    measures = runs.measures
    if not measures:
        by_loss = all(history.by_loss for history in histories)
        measures = ("loss", "perplexity") if by_loss else ("loss", "accuracy")
    panels = panels_of(histories, dict.fromkeys(measures))
    fonts.use(chart.font)
    if output is not None:
        _write(panels, output, chart.force, print_path=not as_json)
        chart.note(*fonts.told_lost())
    if as_json:
        print_json([_entry(history) for history in histories])
    elif output is None or chart.show:
        _print(panels)


def check_chart(path: Path, force: bool) -> None:
    """Raise where a chart cannot be written, before any work."""
    from cnntool.visuals.charts import FORMATS

    if path.suffix.lower() not in FORMATS:
        raise click.UsageError(f"-o {path}: end it in one of {' '.join(FORMATS)}")
    check_writable(path, force)


def panels_of(histories: list[History], measures: dict[str, None]) -> dict[str, list[Curve]]:
    """The curves of each measure; InputError where no run has one."""
    from cnntool.training.progress import PARTS
    from cnntool.visuals.charts import Curve

    panels = {}
    for measure in measures:
        panels[measure] = [
            Curve(
                run,
                f"{history.name} {part}",
                history.epochs,
                history.values[measure, part],
                is_dashed=part == "training",
            )
            for run, history in enumerate(histories)
            for part in PARTS
            if (history.values[measure, part] == history.values[measure, part]).any()
        ]
        if not panels[measure]:
            raise InputError(f"{histories[0].name} holds no {measure}: choose another --measure")
    return panels


def _write(panels: dict[str, list[Curve]], output: str, force: bool, print_path: bool) -> None:
    from cnntool.visuals.charts import curve_chart, write_chart

    figure = curve_chart(panels)
    if output == STDIO:
        write_chart(figure, sys.stdout.buffer, "png")
        return
    with atomic_write(output, force) as file:
        write_chart(figure, file, Path(output).suffix[1:].lower())
    if print_path:
        print_line(output)


def _print(panels: dict[str, list[Curve]]) -> None:
    from cnntool.cli.terminal import print_chart

    forms = {"accuracy": "{:.1%}", "loss": "{:.4g}", "perplexity": "{:.4g}"}
    for measure, curves in panels.items():
        print_chart(measure, curves, forms[measure].format)


def _entry(history: History) -> dict:
    """All that is known of a run, null for what is no number."""
    return {
        "run": history.name,
        "epochs": [
            {"epoch": epoch}
            | {
                f"{part}_{measure}": values[index]
                for (measure, part), values in history.values.items()
            }
            for index, epoch in enumerate(history.epochs)
        ],
    }
