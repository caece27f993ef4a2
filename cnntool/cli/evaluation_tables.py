"""What `cnntool evaluate` shows of images and of samples: scores, of samples beside those of simple
ways to answer; classes, tags or spans, who is taken for whom, and the surest mistakes."""

from __future__ import annotations

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
from cnntool.cli.console import labelled, one_line, show, table
from cnntool.training.decoded_report import DecodedReport
from cnntool.training.edit_distance import ERROR_RATES
from cnntool.training.measures import Judgement, perplexity
from cnntool.training.report import ClassifierReport, Report, Share, WrongAnswer, interval
from cnntool.training.tagger_report import TaggerReport
from cnntool.wording import counted

SHOWN_MISTAKES = 10


def show_report(
    report: Report,
    title: str,
    part: str,
    unit: str,
    count: int,
    judgement: Judgement | None = None,
) -> None:
    """Print a report on stdout; unit: what a sample is called, of which there are so many.
    judgement: of what says texts, given the right beginning."""
    units = unit if unit == "series" else f"{unit}s"
    images = report if isinstance(report, ClassifierReport) and unit == "image" else None
    about = f"{count:,} series" if unit == "series" else counted(count, unit)
    in_classes = f", in {counted(len(images.labels), 'class')}" if images else ""
    show((title, "bold cyan"), f"  {about}, {part}{in_classes}")
    show()
    show(labelled(_figures(images)) if images else _scores(report))
    for text in _settings(report, judgement):
        remark(text)
    if isinstance(report, ClassifierReport):
        show()
        show_classes(report.labels, report.scores, units)
        show()
        show_confusion(report.confusion, report.labels, units)
    if isinstance(report, TaggerReport):
        show()
        show_classes(*report.scores, f"{report.unit}s", "tag")
        if (spans := report.spans) is not None:
            show()
            show_classes(spans.types, spans.by_type, "spans", "span")
    if report.mistakes:
        are_numbered = images and not report.mistakes[0].place
        shown = surest(SHOWN_MISTAKES, len(report.mistakes))
        show()
        show((f"{shown}; images count from 0" if are_numbered else shown, "italic"))
        show(_mistakes(report, unit))


def surest(most: int, mistakes: int) -> str:
    """What is shown of mistakes, at most ``most``: ``the 10 surest of 61 mistakes``."""
    if mistakes <= most:
        return "the only mistake" if mistakes == 1 else f"all {mistakes} mistakes, the surest first"
    return f"the {most} surest of {mistakes:,} mistakes"


def _figures(report: ClassifierReport) -> list[tuple[str, str, Text]]:
    """Of images."""
    right = f"{report.accuracy.right:,} right, {len(report.mistakes):,} wrong"
    rows = [("accuracy", f"{report.accuracy.value:.2%}", right)]
    if report.k < len(report.labels):
        rows.append((f"top-{report.k}", f"{report.top_k:.2%}", "the class is among the likeliest"))
    rows.append(("loss", f"{report.loss:.4f}", "cross-entropy in nats"))
    return [(name, figure, Text(remark, "dim")) for name, figure, remark in rows]


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
    names = ("image", "true", "taken for") if unit == "image" else ("place", "right", "answer")
    heads = [*names[: int(has_place)], *["input"][: int(has_text)], *names[1:]]
    is_number = unit == "image" and not wrong[0].place
    right = ("image", "probability") if is_number else ("probability",)
    rows = plain_table(*heads, "probability", right=right)
    for each in wrong:
        place = place_of(report, each, unit)
        cells: list[Text | PathText] = []
        if has_place:
            cells.append(Text(place) if is_number else PathText(place))
        texts = [each.given] if has_text else []
        cells += [name_text(one_line(text)) for text in (*texts, each.reference, each.answer)]
        p = "" if each.probability is None else f"{each.probability:.1%}"
        rows.add_row(*cells, p)
    return rows


def place_of(report: Report, wrong: WrongAnswer, unit: str) -> str:
    """Where it stands, or which of all it is, counted from 1, of images from 0; and which step of
    it."""
    number = f"{wrong.index}" if unit == "image" else f"{unit} {wrong.index + 1}"
    place = wrong.place or number
    if wrong.step is None or not isinstance(report, TaggerReport):
        return place
    return f"{place} {report.unit} {wrong.step + 1}"
