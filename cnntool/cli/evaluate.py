"""`cnntool evaluate`: how good a trained model is on labelled images, or on a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cnntool.choices import MOST_BEAM, MOST_MISTAKES, PARTS
from cnntool.cli.console import complain, print_json, reading
from cnntool.cli.files import check_apart
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, argument, encoding_option, flag, option, refuse, takes
from cnntool.cli.types import Choice, PathName, WholeNumber
from cnntool.cli.visualize.options import font_file
from cnntool.wording import joined, readable

if TYPE_CHECKING:
    from cnntool.datasets.images.parts import Parts
    from cnntool.networks.model import Classifier
    from cnntool.training.evaluation import TextReport
    from cnntool.training.report import ClassifierReport

TOP = 3

OF_IMAGES, OF_CLASSES = ("strict", "top"), ("html",)
OF_PICTURES, OF_MISTAKES = ("confusion", "font"), ("mistakes",)
OF_TEXT, OF_TEXTS = ("tokens",), ("encoding",)
OF_TABLES = ("text_column", "label_column", "column", "group")
OF_SAMPLES = ("format", *OF_TABLES)
OF_DECODERS = ("beam",)
"""Options that not every kind of model has a use for."""

USELESS = {
    "cnn": (*OF_TEXT, *OF_TEXTS, *OF_SAMPLES, *OF_DECODERS),
    "rnn": (*OF_IMAGES, *OF_CLASSES, *OF_PICTURES, *OF_MISTAKES, *OF_SAMPLES, *OF_DECODERS),
    "classifier": (*OF_IMAGES, *OF_TEXT, *OF_DECODERS),
    "tagger": (*OF_IMAGES, *OF_CLASSES, *OF_PICTURES, *OF_TEXT, *OF_DECODERS),
    "translator": (*OF_IMAGES, *OF_CLASSES, *OF_PICTURES, *OF_TEXT),
    "captioner": (*OF_IMAGES, *OF_CLASSES, *OF_PICTURES, *OF_TEXT, *OF_TABLES),
}
"""Those that each kind has none for."""

UNITS = {"text": "text", "words": "sentence", "steps": "series", "frames": "video"}
"""What a sample is called, by its form; of pictures, picture."""


def _column(name: str, type: Any, what: str, metavar: str = "COLUMN") -> Any:
    help = f"{what}.  [default: as in training for its data, else the usual one]"
    return option(name, type, help, section="Data", metavar=metavar)


@dataclass(frozen=True)
class Asked(Model):
    """What is measured on what, and how it is told."""

    section = "Output"
    data: tuple[str, ...] = argument("DATA...", PathName("a data set or a text"), many=True)
    part: str | None = option(
        "--part",
        Choice(PARTS, "part", "PART"),
        "validation, test, train or all.  [default: test where DATA has it, else validation, "
        "else all]",
        section="Data",
    )
    strict: bool = flag("--strict", "An image that cannot be read is an error.", section="Data")
    top: int | None = option(
        "--top",
        WholeNumber(1, metavar="K"),
        f"Also the share of images whose class is among the K likeliest.  [default: {TOP}]",
    )
    encoding: str | None = encoding_option("Of a text, such as utf-16", "Data")
    format: str | None = option(
        "--format",
        str,
        "How sequences are written, as for the command that trained MODEL.  [default: as in "
        "training for its data, else what they look like]",
        section="Data",
        metavar="NAME",
    )
    text_column: str | None = _column("--text-column", str, "The column that holds the texts")
    label_column: str | None = _column("--label-column", str, "The column with the labels")
    column: int | None = _column(
        "--column", WholeNumber(2, 1000), "The number of the column with the tags", metavar="N"
    )
    group: str | None = _column("--group", str, "The column that says what rows belong to")
    beam: int | None = option(
        "--beam",
        WholeNumber(1, MOST_BEAM),
        "Texts that a translator or captioner keeps in sight.  [default: 1]",
    )
    confusion: str | None = option(
        "--confusion",
        PathName("a picture, such as confusion.png"),
        "Write the confusion matrix as a picture.",
        metavar="FILE",
    )
    mistakes: str | None = option(
        "--mistakes",
        PathName("a picture, such as mistakes.png, or a table, such as wrong.tsv"),
        f"Write a sheet of the {MOST_MISTAKES} most confident mistakes; of sequences a table of "
        "all, .tsv.",
        metavar="FILE",
    )
    html: str | None = option(
        "--html",
        PathName("a page, such as report.html"),
        "Of classes of images or texts, write a page that holds the network: scores, confusions, "
        f"how it learned, and the {MOST_MISTAKES} most confident mistakes, each of which opens as "
        "in `cnntool explore`.",
        metavar="FILE",
    )
    tokens: bool = flag(
        "--tokens",
        "Of a text each token and its surprisal: in colour on a terminal, else as JSON lines.",
    )
    font: str | None = font_file()
    force: bool = flag("-f --force", "Overwrite files that exist.")
    as_json: bool = flag("--json", "Report as JSON, every mistake.", section="Running")
    quiet: bool = flag("-q --quiet", "No notes: only results and errors.", section="Running")


@click.command(
    "evaluate",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool evaluate digits.npz digits
  cnntool evaluate digits.npz digits --part all --top 2
  cnntool evaluate pets.npz pets/ --part test --confusion confusion.png
  cnntool evaluate pets.npz new-photos/ --mistakes mistakes.png -f
  cnntool evaluate digits.npz digits --html report.html
  cnntool evaluate digits.npz digits --json | jq .accuracy
  cnntool evaluate mood.npz reviews.tsv --html mood.html
  cnntool evaluate say.npz pronunciations --beam 4 --mistakes wrong.tsv
  cnntool evaluate address.npz test.conll
  cnntool evaluate de-en.npz test.de test.en
  cnntool evaluate words.npz other-text.txt
  cnntool evaluate words.npz other-text.txt --tokens | jq -c 'select(.bits > 15)'""",
)
@takes(Asked)
def command(asked: Asked) -> None:
    """Measure a trained model on data whose answers are known, or on a text.

    For a model of images, DATA is what `cnntool train-cnn` takes: 'digits', a folder with one
    sub-folder a class, IDX files, CIFAR-10 or an .npz archive. Its classes are matched to those of
    MODEL by name, and its images get the size and colours that the network takes.

    Shows accuracy, loss and top-k accuracy, precision, recall and F1 of each class, which classes
    are taken for which, and the mistakes that the network is surest of.

    For a classifier of texts or series, a tagger, a translator or a captioner, DATA is what the
    command takes that trained it, which may be two files. Shows its scores on what it decoded
    itself, beside those of simple ways to answer, fitted on what it learned from; and its surest
    mistakes. Of the data that it was trained on, the samples that were held out.

    For a model of text, DATA is a text file, or - for stdin. Shows loss, perplexity, bits per
    character and the share of unknown words; of the text it was trained on, of its held-out end.
    """
    from cnntool.networks.model_file import KINDS, load_header

    kind = load_header(asked.model).kind
    refuse(asked, USELESS[kind], f"is of no use here: {asked.model} is {KINDS[kind]}")
    if len(asked.data) > (2 if kind == "translator" else 1):
        raise click.UsageError(
            f"{len(asked.data)} DATA: {asked.model} is measured on one at a time"
        )
    if asked.font is not None and not (asked.confusion or (asked.mistakes and kind == "cnn")):
        pictures = "--confusion or --mistakes" if kind == "cnn" else "--confusion"
        raise click.UsageError(f"--font is for a picture, and none is drawn: add {pictures}")
    written = {f"--{name}": getattr(asked, name) for name in ("confusion", "mistakes", "html")}
    for data in asked.data:
        check_apart(written, {"MODEL": asked.model, "DATA": data, "--font": asked.font})
    measure = {"cnn": measure_images, "rnn": measure_text}
    measure.get(kind, measure_sequences)(asked)


