"""`cnntool visualize saliency --text`: what each word says for the answer to a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.console import complain, console, print_json
from cnntool.cli.one_input import one_input
from cnntool.cli.terminal import has_colour, say
from cnntool.cli.visualize.options import Picture, Report, target_of
from cnntool.engine.losses import softmax
from cnntool.errors import RequestError
from cnntool.networks.model import SequenceModel, load_trained
from cnntool.networks.model_header import KINDS
from cnntool.study.saliency import token_saliency
from cnntool.visuals import paper
from cnntool.visuals.heat import tinted
from cnntool.visuals.word_picture import coloured_words
from cnntool.wording import instead, readable, signed

MOST_TOKENS = 1000


def draw_text_saliency(
    path: str, text: str, label: str | None, picture: Picture, report: Report
) -> None:
    """Draw what each token says for a class, the likeliest one for None."""
    model = _load(path)
    given = one_input(model, text, most=MOST_TOKENS)
    target = target_of(picture, path, given.stem, "gradient")
    picture.note(*given.notes)
    scores = model.network.forward(given.x, lengths=given.lengths)[0][0]
    odds, likeliest = softmax(scores), int(scores.argmax())
    index = likeliest if label is None else _index(model, label)
    values = token_saliency(model.network, given.x, given.lengths, index)
    answers = [likeliest] if index == likeliest else [likeliest, index]
    said = "; ".join(f"{model.labels[each]}, {odds[each]:.1%}" for each in answers)
    name, label = given.title, model.labels[index]
    title = f"'{name}' through {Path(path).name}: {said}"
    how = f"gradient of the score of {label} by each token's vector, times the vector"
    are_letters = model.reader.vocabulary.level != "word"  # type: ignore[union-attr]
    words = (title, how), (f"against {label}", f"for {label}"), are_letters
    target.deliver(
        coloured_words(given.steps, values, *words),
        draw=lambda: _draw(given.steps, values, title, are_letters),
        print_path=not report.as_json,
    )
    if report.as_json:
        print_json(_entry(model, given, values, odds, index, target.path))


def _load(path: str) -> SequenceModel:
    model = load_trained(path)
    if not isinstance(model, SequenceModel) or model.header.kind != "classifier":
        raise RequestError(
            f"--text is for a classifier of texts, and {path} is {KINDS[model.header.kind]}"
        )
    return model


def _index(model: SequenceModel, label: str) -> int:
    if label not in model.labels:
        there = instead(label, model.labels)
        raise RequestError(f"{model.name} has no class '{label[:60]}', only {there}")
    return model.labels.index(label)


def _draw(steps: tuple[str, ...], values: np.ndarray, title: str, are_letters: bool) -> None:
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
    model: SequenceModel, given: Any, values: np.ndarray, odds: np.ndarray, index: int, path: Any
) -> dict[str, Any]:
    def answer(each: int) -> dict[str, Any]:
        return {"label": model.labels[each], "probability": odds[each]}

    return {
        "text": readable(given.name),
        "model": readable(model.name),
        "method": "gradient",
        "class": answer(index),
        "likeliest": answer(int(odds.argmax())),
        "tokens": [
            {"token": token, "value": value}
            for token, value in zip(given.steps, values, strict=True)
        ],
        "picture": path,
    }
