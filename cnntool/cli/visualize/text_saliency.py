"""`cnntool visualize saliency --text`: what each word says for the answer to a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.console import complain, console
from cnntool.cli.one_input import OneInput, one_input
from cnntool.cli.options import Limits
from cnntool.cli.terminal import has_colour, say
from cnntool.cli.visualize.options import (
    Reported,
    Target,
    answer_facts,
    answer_text,
    class_index,
    target_of,
)
from cnntool.engine.losses import softmax
from cnntool.errors import RequestError
from cnntool.networks.model import SequenceModel, load_trained
from cnntool.networks.model_file import KINDS
from cnntool.study.saliency import token_saliency
from cnntool.visuals import paper
from cnntool.visuals.heat import coloured_words, tinted
from cnntool.wording import counted, readable, signed, span

MOST_TOKENS = 1000


def draw_text_saliency(
    path: str,
    text: str,
    label: str | None,
    word: int | None,
    limits: Limits,
    picture: Reported,
) -> None:
    """Draw what each token says for a class, or for the tag of a word by its number from 1; the
    likeliest one for None."""
    model, given, step, odds = answer_to(path, text, word, limits)
    asked = class_index(model, label)
    what = given.stem, f"word-{word}" if word else None, "gradient", label
    target = target_of(picture, path, *what)
    index = int(odds.argmax()) if asked is None else asked
    values = token_saliency(model.network, given.x, given.lengths, index, step)
    picture.note(*given.notes)
    said = answer_text(model.labels, odds, index)
    of = f"{given.steps[step]}: " if word else ""
    title, label = f"'{given.title}' through {Path(path).name}: {of}{said}", model.labels[index]
    how = f"gradient of the score of {label} by each token's vector, times the vector"
    framed = step if word else None
    deliver_words(
        target,
        model,
        given,
        values,
        (title, how),
        label,
        framed,
        lambda: _entry(model, given, word, values, odds, index),
    )


def answer_to(
    path: str, text: str, word: int | None, limits: Limits, option: str = "--text"
) -> tuple[SequenceModel, OneInput, int, np.ndarray]:
    """A model, the text as it takes it, the step of a word by its number from 1, or 0, and the odds
    of all classes, or of the word's tags; option: what the text is called.

    RequestError for a model that takes none, and where the word is missing or of no use; InputError
    where what the network gives is not finite.
    """
    model = load_for_text(path, word)
    given = one_input(model, text, most=MOST_TOKENS, limits=limits, option=option)
    if word is not None and word > len(given.steps):
        there = counted(len(given.steps), "word")
        expected = span(1, len(given.steps))
        raise RequestError(f"--word {word}: the text has {there}: expected {expected}")
    step = (word or 1) - 1
    scores = model.scores(given.x, given.lengths)
    return model, given, step, softmax(scores[step, 0] if word else scores[0])


def deliver_words(
    target: Target,
    model: SequenceModel,
    given: OneInput,
    values: np.ndarray,
    lines: tuple[str, str],
    label: str,
    framed: int | None,
    facts: Callable[[], dict[str, Any]] | None = None,
) -> None:
    """Draw a text, each token in the colour of its value: what it says for a class, or against it.
    framed: the token that the answer is of."""
    are_letters = model.reader.vocabulary.level != "word"  # type: ignore[union-attr]
    ends = f"against {label}", f"for {label}"
    target.deliver(
        coloured_words(given.steps, values, lines, ends, are_letters, framed),
        draw=lambda: draw_words(given.steps, values, lines[0], are_letters),
        facts=facts,
    )


def load_for_text(path: str, word: int | None) -> SequenceModel:
    model = load_trained(path)
    if not isinstance(model, SequenceModel) or model.header.kind not in ("classifier", "tagger"):
        raise RequestError(
            f"--text is for a classifier or a tagger of texts, and {path} is "
            f"{KINDS[model.header.kind]}"
        )
    if model.header.kind == "tagger" and word is None:
        raise RequestError(f"{path} is a tagger: say which word's tag is asked for with --word N")
    if model.header.kind == "classifier" and word is not None:
        raise RequestError(f"--word is for a tagger, and {path} is a classifier: leave it out")
    return model


def draw_words(steps: tuple[str, ...], values: np.ndarray, title: str, are_letters: bool) -> None:
    """The text on stderr, its tokens coloured, or with their numbers where there are no colours."""
    from rich.text import Text

    say([title])
    if not has_colour():
        pairs = zip(steps, values.tolist(), strict=True)
        complain(" ".join(f"{token}({signed(value)})" for token, value in pairs))
        return
    line, limit = Text(), float(np.abs(values).max()) or 1.0
    for token, (r, g, b) in zip(steps, tinted(values, -limit, limit).tolist(), strict=True):
        ink = "rgb({},{},{})".format(*paper.ink_on((r, g, b)))
        line.append(token if are_letters else f" {token} ", f"{ink} on rgb({r},{g},{b})")
    console(stderr=True).print(line)


def _entry(
    model: SequenceModel,
    given: OneInput,
    word: int | None,
    values: np.ndarray,
    odds: np.ndarray,
    index: int,
) -> dict[str, Any]:
    return {
        "text": readable(given.name),
        "model": readable(model.name),
        "method": "gradient",
        "word": word,
        **answer_facts(model.labels, odds, index),
        "tokens": [
            {"token": token, "value": value}
            for token, value in zip(given.steps, values, strict=True)
        ],
    }
