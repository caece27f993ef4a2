"""What `cnntool info` shows: the layers of a network, and how it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, prod
from typing import Any

from rich.table import Table
from rich.text import Text

from cnntool.cli.console import console, labelled, one_line, show, table
from cnntool.datasets.sequences.inputs import Input, PixelInput, TextInput, input_from_json
from cnntool.datasets.texts.tokens import UNITS
from cnntool.networks.layers.layer import Shape
from cnntool.networks.model import Trained, TrainedText
from cnntool.networks.model_file import Header, Model
from cnntool.networks.network import Network
from cnntool.networks.summary import LayerSummary, array_shapes, multiply_adds, summarize
from cnntool.networks.weight_files import Fact
from cnntool.training.measures import perplexity
from cnntool.training.progress import number_of
from cnntool.wording import counted, duration, shape_text, shown_layer, sparkline

CURVE_WIDTH = 40
MOST_LABELS = 20

ORIGIN = ("seed", "data", "valid", "val_split", "validation_fingerprint", "test")
"""What stands beside the settings of training, and is not one of them."""

NARROW = 110
"""Columns of a terminal below which headers are short."""

LOSSES, ACCURACIES = ("loss", "validation_loss"), ("accuracy", "validation_accuracy")
"""What an epoch says of itself. An accuracy of texts that are said would be one of single tokens,
given the right beginning, which tells little of whole ones."""

LEAST_ROOM = 15
"""Columns that the layers' texts need, on several lines."""


def show_layers(name: str, network: Network) -> None:
    """Print a row a layer of a network of images, and the sums, on stdout."""
    size = ", or of any size" if network.takes_any_size else ""
    show((name, "bold cyan"), f"  images of {shape_text(network.input_shape)}{size}")
    show()
    show(_layer_table(summarize(network), ("parameters", "connections", "multiply_adds")))


def show_steps(name: str, network: Network, what: str) -> None:
    """The same of a network of sequences, or of an encoder and a decoder; what: kind it is of."""
    show((name, "bold cyan"), f"  {what}")
    show(shown_layer(network.spec))
    show()
    layers = summarize(network)
    show(_layer_table(layers, ("parameters", "multiply_adds")))
    show()
    show("multiply-adds are those of a step, or of a picture")
    if any(map(network.starts_of, network.names)):
        show("a decoder's start state, made once a text, is counted with its recurrence")


def _layer_table(layers: Sequence[LayerSummary], names: Sequence[str]) -> Table:
    """A row a layer with some of its numbers; what it sees where any sees a window."""
    sums = [sum(getattr(layer, name) for layer in layers) for name in names]
    is_narrow, is_short = _fitted(layers, sums)
    has_windows = any(layer.receptive_field for layer in layers)
    work = "mult-adds" if is_narrow else "multiply-adds"
    heads = [work if name == "multiply_adds" else name for name in names]
    rows = table(
        *("layer", "output", *heads, *["sees"][: int(has_windows)]),
        names="name",
        left=("layer", "output", "sees"),
        footer=("total", "", "", *(_count(total, is_short) for total in sums)),
    )
    rows.columns[2].no_wrap = True
    rows.columns[-1].no_wrap = True
    rows.columns[0].style, rows.columns[1].overflow = "cyan", "fold"
    for layer in layers:
        field = layer.receptive_field
        sees = "all" if field is None else f"{field[0]} x {field[1]}"
        output = shape_text(layer.output_shape)
        if is_short:
            sees, output = sees.replace(" ", ""), _short(layer.output_shape)
        counts = (getattr(layer, name) for name in names)
        cells = [_count(count, is_short) if count else "" for count in counts]
        cells += [sees] if has_windows else []
        rows.add_row(layer.name, Text(shown_layer(layer.layer)), output, *cells)
    return rows


def _short(shape: Shape) -> str:
    """``16x5x5``, ``84``, or of steps ``64 a step``."""
    sizes = "x".join(str(size) for size in shape if size)
    return f"{sizes} a step" if shape[0] is None else sizes


def _fitted(layers: Sequence[LayerSummary], sums: Sequence[int]) -> tuple[bool, bool]:
    """Whether the terminal is narrow, and whether full numbers would leave the layers no room."""
    screen = console()
    if not screen.is_terminal:
        return False, False
    names, outputs = (
        max(map(len, texts))
        for texts in (
            [layer.name for layer in layers],
            [shape_text(layer.output_shape) for layer in layers],
        )
    )
    numbers = [max(len("connections"), len(f"{total:,}")) for total in sums]
    room = screen.width - names - outputs - sum(numbers) - len("100 x 100") - 12
    return screen.width < NARROW, room < LEAST_ROOM


