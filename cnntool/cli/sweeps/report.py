"""What came of a sweep: a table by the mean score of each setting, and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

from cnntool.cli.console import show, table
from cnntool.cli.sweeps.runs import Run
from cnntool.cli.sweeps.settings import SEED
from cnntool.errors import InputError
from cnntool.files.atomic import atomic_write
from cnntool.training.comparison import Behind, Scores, Summary, behind, ranked, summary
from cnntool.wording import counted, figures, joined, short_names, shortened

LONGEST_VALUE, LONGEST_REASON = 48, 60


def score_text(name: str, value: float) -> str:
    """``97.1%`` of a share; ``123.4`` of a perplexity, of bits or of BLEU."""
    return figures(value, 4) if _is_number(name) else f"{value:.2%}"


def _is_number(name: str) -> bool:
    return name in ("perplexity", "BLEU") or name.startswith("bits/")


@dataclass
class Row:
    """A setting, with its runs, a seed each. number: among all, as they were asked for. behind: the
    best, of which it is None."""

    number: int
    setting: dict[str, str]
    runs: list[Run]
    behind: Behind | None = None

    @property
    def scores(self) -> Scores:
        return {
            run.seed: run.record.score["value"] for run in self.runs if run.record.score is not None
        }

    @property
    def summary(self) -> Summary:
        return summary(self.scores)

    @property
    def error(self) -> str:
        """Of the first run that failed, '' where none did."""
        return next((run.record.error or "" for run in self.runs if not run.record.score), "")

    @property
    def is_noise(self) -> bool:
        return self.behind is not None and self.behind.is_noise


@dataclass
class Table:
    """The settings from the best to the worst, behind them those without a score.

    varied: the options in which they differ. measure: the name of the score.
    """

    varied: list[str]
    measure: str
    is_higher_better: bool
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def of(cls, runs: Sequence[Run], varied: Sequence[str]) -> Table:
        """InputError where scores do not compare."""
        scores = [run.record.score for run in runs if run.record.score is not None]
        kinds = {score["name"]: score["better"] for score in scores}
        if len(kinds) > 1:
            raise InputError(
                f"{joined([*kinds])} do not compare: sweep apart what is judged by each; "
                "sweep.jsonl has all scores"
            )
        ((measure, better),) = kinds.items() or [("score", "higher")]
        groups: dict[tuple, Row] = {}
        for run in runs:
            setting = {name: value for name, value in run.setting.items() if name != SEED}
            row = Row(len(groups), setting, [])
            groups.setdefault(tuple(setting.items()), row).runs.append(run)
        rows, is_higher_better = [*groups.values()], better == "higher"
        order = ranked([row.scores for row in rows], is_higher_better)
        ordered = [rows[place] for place in order]
        for row in ordered[1:]:
            row.behind = behind(ordered[0].scores, row.scores, is_higher_better)
        ordered += [row for row in rows if not row.scores]
        names = [name for name in varied if name != SEED]
        return cls(names, measure, is_higher_better, ordered)

    @property
    def best(self) -> Row | None:
        return self.rows[0] if self.rows and self.rows[0].scores else None

    def show(self) -> None:
        """On stdout, a line a setting."""
        heads = [self.measure, "std", "runs", "behind", "standard error", ""]
        rows = [[*self._cells(row)] for row in self.rows]
        told = [any(cells) for cells in zip(*rows, strict=True)]
        made = table(*self.varied, *compress(heads, told), left=(*self.varied, ""))
        names = {
            name: short_names((row.setting[name] for row in self.rows), LONGEST_VALUE)
            for name in self.varied
        }
        for row, cells in zip(self.rows, rows, strict=True):
            values = (names[name][row.setting[name]] for name in self.varied)
            made.add_row(*values, *compress(cells, told))
        show(made)

    def _cells(self, row: Row) -> Iterator[str]:
        def text(value: float | None) -> str:
            return "" if value is None else score_text(self.measure, value)

        found = row.summary if row.scores else None
        yield text(found.mean if found else None)
        yield text(found.deviation if found else None)
        missing = f" of {len(row.runs)}" if len(row.scores) < len(row.runs) else ""
        yield f"{len(row.scores)}{missing}"
        yield text(row.behind.mean if row.behind else None)
        yield text(row.behind.error if row.behind else None)
        words = ["best"] if row is self.best else ["within the noise"] if row.is_noise else []
        words += [shortened(row.error, LONGEST_REASON)] if row.error else []
        yield "; ".join(words)

    def notes(self) -> Iterator[str]:
        """What there is to say of how much the table tells."""
        if len(self.rows) < 2:
            return
        if all(len(row.scores) < 2 for row in self.rows):
            yield (
                "one run a setting does not tell how much is chance: --seed 0..4 adds runs that do"
            )
            return
        alike = sum(row.is_noise for row in self.rows)
        if alike:
            yield (
                f"{counted(alike, 'other setting')} {'is' if alike == 1 else 'are'} within the "
                "noise of the best: behind it by no more than the standard error of the difference"
            )

    def facts(self) -> dict[str, Any]:
        """The same for programs."""
        rows = [
            {
                "settings": {name: row.setting[name] for name in self.varied},
                "mean": row.summary.mean if row.scores else None,
                "deviation": row.summary.deviation if row.scores else None,
                "count": len(row.scores),
                "behind": row.behind and row.behind.mean,
                "standard_error": row.behind and row.behind.error,
                "within_noise": row.is_noise,
                "runs": [run.entry() for run in row.runs],
            }
            for row in self.rows
        ]
        better = "higher" if self.is_higher_better else "lower"
        return {"measure": self.measure, "better": better, "settings": rows}


def picture(found: Table, path: Path, force: bool) -> None:
    """Draw the score against each setting that varies."""
    from cnntool.visuals.charts import Point, sweep_chart, write_chart

    rows = sorted((row for row in found.rows if row.scores), key=lambda row: row.number)
    points = [
        Point(row.setting, tuple(row.scores.values()), is_best=row is found.best) for row in rows
    ]
    figure = sweep_chart(found.varied, points, found.measure, not _is_number(found.measure))
    with atomic_write(path, force) as file:
        write_chart(figure, file, path.suffix[1:].lower())
