"""The page of a network of images or of texts: its layers, its inputs, and what reads them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.datasets.images.dataset import FULL, Dataset
from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.datasets.sequences.inputs import PixelInput, TextInput
from cnntool.errors import InputError, RequestError, not_finite
from cnntool.networks.decoding import greedy
from cnntool.networks.joined import Joined
from cnntool.networks.model import Classifier, SequenceModel, Trained, TrainedText
from cnntool.networks.model_file import KINDS
from cnntool.page.description import described
from cnntool.page.html import packed, page
from cnntool.wording import bytes_text, counted, instead, listed

MOST_BYTES = 20_000_000
"""Of weights in a page: a browser opens what is made of them, and a mail takes it."""

COMPUTING = (
    *("selftest", "arrays", "words", "windows", "convolution", "pools", "pointwise", "cells"),
    *("sequences", "steps", "network", "dom", "draw", "pixels"),
)
SCRIPTS = *COMPUTING, "reach", "story", "report", "images"
OF_CAPTIONS = *COMPUTING, "tokens", "captions"
OF_TEXTS = (
    *("selftest", "arrays", "words", "pointwise", "cells", "sequences", "tokens"),
    *("dom", "draw", "pixels", "report", "texts"),
)

SHOWN_BY = {
    "steps": "curves {} shows how it learned",
    "frames": "states {} CLIP shows it",
    "picture": "maps {} IMAGE shows it",
}
"""What draws a model of sequences that is none of texts, by what it reads."""

MOST_STEPS = 300
"""Tokens of a text by which is seen whether what a network makes of it is finite."""

MOST_SAMPLES = 7
"""Tokens of a text that is made where none is given."""


@dataclass(frozen=True, eq=False)
class Shown:
    """An image as the network takes it (1, C, H, W): its name, and its label where it has one."""

    name: str
    x: np.ndarray
    label: str | None = None


def image_page(
    model: Classifier,
    inputs: Sequence[Shown],
    last: str | None = None,
    report: dict[str, Any] | None = None,
) -> bytes:
    """The HTML file of a model of images; last: the layer up to which it goes, None for all.

    report: what was measured, to stand above: scores, confusion, history and mistakes, each with
    the number of the input that it is of.

    RequestError for an unknown layer, or where the weights would take over ``MOST_BYTES``;
    InputError where what a layer gives for an input, without one for 0, is not finite.
    """
    count = layers_up_to(model, last)
    for x in [each.x for each in inputs] or [np.zeros((1, *model.network.input_shape), np.float32)]:
        if not all(np.isfinite(y).all() for y in model.network.outputs(x)[:count]):
            raise not_finite(f"{model.name}: its network")
    header = model.header
    is_whole = count == len(model.network.layers)
    title = f"{Path(model.name).name}, layer by layer"
    if report is not None:
        title = report["title"]
    data = {
        "title": title,
        "facts": _facts_of(model),
        "layers": described(model.network, count),
        "labels": list(header.labels) if is_whole else None,
        "preprocessing": _preprocessing_of(model.preprocessing),
        "inputs": _packed_inputs(inputs),
        "report": report,
    }
    return page(title, data, SCRIPTS)


def caption_page(model: SequenceModel, inputs: Sequence[Shown]) -> bytes:
    """The HTML file of a captioner; errors as of :func:`image_page`."""
    assert isinstance(model.reader, PixelInput)
    if (size := _bytes_of(model)) > MOST_BYTES:
        raise RequestError(_too_large(model, size))
    for each in inputs:
        _check_finite_text(model, each.x)
    title = f"{Path(model.name).name}, word by word"
    data = {
        "title": title,
        "facts": _facts_of(model),
        "layers": described(model.network),
        "preprocessing": _preprocessing_of(model.reader.preprocessing),
        "inputs": _packed_inputs(inputs),
        **_writing(model),
    }
    return page(title, data, OF_CAPTIONS)


def text_page(
    model: TrainedText | SequenceModel,
    texts: Sequence[str],
    report: dict[str, Any] | None = None,
) -> bytes:
    """The HTML file of a model of texts; report: what was measured, to stand above.

    InputError for a model of anything else, where its weights are over ``MOST_BYTES``, and where
    what it makes of a text is not finite.
    """
    header = model.header
    reader = check_texts(model)
    texts = list(texts) or [_some_text(reader)]
    for text in texts:
        _check_finite_text(model, *_read(model, text))
    title = report["title"] if report else f"{Path(model.name).name}, token by token"
    data: dict[str, Any] = {
        "title": title,
        "report": report,
        "facts": _facts_of(model),
        "kind": header.kind,
        "layers": described(model.network),
        "reader": reader,
        "labels": list(header.labels) if header.kind in ("classifier", "tagger") else None,
        "texts": texts,
        **_writing(model),
    }
    return page(title, data, OF_TEXTS)


def _read(model: TrainedText | SequenceModel, text: str) -> tuple[Any, np.ndarray | None]:
    """The beginning of a text as a batch of one, and its length, None of running text."""
    if isinstance(model, TrainedText):
        return model.vocabulary.encode(text)[:MOST_STEPS, None], None
    given: Any = text.split() if model.reader.form == "words" else text
    return model.reader.rows([given], most=MOST_STEPS).take(np.arange(1))


def _check_finite_text(
    model: TrainedText | SequenceModel, x: Any, lengths: np.ndarray | None = None
) -> None:
    """InputError where what the network makes of a batch of one is not finite."""
    if isinstance(model, SequenceModel) and model.writer is not None:
        most = min(model.longest, MOST_STEPS)
        greedy(model.joined, x, lengths, model.writer.end, most)  # which says so itself
    elif len(x) if lengths is None else lengths[0]:
        model.scores(x, lengths)  # which does, too


def check_texts(model: TrainedText | SequenceModel) -> dict[str, Any]:
    """How a text becomes tokens; errors as of :func:`text_page`."""
    if isinstance(model, SequenceModel) and not isinstance(model.reader, TextInput):
        what, path = KINDS[model.header.kind], shlex.quote(model.name)
        raise InputError(
            f"{model.name} is {what} of {model.reader.form}: explore shows models of images and of "
            f"texts; cnntool visualize {SHOWN_BY[model.reader.form].format(path)}"
        )
    if (size := _bytes_of(model)) > MOST_BYTES:
        raise InputError(_too_large(model, size))
    if isinstance(model, TrainedText):
        vocabulary = model.vocabulary
        return {"form": "running", "level": vocabulary.level, "tokens": vocabulary.tokens}
    return model.reader.to_json()


def _writing(model: TrainedText | SequenceModel) -> dict[str, Any]:
    """What a network that writes needs beside its layers."""
    network = model.network
    found: dict[str, Any] = {"joint": network.joint if isinstance(network, Joined) else None}
    if isinstance(model, SequenceModel) and model.writer is not None:
        writer = model.writer
        tokens = {"level": writer.level, "tokens": writer.vocabulary.tokens}
        found |= {"writer": tokens, "end": writer.end, "longest": model.longest}
    return found


def _some_text(reader: dict[str, Any]) -> str:
    """The most frequent tokens of the model, where no text is given."""
    tokens = [token for token in reader["tokens"][1:] if token.strip() and "<" not in token]
    space = " " if reader["level"] in ("word", "symbol") else ""
    return "hello" if reader["level"] == "byte" else space.join(tokens[:MOST_SAMPLES])


def _preprocessing_of(preparing: Preprocessing) -> dict[str, Any]:
    """What the page needs to show what a network takes, and to make it of pixels."""
    black, white = preparing.levels or FULL
    is_dark = preparing.usual_brightness < 0.5
    how = {"black": black, "white": white, "dark": is_dark}
    return {"mean": preparing.mean, "std": preparing.std, **how}


def _packed_inputs(inputs: Sequence[Shown]) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "planes": packed(each.x[0])}
        | ({} if each.label is None else {"label": each.label})
        for each in inputs
    ]


def layers_up_to(model: Classifier, last: str | None) -> int:
    """How many layers the page shows; RequestError as of :func:`image_page`."""
    names = model.network.names
    if last is not None and last not in names:
        there = instead(last, names)
        raise RequestError(f"{model.name} has no layer '{last[:60]}', only {there}")
    count = len(names) if last is None else names.index(last) + 1
    sizes = [_bytes_up_to(model, each) for each in range(len(names) + 1)]
    if sizes[count] > MOST_BYTES:
        most = max(each for each, size in enumerate(sizes) if size <= MOST_BYTES)
        remedy = f"--layers {names[most - 1]} shows the layers up to there" if most else "none fits"
        raise RequestError(_too_large(model, sizes[count], remedy))
    return count


def _too_large(model: Trained, size: int, remedy: str = "train a smaller one") -> str:
    return (
        f"{model.name} has {bytes_text(size)} of weights, and a page takes "
        f"{bytes_text(MOST_BYTES)}: {remedy}"
    )


def _bytes_of(model: Trained) -> int:
    return sum(array.nbytes for array in model.network.params.values())


def _bytes_up_to(model: Classifier, count: int) -> int:
    names = set(model.network.names[:count])
    arrays = model.network.params | model.network.buffers
    return sum(array.nbytes for path, array in arrays.items() if path.partition(".")[0] in names)


def _facts_of(model: Trained) -> str:
    """What there is to say of it in a line."""
    header = model.header
    weights = sum(array.size for array in model.network.params.values())
    found = [f"{counted(weights, 'weight')} in {counted(len(model.network.layers), 'layer')}"]
    if data := header.training.get("data"):
        names = [data] if isinstance(data, str) else data
        found.append(f"learned from {listed([Path(str(name)).name for name in names], 4)}")
    best = [row for row in header.history if row.get("is_best")]
    accuracy = best[-1].get("validation_accuracy") if best else None
    if accuracy is not None:
        found.append(f"{accuracy:.1%} right on what was held out")
    return "; ".join(found)


def one_of_each(data: Dataset) -> np.ndarray:
    """Where the first image of each class stands that has any."""
    return np.unique(data.y, return_index=True)[1]
