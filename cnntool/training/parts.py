"""What a model learned from, found again in the data, and what it held out of that: of images, of a
text, and of samples that are read as they were."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from cnntool.datasets.holding_out import hold_out, overlap
from cnntool.datasets.images.parts import Parts
from cnntool.datasets.images.parts import hold_out as hold_out_images
from cnntool.datasets.sequences.inputs import PixelInput
from cnntool.datasets.sequences.reading import load_samples
from cnntool.datasets.sequences.samples import ReadOptions, Samples, put_together
from cnntool.datasets.texts.corpus import Corpus, split
from cnntool.datasets.texts.text import STDIN, Advance
from cnntool.errors import InputError, RequestError
from cnntool.networks.model import SequenceModel
from cnntool.networks.model_file import Header
from cnntool.training.sequence_baselines import is_compared
from cnntool.training.settings import Streams
from cnntool.wording import counted, joined, listed

COLOURS = {1: "grey", 3: "rgb"}

READING = ("format", "text_column", "label_column", "column", "group")
"""What the header says of how the data was written."""


def read_options(
    model: SequenceModel, data: Sequence[str], given: Mapping[str, Any]
) -> ReadOptions:
    """How data is read for a model: what training named as it was there, but for what is given;
    pictures in the model's size and colours."""
    found = _asked_in_training(model) if _is_named_in_training(model, data) else {}
    found |= {key: value for key, value in given.items() if value is not None}
    found.setdefault("encoding", model.encoding)
    if isinstance(model.reader, PixelInput):
        how = model.reader.preprocessing
        found |= {"resize": how.size, "colour": COLOURS.get(how.channels, "auto")}
    return ReadOptions(**found)


def not_taken(model: SequenceModel, data: Sequence[str], given: Mapping[str, Any]) -> list[str]:
    """A note on what training asked for, by which other data is not read; none where it is none."""
    asked = {k: v for k, v in _asked_in_training(model).items() if given.get(k) is None}
    if not asked or _is_named_in_training(model, data):
        return []
    options = joined([f"--{key.replace('_', '-')} {value}" for key, value in asked.items()])
    return [
        f"{joined(data)}: read as it looks, not with the {options} that {model.name} was trained "
        "with: name it where it holds here, too"
    ]


def _asked_in_training(model: SequenceModel) -> dict[str, Any]:
    training = model.header.training
    return {key: training[key] for key in READING if training.get(key) is not None}


def _is_named_in_training(model: SequenceModel, data: Sequence[str]) -> bool:
    """Whether it is what was learned from, or that to validate or to test on."""
    training = model.header.training
    own = [training.get("data"), *([training.get(key)] for key in ("valid", "test"))]
    there = [os.path.realpath(each) for each in data]
    return any(
        [os.path.realpath(str(each)) for each in paths] == there
        for paths in own
        if isinstance(paths, list) and None not in paths
    )


def load_for(
    model: SequenceModel,
    data: str | Sequence[str],
    how: ReadOptions,
    advance: Advance | None = None,
) -> dict[str, Samples]:
    """The parts of some data, made from the seed of training where it is made on the spot."""
    header = model.header
    return load_samples(data, header.kind, how, abs(header.seed), advance)


def held_out_share(header: Header) -> float | None:
    """Of what a model was trained on, held out to validate on; None where that is not known."""
    share = header.training.get("val_split")
    return share if isinstance(share, int | float) and 0 <= share < 1 else None


def as_in_training(parts: Mapping[str, Samples], header: Header) -> tuple[dict[str, Samples], bool]:
    """The parts as they were in training, and whether the model learned from ``train``.

    What was held out of it is found again by the seed. Where no part is to be trained on, the first
    was, and is ``train`` then.
    """
    first = "train" if "train" in parts else next(iter(parts))
    train = parts[first]
    if not header.fingerprint or train.fingerprint != header.fingerprint:
        return dict(parts), False
    parts = {"train": train, **{part: each for part, each in parts.items() if part != first}}
    fraction = held_out_share(header)
    if not fraction:
        return dict(parts), True
    rng = Streams(abs(header.seed))["split"]
    learned, held, _ = hold_out(train, rng, fraction, header.kind == "classifier")
    own = {} if held is None else {"validation": held}
    return {**parts, "train": learned, **own}, True