def measure_images(asked: Asked) -> None:
    """Put a network to labelled images, and print and draw what was found."""
    from cnntool.cli import evaluation_files as files
    from cnntool.cli.evaluation_tables import show_report
    from cnntool.cli.predictions import differences, tell_of_all
    from cnntool.datasets.images.sources import not_of_folders
    from cnntool.networks.model import load_trained
    from cnntool.training.evaluation import evaluate
    from cnntool.training.parts import with_held_out
    from cnntool.visuals import fonts

    fonts.use(asked.font)
    model, (data,) = asked.model, asked.data
    files.check_files(asked.confusion, asked.mistakes, False, asked.force)
    classifier = load_trained(model, "cnn")
    if not asked.quiet:
        tell_of_all(asked.top, classifier)
    files.check_report(asked.html, classifier, asked.force)
    loaded = load_for(classifier, data, asked.strict, asked.quiet)
    parts, is_trained_on = with_held_out(loaded, classifier.header)
    chosen, images = parts.chosen(asked.part, data)
    top = asked.top and min(asked.top, len(classifier.labels))
    report = evaluate(classifier, images, top or TOP)
    if not asked.quiet:
        origin = _origin(data, parts, loaded, chosen, is_trained_on)
        unlike = differences(data, images, classifier.preprocessing)
        unused = not_of_folders({"strict": asked.strict}, data)
        for note in (*unused, *loaded.about, *images.notes, *origin, *unlike):
            complain(note)
    title = f"{model} on {data}, {chosen}"
    if asked.confusion is not None:  # before stdout, which `| head` may close
        files.draw_confusion(report, asked.confusion, title, asked.force)
    if asked.mistakes is not None:
        files.draw_mistakes(report, images, asked.mistakes, title, asked.force)
    _tell_lost_letters(asked)
    if asked.html is not None:
        files.write_page(asked.html, classifier, report, images, asked.force)
    if asked.as_json:
        print_json(_entry(report, model, data, chosen, is_trained_on))
    else:
        show_report(report, f"{model} on {data}", chosen, "image", len(images))


