"""What `cnntool info` shows: the layers of a network, and how it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from rich.text import Text

from cnntool.cli.console import console, labelled, one_line, show, table
from cnntool.networks.model import Trained, TrainedText
from cnntool.networks.model_file import Model
from cnntool.networks.model_header import Header
from cnntool.networks.network import Network
from cnntool.networks.summary import LayerSummary, array_shapes, multiply_adds, summarize
from cnntool.networks.weight_files import Fact
from cnntool.training.progress import is_finite
from cnntool.wording import counted, duration, shape_text, shown_layer, sparkline

CURVE_WIDTH = 40
MOST_LABELS = 20

ORIGIN = ("seed", "data", "valid", "val_split", "validation_fingerprint", "test")
"""What stands beside the settings of training, and is not one of them."""

NARROW = 110
"""Columns of a terminal below which headers are short."""

LEAST_ROOM = 15
"""Columns that the layers' texts need, on several lines."""


def show_layers(name: str, network: Network) -> None:
    """Print a row a layer, and the sums, on stdout."""
    layers = summarize(network)
    size = ", or of any size" if network.takes_any_size else ""
    takes = f"  images of {shape_text(network.input_shape)}{size}"
    show((name, "bold cyan"), takes)
    show()
    sums = (
        sum(layer.parameters for layer in layers),
        sum(layer.connections for layer in layers),
        sum(layer.multiply_adds for layer in layers),
    )
    is_narrow, is_short = _fitted(layers, sums)
    numbers = "parameters", "connections", "mult-adds" if is_narrow else "multiply-adds"
    rows = table(
        *("layer", "output", *numbers, "sees"),
        names="name",
        left=("layer", "output", "sees"),
        footer=("total", "", "", *(_count(total, is_short) for total in sums)),
    )
    for column in rows.columns[2], rows.columns[6]:
        column.no_wrap = True
    rows.columns[0].style, rows.columns[1].overflow = "cyan", "fold"
    for layer in layers:
        counts = layer.parameters, layer.connections, layer.multiply_adds
        field = layer.receptive_field
        sees = "all" if field is None else f"{field[0]} x {field[1]}"
        output = shape_text(layer.output_shape)
        if is_short:
            sees, output = sees.replace(" ", ""), output.replace(" x ", "x").split()[0]
        cells = (_count(count, is_short) if count else "" for count in counts)
        rows.add_row(layer.name, Text(shown_layer(layer.layer)), output, *cells, sees)
    show(rows)


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
    heads = len("parameters"), len("connections"), len("mult-adds"), len("100 x 100")
    numbers = [max(head, len(f"{total:,}")) for head, total in zip(heads, (*sums, 0), strict=True)]
    room = screen.width - names - outputs - sum(numbers) - 12
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
        facts = [("tokens", _some([_token(header, label) for label in header.labels]))]
    else:
        facts = [("labels", _some(header.labels)), ("images", _preprocessing(header))]
    facts += _history(header.history)
    origin = _origin(header.training)
    if origin:
        facts.append(("trained on", origin))
    pairs = [
        f"{name.replace('_', ' ')} {_plain(value)}"
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


def _token(header: Header, label: str) -> str:
    """A token of a text; characters and bytes in quotes, as a space or a comma is one."""
    is_word = header.preprocessing.get("level") == "word" or len(label) > 1
    return one_line(label) if is_word else repr(label)


def _some(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:MOST_LABELS])
    more = f", ... ({len(labels):,} in all)" if len(labels) > MOST_LABELS else ""
    return shown + more


def _preprocessing(header: Header) -> str:
    from cnntool.datasets.images.dataset import FULL
    from cnntool.datasets.images.preprocessing import Preprocessing

    found = Preprocessing.from_json(header.preprocessing)
    colour = {1: "grey", 3: "in colour"}.get(found.channels, f"of {found.channels} channels")
    _, height, width = header.input_shape
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


def _history(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The length of training, and the course of loss and accuracy as small curves."""
    if not history:
        return []
    seconds = sum(_numbers(history, "seconds"))
    facts = [("epochs", f"{len(history):,}" + (f", in {duration(seconds)}" if seconds else ""))]
    for key, is_share in (
        ("loss", False),
        ("accuracy", True),
        ("validation_loss", False),
        ("validation_accuracy", True),
    ):
        values = _numbers(history, key)
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
    return [float(epoch[key]) for epoch in history if is_finite(epoch.get(key))]


def _figure(value: float, is_share: bool) -> str:
    return f"{value:.2%}" if is_share else f"{value:.4f}"