def learned_from(model: SequenceModel) -> Samples | None:
    """The training part that its header names, without what was held out; None where it is not
    there any more, or has changed."""
    header = model.header
    data = header.training.get("data")
    if not isinstance(data, list) or not data or STDIN in data:
        return None
    try:
        data = [str(each) for each in data]
        parts = load_for(model, data, read_options(model, data, {}))
    except (InputError, RequestError):
        return None
    found, is_trained_on = as_in_training(parts, header)
    return found["train"] if is_trained_on else None


def _strange_tags(model: SequenceModel, samples: Samples) -> list[str]:
    """A note on tags that a tagger has not; none where there are none."""
    if model.header.kind != "tagger":
        return []
    counts = Counter(chain.from_iterable(samples.answers))
    strange = sorted(set(counts) - set(model.labels))
    if not strange:
        return []
    which = f"{counted(len(strange), 'tag')} ({listed(strange, 4)}), that {model.name} has not"
    count = sum(counts[tag] for tag in strange)
    verb = "is" if len(strange) == 1 else "are"
    return [f"{samples.name}: {which}, {verb} never answered: {count:,} of its tags count as wrong"]


@dataclass(frozen=True, eq=False)
class Judged:
    """The samples that a model is judged by, of which part; training: what it learned from, None
    where that is not known. notes: what there is to say of all of them."""

    part: str
    samples: Samples
    training: Samples | None
    is_learned_from: bool
    notes: tuple[str, ...]


def judged(
    model: SequenceModel, loaded: Mapping[str, Samples], part: str | None, data: str
) -> Judged:
    """The part that was asked for, or that says most: test, else what was held out, else all.

    RequestError for a part that there is not.
    """
    parts, is_trained_on = as_in_training(loaded, model.header)
    if part is None:
        part = next((name for name in ("test", "validation") if name in parts), "all")
    if part not in (*parts, "all"):
        there = " or ".join(parts)
        raise RequestError(f"{data} has no {part} part: use --part {there}, or all")
    samples = parts[part] if part in parts else put_together(data, list(loaded.values()))
    training = parts["train"] if is_trained_on else learned_from(model)
    notes = [note for each in loaded.values() for note in each.notes]
    is_held_out = is_trained_on and part == "validation" and samples is not loaded.get(part)
    is_learned_from = is_trained_on and part in ("train", "all")
    if is_held_out:
        notes.append(f"{data}: these are the samples that training held out; --part all takes all")
    if is_learned_from:
        held = "; --part validation takes those held out" if "validation" in parts else ""
        notes.append(f"{data}: {model.name} learned from these, new ones may be harder{held}")
    if training is None:
        notes.append(
            f"{model.name}: what it learned from is not there any more, or has changed: no simple "
            "ways to answer are fitted beside"
        )
    elif not is_learned_from:
        notes += overlap(training, samples)
    if training is not None and is_compared(model):
        notes.append(
            f"{model.name}: the same network without recurrence is trained beside in training "
            "alone, and not compared with here"
        )
    notes += _strange_tags(model, samples)
    return Judged(part, samples, training, is_learned_from, tuple(notes))


def with_held_out(parts: Parts, header: Header) -> tuple[Parts, bool]:
    """The parts as they were in training, and whether the network learned from ``train``.

    The fingerprint tells whether it did. What training held out of it to validate on is then found
    again from the seed, where the fingerprint is that of the rest, or where the settings say how
    much it was.
    """
    if not header.fingerprint or "train" not in parts.each:
        return parts, False
    fraction = held_out_share(header)
    try:
        rng = Streams(abs(header.seed))["split"]
        split = hold_out_images(parts, rng, fraction)
    except InputError:  # one image a class: nothing was held out
        split = parts
    if split.train.fingerprint == header.fingerprint:
        return split, True
    is_trained_on = parts.train.fingerprint == header.fingerprint
    return split if is_trained_on and fraction is not None else parts, is_trained_on


def text_parts(corpus: Corpus, header: Header) -> tuple[dict[str, Corpus], bool]:
    """The parts of a text by name, and whether the model was trained on it: then it is split as it
    was in training."""
    share = held_out_share(header)
    is_trained_on = corpus.fingerprint == header.fingerprint
    if not is_trained_on or not share:
        return {"all": corpus}, is_trained_on
    train, held = split(corpus, share)
    assert held is not None  # of a share above 0
    return {"validation": held, "train": train, "all": corpus}, True