def _tell_lost_letters(asked: Asked) -> None:
    """Which letters of names a picture has not."""
    from cnntool.visuals.fonts import told_lost

    is_drawn = asked.confusion is not None or asked.mistakes is not None
    for note in told_lost() if is_drawn and not asked.quiet else ():
        complain(note)


def measure_text(asked: Asked) -> None:
    """Put a language model to a text, and print what was found."""
    from cnntool.datasets.texts.encodings import check_decoded
    from cnntool.networks.model import load_trained
    from cnntool.training.evaluation import evaluate_text

    model, (text,) = asked.model, asked.data
    trained = load_trained(model, "rnn")
    check_decoded(asked.encoding, trained.vocabulary.level)
    with reading(text, asked.quiet) as advance:
        corpus = trained.read(text, asked.encoding, advance)
    report = evaluate_text(trained, corpus, asked.part)
    if report.part == "validation" and not asked.quiet:
        complain(f"{text}: this is the end that training held out; --part all takes all")
    elif report.learned_from and not asked.quiet:
        complain(f"{text}: the model learned from this text, a new one may be harder")
    if asked.as_json and not asked.tokens:
        print_json(_text_entry(report, model, text))
        return
    from cnntool.cli.evaluation_texts import show_text_report, show_tokens

    if asked.tokens:
        show_tokens(report, asked.as_json)
    else:
        show_text_report(report, f"{model} on {text}")


def measure_sequences(asked: Asked) -> None:
    """Put a model of sequences to samples, and print and write what was found."""
    from cnntool.cli import evaluation_files as files
    from cnntool.cli.evaluation_tables import show_report
    from cnntool.cli.predictions import differences
    from cnntool.datasets.sequences.inputs import PixelInput
    from cnntool.datasets.sequences.reading import check_unread
    from cnntool.networks.model import load_sequence_model
    from cnntool.training import parts
    from cnntool.training.evaluation import evaluate_samples
    from cnntool.training.measures import judge, perplexity
    from cnntool.training.report import ClassifierReport
    from cnntool.training.sequence_baselines import baselines_of
    from cnntool.training.sequence_feeds import judging_feed
    from cnntool.visuals import fonts

    fonts.use(asked.font)
    files.check_files(asked.confusion, asked.mistakes, True, asked.force)
    model, data = load_sequence_model(asked.model), joined(asked.data)
    files.check_report(asked.html, model, asked.force)
    given = {name: getattr(asked, name) for name in (*OF_SAMPLES, *OF_TEXTS)}
    check_unread(given, *asked.data)
    with reading(data, asked.quiet) as advance:
        how = parts.read_options(model, asked.data, given)
        loaded = parts.load_for(model, asked.data, how, advance)
    found = parts.judged(model, loaded, asked.part, data)
    baselines = None if found.training is None else baselines_of(model, found.training)
    report = evaluate_samples(model, found.samples, baselines, asked.beam or 1)
    judgement = (
        None if model.writer is None else judge(model.network, judging_feed(model, found.samples))
    )
    if not asked.quiet:
        unlike: list[str] = []
        if isinstance(model.reader, PixelInput):
            images = PixelInput.images(found.samples.inputs, found.samples.form)
            unlike = differences(data, images, model.reader.preprocessing)
        own = parts.not_taken(model, asked.data, given)
        for note in (*own, *found.notes, *unlike):
            complain(note)
    title, samples = f"{asked.model} on {data}", found.samples
    unit = UNITS.get(samples.form, samples.form)
    if asked.mistakes is not None:
        files.write_mistakes(report, samples, unit, asked.mistakes, asked.force)
    if isinstance(report, ClassifierReport):  # of others both are refused
        if asked.confusion is not None:
            named = f"{title}, {found.part}"
            files.draw_confusion(report, asked.confusion, named, asked.force)
        if asked.html is not None:
            files.write_text_page(asked.html, model, report, data, asked.force)
    _tell_lost_letters(asked)
    if not asked.as_json:
        show_report(report, title, found.part, unit, len(samples), judgement)
        return
    entry: dict[str, Any] = {"model": asked.model, "data": asked.data, "part": found.part}
    entry |= {"samples": len(samples), "learned_from": found.is_learned_from}
    if judgement is not None:
        entry["perplexity_given_the_right_beginning"] = perplexity(judgement.loss)
    print_json({**entry, **report.facts(), "mistakes": report.mistakes})


