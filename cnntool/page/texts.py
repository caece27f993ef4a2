"""The page of a network of texts: a language model, a classifier, a tagger or a translator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnntool.datasets.sequences.inputs import TextInput
from cnntool.errors import InputError
from cnntool.networks.joined import Joined
from cnntool.networks.model import SequenceModel, TrainedText
from cnntool.networks.model_header import KINDS
from cnntool.page.description import described
from cnntool.page.html import page
from cnntool.page.models import MOST_BYTES, facts_of
from cnntool.wording import bytes_text

SCRIPTS = (
    *("selftest", "arrays", "words", "pointwise", "cells", "sequences", "tokens"),
    *("dom", "draw", "pixels", "report", "texts"),
)

MOST_SAMPLES = 7
"""Tokens of a text that is made where none is given."""


def check_texts(model: TrainedText | SequenceModel) -> dict[str, Any]:
    """How a text becomes tokens; errors as of :func:`text_page`."""
    network = model.network
    size = sum(array.nbytes for array in network.params.values())
    if size > MOST_BYTES:
        raise InputError(
            f"{model.name} has {bytes_text(size)} of weights, and a page takes "
            f"{bytes_text(MOST_BYTES)}: train a smaller one"
        )
    return _reader(model)


def text_page(
    model: TrainedText | SequenceModel,
    texts: Sequence[str],
    report: dict[str, Any] | None = None,
) -> bytes:
    """The HTML file of a model of texts; report: what was measured, to stand above.

    InputError for a model of anything else, and where its weights are over ``MOST_BYTES``.
    """
    header, network = model.header, model.network
    reader = check_texts(model)
    data: dict[str, Any] = {
        "title": report["title"] if report else f"{Path(model.name).name}, token by token",
        "report": report,
        "facts": facts_of(model),
        "kind": header.kind,
        "layers": described(network),
        "joint": network.joint if isinstance(network, Joined) else None,
        "reader": reader,
        "labels": list(header.labels) if header.kind in ("classifier", "tagger") else None,
        "texts": list(texts) or [_some_text(reader)],
    }
    if isinstance(model, SequenceModel) and model.writer is not None:
        writer = model.writer
        data |= {
            "writer": {"level": writer.level, "tokens": writer.vocabulary.tokens},
            "end": writer.end,
            "longest": model.longest,
        }
    return page(data["title"], data, SCRIPTS)


def _reader(model: TrainedText | SequenceModel) -> dict[str, Any]:
    """How a text becomes tokens; InputError for a model that reads none."""
    if isinstance(model, TrainedText):
        vocabulary = model.vocabulary
        return {"form": "running", "level": vocabulary.level, "tokens": vocabulary.tokens}
    if not isinstance(model.reader, TextInput):
        raise InputError(
            f"{model.name} is {KINDS[model.header.kind]} of {model.reader.form}: explore shows "
            "models of images and of texts; cnntool visualize states shows it"
        )
    return model.reader.to_json()


def _some_text(reader: dict[str, Any]) -> str:
    """The most frequent tokens of the model, where no text is given."""
    tokens = [token for token in reader["tokens"][1:] if token.strip() and "<" not in token]
    space = " " if reader["level"] in ("word", "symbol") else ""
    return "hello" if reader["level"] == "byte" else space.join(tokens[:MOST_SAMPLES])
