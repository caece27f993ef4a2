"""What `cnntool evaluate` shows of models of sequences: scores beside those of simple ways to
answer, classes, tags or spans, and the surest mistakes."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from cnntool.cli.class_tables import (
    PathText,
    name_text,
    plain_table,
    remark,
    show_classes,
    show_confusion,
)
from cnntool.cli.console import complain, one_line, show, table
from cnntool.datasets.sequences.samples import Samples
from cnntool.files.atomic import atomic_write, check_writable
from cnntool.training.decoded_report import DecodedReport
from cnntool.training.edit_distance import ERROR_RATES
from cnntool.training.measures import Judgement, perplexity
from cnntool.training.report import ClassifierReport, Report, Share, WrongAnswer, interval
from cnntool.training.tagger_report import TaggerReport
from cnntool.wording import counted

SHOWN_MISTAKES = 10

UNITS = {"text": "text", "words": "sentence", "steps": "series", "frames": "video"}
"""What a sample is called, by its form; of pictures, picture."""


def show_samples(
    report: Report,
    judgement: Judgement | None,
    samples: Samples,
    title: str,
    part: str,
) -> None:
    """Print a report on stdout."""
    unit = UNITS.get(samples.form, samples.form)
    count = f"{len(samples):,} series" if unit == "series" else counted(len(samples), unit)
    show((title, "bold cyan"), f"  {count}, {part}")
    show()
    show(_scores(report))
    for text in _settings(report, judgement):
        remark(text)
    if isinstance(report, ClassifierReport):
        show()
        show_classes(report.labels, report.scores, f"{unit}s" if unit != "series" else unit)
        show()
        show_confusion(report.confusion, report.labels, f"{unit}s" if unit != "series" else unit)
    if isinstance(report, TaggerReport):
        show()
        show_classes(*report.scores, f"{report.unit}s", "tag")
        if (spans := report.spans) is not None:
            show()
            show_classes(spans.types, spans.by_type, "spans", "span")
    if report.mistakes:
        from cnntool.cli.evaluation_tables import surest

        show()
        show((surest(SHOWN_MISTAKES, len(report.mistakes)), "italic"))
        show(_mistakes(report, unit))


def _scores(report: Report) -> Table:
    """A row for the model, and one for each simple way to answer."""
    heads, row = _row(report)
    rows = table(*heads, names="", left=())
    rows.add_row(Text("this model", "bold cyan"), *row, style="bold")
    for name, other in report.beside.items():
        rows.add_row(Text(name), *_row(other)[1])
    return rows


def _row(report: Report) -> tuple[list[str], list[str]]:
    """What is counted, and how it came out."""
    if isinstance(report, ClassifierReport):
        cells = [("accuracy", report.accuracy.text), ("95 % interval", _interval(report.accuracy))]
        cells.append(("macro F1", f"{report.scores.macro.f1:.3f}"))
    elif isinstance(report, TaggerReport):
        cells = [(f"{report.unit}s", report.accuracy.text)]
        if report.unknown is not None:
            there = report.unknown.text if report.unknown.count else "-"
            cells.append((f"unknown {report.unit}s", there))
        cells += [("whole", report.whole.text), ("95 % interval", _interval(report.whole))]
        if report.spans is not None:
            names = ("span precision", "recall", "F1")
            cells += [(n, f"{v:.1%}") for n, v in zip(names, report.spans.micro, strict=True)]
    else:
        assert isinstance(report, DecodedReport)
        cells = [("exact", report.exact.text), ("95 % interval", _interval(report.exact))]
        cells.append((ERROR_RATES[report.level], f"{report.errors.rate:.1%}"))
        cells.append(("BLEU", f"{report.bleu.value:.1f}"))
        if report.kind == "translator":
            cells.append(("chrF2", f"{report.chrf.value:.1f}"))
        cells.append(("different", f"{report.distinct:,}"))
    return [name for name, _ in cells], [text for _, text in cells]


def _interval(share: Share) -> str:
    low, high = interval(share.right, share.count)
    return f"{low:.1%} to {high:.1%}"


def _settings(report: Report, judgement: Judgement | None) -> list[str]:
    """How scores were counted, and what is no score of what was said."""
    found = []
    if isinstance(report, TaggerReport) and report.spans is not None:
        found.append(f"spans: {report.scheme}, by conlleval's rule")
    if isinstance(report, DecodedReport):
        errors = report.errors
        found.append(
            f"{ERROR_RATES[report.level]}: {errors.insertions:,} too many, {errors.deletions:,} "
            f"missing and {errors.substitutions:,} others among {errors.tokens:,}"
        )
        found.append(f"BLEU: {report.bleu.signature}")
        if report.kind == "translator":
            found.append(f"chrF2: {report.chrf.signature}")
    if judgement is not None:
        found.append(f"perplexity, given the right beginning: {perplexity(judgement.loss):.4g}")
    return found


def _mistakes(report: Report, unit: str) -> Table:
    """The surest, with what was given where that is text, and its place where it has one."""
    wrong = report.mistakes[:SHOWN_MISTAKES]
    has_text = any(each.given for each in wrong)
    has_place = any(each.place for each in wrong) or not has_text
    heads = [*["place"][: int(has_place)], *["input"][: int(has_text)], "right", "answer"]
    rows = plain_table(*heads, "probability", right=("probability",))
    for each in wrong:
        cells: list[Text | PathText] = []
        if has_place:
            cells.append(PathText(_place(report, each, unit)))
        texts = [each.given] if has_text else []
        cells += [name_text(one_line(text)) for text in (*texts, each.reference, each.answer)]
        p = "" if each.probability is None else f"{each.probability:.1%}"
        rows.add_row(*cells, p)
    return rows


def _place(report: Report, wrong: WrongAnswer, unit: str) -> str:
    """Where it stands, or which of all it is, counted from 1; and which step of it."""
    place = wrong.place or f"{unit} {wrong.index + 1}"
    if wrong.step is None or not isinstance(report, TaggerReport):
        return place
    return f"{place} {report.unit} {wrong.step + 1}"


def check_table(path: str | None, force: bool) -> None:
    """Raise where mistakes cannot be written as a table, before any work."""
    if path is None:
        return
    if Path(path).suffix.lower() != ".tsv":
        raise click.UsageError(
            f"--mistakes {path}: of sequences a table is written, end it in .tsv"
        )
    check_writable(path, force)


def write_mistakes(report: Report, samples: Samples, path: str, force: bool) -> None:
    """All mistakes with the place, the input, all that would be right, the answer and its odds."""
    if not report.mistakes:
        complain(f"{path} is not written: there are no mistakes")
        return
    heads = "place", "input", "right", "answer", "probability"
    lines = ["\t".join(heads)]
    for each in report.mistakes:
        right = [each.reference]
        if isinstance(report, DecodedReport):
            right = list(samples.answers[each.index])
        p = "" if each.probability is None else f"{each.probability:.6g}"
        place = _place(report, each, UNITS.get(samples.form, samples.form))
        fields = (place, each.given, " | ".join(right), each.answer, p)
        lines.append("\t".join(map(one_line, fields)))
    with atomic_write(path, force) as file:
        file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