def load_for(classifier: Classifier, data: str, strict: bool, quiet: bool = True) -> Parts:
    """The set in the size and the colours of the network, its classes numbered as the model's."""
    from cnntool.datasets.images.dataset import LoadOptions
    from cnntool.datasets.images.parts import relabelled
    from cnntool.datasets.images.preprocessing import COLOURS
    from cnntool.datasets.images.sources import load_images

    wanted = classifier.preprocessing
    colour = {channels: name for name, channels in COLOURS.items()}.get(wanted.channels, "auto")
    with reading(data, quiet) as advance:
        how = LoadOptions(wanted.size, colour, strict, levels=wanted.levels)
        parts = load_images(data, how, advance)
    return parts.map(
        lambda part: wanted.prepared(relabelled(part, classifier.labels, classifier.name))
    )


def _origin(data: str, parts: Parts, loaded: Parts, chosen: str, is_trained_on: bool) -> list[str]:
    """What to know of images that the network may have learned from."""
    if not is_trained_on:
        return []
    is_held_out = parts.validation is not None and loaded.validation is None
    if chosen == "validation" and is_held_out:
        return [f"{data}: these are the images that training held out; --part all takes all"]
    if chosen in ("train", "all"):
        remedy = "; --part validation takes those held out" if is_held_out else ""
        return [f"{data}: the network learned from these images, new ones may be harder{remedy}"]
    return []


def _entry(report: ClassifierReport, model: str, data: str, part: str, is_trained_on: bool) -> dict:
    from cnntool.training.report import class_facts

    scores = report.scores
    return {
        "model": model,
        "data": data,
        "part": part,
        "images": report.accuracy.count,
        "learned_from": is_trained_on and part in ("train", "all"),
        "accuracy": report.accuracy.value,
        "loss": report.loss,
        "top_k": {"k": report.k, "accuracy": report.top_k},
        "macro": scores.macro,
        "weighted": scores.weighted,
        "classes": class_facts(report.labels, scores),
        "confusion": report.confusion,
        "mistakes": [
            {
                "index": mistake.index,
                "file": readable(mistake.place or None),
                "true": mistake.reference,
                "predicted": mistake.answer,
                "probability": mistake.probability,
            }
            for mistake in report.mistakes
        ],
    }


def _text_entry(report: TextReport, model: str, text: str) -> dict[str, Any]:
    from cnntool.training.measures import perplexity

    corpus = report.corpus
    return {
        "model": model,
        "text": text,
        "part": report.part,
        "level": corpus.vocabulary.level,
        "tokens": report.count,
        "characters": corpus.characters,
        "learned_from": report.learned_from,
        "loss": report.loss,
        "perplexity": report.perplexity,
        "bits_per_token": report.bits_per_token,
        "bits_per_character": report.bits_per_character,
        "accuracy": report.accuracy,
        "unknown_rate": corpus.unknown_rate,
        "own_unknown_rate": corpus.own_unknown_rate,
        "known": {
            "tokens": report.count - report.unknown,
            "loss": report.known_loss,
            "perplexity": perplexity(report.known_loss),
        },
    }
