"""Sets that come along, and sets that are made when they are asked for. Without NumPy."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cnntool.specs import Form, Parameter

if TYPE_CHECKING:
    from cnntool.datasets.sequences.samples import Samples


@dataclass(frozen=True)
class BuiltIn:
    """A set of samples that needs no file.

    task: what learns from it. line: what it is, and its licence. maker: the module and the function
    that give its parts; those of a set that is made take the values of the parameters and a seed.
    """

    task: str
    line: str
    maker: str
    parameters: tuple[Parameter, ...] = ()


def _count(default: int | None, help: str, maximum: int) -> Parameter:
    return Parameter("count", default, help, 10, maximum, int)


BUILT_IN = {
    "addresses": BuiltIn(
        "tagger",
        "1,513 US addresses with what each word is, of 29 tags; from usaddress, MIT",
        "packed.addresses",
    ),
    "names": BuiltIn(
        "classifier",
        "8,003 English first names, male or female, without 419 that are both; Moby Word II, CC0",
        "packed.names",
    ),
    "vowels": BuiltIn(
        "classifier",
        "640 series of 12 cepstra: which of nine men says 'ae'; Kudo and others, UCI, CC BY 4.0",
        "packed.vowels",
    ),
    "pronunciations": BuiltIn(
        "translator",
        "30,000 English words and how they are said, in 39 phonemes; from CMUdict, BSD-2",
        "packed.pronunciations",
    ),
    "sums": BuiltIn(
        "translator",
        "two numbers added, such as 123+45 with the answer 168; made on the spot",
        "made_pairs.sums",
        (
            _count(None, "by default 40,000, or half of all pairs", 500_000),
            Parameter("digits", 3, "a number has at most", 1, 9, int),
        ),
    ),
    "dates": BuiltIn(
        "translator",
        "dates in fourteen ways of five languages, with the answer 2024-03-05; made on the spot",
        "made_pairs.dates",
        (_count(12_000, "of dates", 500_000),),
    ),
    "shapes": BuiltIn(
        "captioner",
        "colour pictures of 32x32 of one or two shapes, with a sentence each; made on the spot",
        "shapes.shapes",
        (_count(5_000, "of pictures", 100_000),),
    ),
    "digit-strings": BuiltIn(
        "captioner",
        "pictures of 16x64 of one to five handwritten digits, and which; from UCI's, CC BY 4.0",
        "made_of_digits.digit_strings",
        (_count(6_000, "of pictures", 100_000),),
    ),
    "moving-digits": BuiltIn(
        "tagger",
        "videos of 16x16 in which a digit comes, turns into others and goes; from UCI's, CC BY 4.0",
        "made_of_digits.moving_digits",
        (_count(2_000, "of videos", 20_000),),
    ),
}
"""By the names that commands take, with a colon and settings behind those that are made."""


def load_built_in(spec: str, seed: int = 0) -> dict[str, Samples]:
    """The parts of a set, such as ``addresses`` or ``sums:digits=2``; the same for the same seed.

    RequestError for settings that it does not take.
    """
    name, colon, settings = spec.partition(":")
    chosen = BUILT_IN[name]
    form = Form(name, chosen.parameters)
    values = form.filled(form.read(settings if colon else None, spec))
    module, function = chosen.maker.split(".")
    make = getattr(importlib.import_module(f"cnntool.datasets.sequences.{module}"), function)
    parts = make(**values, seed=seed) if chosen.parameters else make()
    return {
        part: replace(each, name=each.name.replace(name, spec, 1), format=chosen.line)
        for part, each in parts.items()
    }