def _count(count: int, is_short: bool) -> str:
    """``448,084,224``, or ``448.1 M``."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**4, "k")) if is_short else ():
        if count >= size:
            return f"{count / (size if size > 10**4 else 10**3):.4g} {unit}"
    return f"{count:,}"


def show_arrays(name: str, network: Network, trained: Trained | None) -> None:
    """Print a row an array of a network of tokens, with its shape in words and in numbers."""
    takes, batch = "tokens", None
    if isinstance(trained, TrainedText):
        takes = f"{trained.vocabulary.level}s, {trained.seq_length} at a time"
        batch = trained.batch_size
    arrays = array_shapes(network, batch)
    show((name, "bold cyan"), f"  {takes}")
    show(network.spec)
    show()
    total = sum(array.parameters for array in arrays)
    rows = table(
        *("shape", "here", "parameters"),
        names="array",
        left=("shape",),
        footer=("total", "", "", f"{total:,}"),
    )
    rows.columns[0].style = "cyan"
    for array in arrays:
        sizes = " x ".join("batch" if size is None else str(size) for size in array.shape)
        count = f"{array.parameters:,}" if array.parameters else ""
        rows.add_row(array.name, array.meaning, sizes, count)
    show(rows)
    show()
    show(f"{multiply_adds(network):,} multiply-adds a token")


SETTINGS = {
    "shards": "processes",
    "restart": "windows to a new start",
    "hides": "rare tokens learned as unknown",
}
"""What settings are called whose names in a file are not those of the options: a run's processes,
and what no option sets."""


def show_weights(name: str, facts: Sequence[Fact]) -> None:
    """Print a row an array of a file that another tool saved."""
    show((name, "bold cyan"), "  arrays that another tool saved")
    show()
    counts = [prod(fact.shape) for fact in facts]
    footer = ("total", "", "", f"{sum(counts):,}")
    rows = table("shape", "type", "numbers", names="array", left=("shape", "type"), footer=footer)
    for fact, count in zip(facts, counts, strict=True):
        shape = " x ".join(f"{size:,}" for size in fact.shape) or "one number"
        rows.add_row(one_line(fact.name), shape, fact.dtype.name, f"{count:,}")
    show(rows)


def show_model(model: Model, size: int) -> None:
    """Print what a model file says besides its network, on stdout."""
    show()
    show(labelled(_facts(model, size)))


def _facts(model: Model, size: int) -> list[tuple[str, str]]:
    header = model.header
    if header.kind == "rnn":
        level = header.preprocessing.get("level")
        facts = [("tokens", _some([_token(level, label) for label in header.labels]))]
    elif header.kind == "cnn":
        facts = [("labels", _some(header.labels)), ("images", _preprocessing(header))]
    else:
        facts = _sequences(header)
    says_texts = header.kind in ("translator", "captioner")
    facts += _history(header.history, LOSSES if says_texts else (*LOSSES, *ACCURACIES))
    if says_texts and (losses := _numbers(header.history, "validation_loss")):
        reached = f"{perplexity(min(losses)):.4g} at best, given the right beginning"
        facts.append(("validation perplexity", reached))
    origin = _origin(header.training)
    if origin:
        facts.append(("trained on", origin))
    pairs = [
        f"{SETTINGS.get(name, name.replace('_', ' '))} {_plain(value)}"
        for name, value in header.training.items()
        if name not in ORIGIN and value not in ("", None)
    ]
    if pairs:
        facts.append(("settings", ", ".join(pairs)))
    facts.append(("seed", str(header.seed)))
    if header.fingerprint:
        facts.append(("fingerprint", f"{header.fingerprint} of the data"))
    facts.append(("file", f"{size:,} bytes, {', '.join(_contents(model))}"))
    return facts


def _token(level: Any, label: str) -> str:
    """A token of a text; characters and bytes in quotes, as a space or a comma is one."""
    is_word = level in ("word", "symbol") or len(label) > 1
    return one_line(label) if is_word else repr(label)


def _sequences(header: Header) -> list[tuple[str, str]]:
    """What goes into a model of sequences, and what comes out."""
    reader = input_from_json(header.preprocessing)
    facts = [("takes", _taken(header, reader))]
    if isinstance(reader, TextInput):
        facts.append((_unit(reader), _tokens(reader)))
    target = header.preprocessing.get("target")
    if not isinstance(target, dict):
        what = "tags" if header.kind == "tagger" else "labels"
        return [*facts, (what, _some([one_line(label) for label in header.labels]))]
    writer = input_from_json({**target, "tokens": list(header.labels)})
    assert isinstance(writer, TextInput)
    most = counted(header.preprocessing["longest"], "token")
    facts.append(("says", f"texts of {_unit(writer)}, at most {most}"))
    return [*facts, (f"{_unit(writer)} said", _tokens(writer))]


def _unit(texts: TextInput) -> str:
    return f"{UNITS.get(texts.level, texts.level)}s"


def _taken(header: Header, reader: Input) -> str:
    if isinstance(reader, PixelInput):
        kind = "videos, frames" if reader.form == "frames" else "pictures"
        return f"{kind} {_preprocessing(header)}"
    if not isinstance(reader, TextInput):
        return f"series of {counted(len(reader.mean), 'number')} a step"
    what = "words given one by one" if reader.form == "words" else f"texts of {_unit(reader)}"
    folded = ", in lower case" if reader.folds and reader.level == "word" else ""
    spelled = ""
    if reader.letters is not None:
        spelled = f", and their {counted(len(reader.letters), 'letter')}"
    return f"{what}{folded}{spelled}"


def _tokens(texts: TextInput) -> str:
    known = texts.vocabulary
    return _some([_token(texts.level, token) for token in known.tokens])


def _some(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:MOST_LABELS])
    more = f", ... ({len(labels):,} in all)" if len(labels) > MOST_LABELS else ""
    return shown + more


def _preprocessing(header: Header) -> str:
    from cnntool.datasets.images.dataset import FULL
    from cnntool.datasets.images.preprocessing import Preprocessing

    found = Preprocessing.from_json(header.preprocessing)
    colour = {1: "grey", 3: "in colour"}.get(found.channels, f"of {found.channels} channels")
    height, width = header.input_shape[-2:]
    size = f"{height} x {width} pixels" + (" or any other size" if found.size is None else "")
    mean, std = (", ".join(f"{value:.4g}" for value in each) for each in (found.mean, found.std))
    black, white = found.levels or FULL
    levels = f"black {black:.4g} to white {white:.4g}"
    return f"{colour}, {size}; {levels}, minus {mean}, divided by {std}"


def _origin(training: Mapping[str, Any]) -> str:
    """The data, what was held out of it, and what else was named, where a model says so."""
    if not training.get("data"):
        return ""
    share = training.get("val_split")
    data = training["data"]
    text = ", ".join(map(str, data)) if isinstance(data, list) else str(data)
    if training.get("valid"):
        text += f", validated on {training['valid']}"
    elif isinstance(share, int | float) and 0 < share < 1:
        text += f", {share:.3g} of it held out"
    return text + (f", tested on {training['test']}" if training.get("test") else "")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _contents(model: Model) -> list[str]:
    held = [f"cnntool {model.header.version}"]
    held.append("training can go on" if model.state else "no state to train on from")
    if model.filters:
        held.append(f"first filters kept {counted(len(model.filters), 'time')}")
    return held


def _history(history: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[tuple[str, str]]:
    """The length of training, and the course of loss and accuracy as small curves."""
    if not history:
        return []
    seconds = sum(_numbers(history, "seconds"))
    facts = [("epochs", f"{len(history):,}" + (f", in {duration(seconds)}" if seconds else ""))]
    for key in sorted(keys, key=lambda key: key.startswith("validation")):
        is_share, values = key in ACCURACIES, _numbers(history, key)
        if not values:
            continue
        first, last = (_figure(value, is_share) for value in (values[0], values[-1]))
        best = max(values) if is_share else min(values)
        at = f", best {_figure(best, is_share)}" if best != values[-1] else ""
        course = f"{first} to {last}" if len(values) > 1 else last
        facts.append((key.replace("_", " "), f"{sparkline(values, CURVE_WIDTH)}  {course}{at}"))
    return facts


def _numbers(history: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """What the epochs say of a key, without those that have no number."""
    return [value for epoch in history if isfinite(value := number_of(epoch, key))]


def _figure(value: float, is_share: bool) -> str:
    return f"{value:.2%}" if is_share else f"{value:.4f}"
