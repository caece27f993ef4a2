"""The options of the trainers of sequences as a model file keeps them, for runs that go on."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import click

from cnntool import choices
from cnntool.cli.training.plan import Start
from cnntool.cli.training.sequence_options import SequenceOptions
from cnntool.cli.training.sources import sources_of
from cnntool.datasets.sequences.holding_out import DEFAULT_FRACTION
from cnntool.datasets.sequences.inputs import MOST_STEPS
from cnntool.datasets.sequences.samples import Samples
from cnntool.errors import InputError
from cnntool.networks.model import Sequenced

READING = (
    "format", "encoding", "text_column", "label_column", "column", "group", "resize", "colour",
)  # fmt: skip
"""Options that say how data is read."""

MAKING = (
    "level", "source_level", "target_level", "vocab_size", "min_count", "max_length", "cell",
    "embed_size", "hidden_size", "layers", "dropout", "letters", "one_way", "pool", "attention",
    "class_weights",
)  # fmt: skip
"""Options that say what is made of it."""

KEPT = ("val_split", *READING, *MAKING)
"""What a file keeps of the options, with ``data``, ``valid`` and ``test``."""

USUAL: dict[str, Any] = {
    "encoding": "utf-8",
    "colour": "auto",
    "min_count": 1,
    "max_length": MOST_STEPS,
    "class_weights": "none",
}
NETWORKS: dict[str, Any] = {"pool": "max", "attention": "general"}
"""What is taken for granted, of networks where no text gives all layers."""

Options = TypeVar("Options", bound=SequenceOptions)


def as_before(options: Options, start: Start) -> Options:
    """What was given, and what was not as it was when the run began; InputError where its file does
    not say that."""
    name, origin = start.name, start.origin
    named = options.data, options.valid, options.test
    data, valid, test = sources_of(name, origin, "data", *named)
    kept: dict[str, Any] = {
        each.name: origin.get(each.name) for each in fields(options) if each.name in KEPT
    }
    for each in fields(options):
        value = kept.get(each.name)
        if each.name == "resize" and isinstance(value, list):
            value = kept[each.name] = tuple(value)
        if value is not None and not is_possible(each.metadata["attributes"], value):
            raise InputError(f"{name} is damaged: its {each.name} is {str(value)[:40]!r}")
    encoding = start.trained.encoding
    return replace(options, **(kept | {"encoding": encoding}), data=data, valid=valid, test=test)


def is_possible(attributes: dict[str, Any], value: Any) -> bool:
    """Whether a command could be given the value of an option with these attributes."""
    if "type" not in attributes:
        return isinstance(value, bool)  # a flag
    if attributes["type"] is str:
        return isinstance(value, str)
    text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
    try:
        return attributes["type"].convert(text, None, None) == value
    except click.UsageError:
        return False


def settled(kind: Sequenced, options: Options) -> Options:
    """With what is taken for granted in the place of what was not given."""
    usual = USUAL
    if not isinstance(options.layers, str):
        usual = USUAL | {"layers": 1} | NETWORKS | choices.SIZES[kind]
    names = [each.name for each in fields(options)]
    missing = [name for name in usual if name in names and getattr(options, name) is None]
    return replace(options, **{name: usual[name] for name in missing})


def origin_of(options: SequenceOptions, validation: Samples | None) -> dict[str, Any]:
    """What reading, splitting and making the same again takes."""
    found: dict[str, Any] = {"data": list(options.data)}
    found |= {key: getattr(options, key) for key in ("valid", "test")}
    found["validation_fingerprint"] = validation.fingerprint if validation else None
    for key in KEPT:
        if hasattr(options, key):
            value = getattr(options, key)
            found[key] = list(value) if isinstance(value, tuple) else value
    if found["val_split"] is None and validation is None:
        found["val_split"] = DEFAULT_FRACTION
    return found
