"""`cnntool explain prediction` of an image: the exact sum over its pixels and over the layers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from cnntool.cli.console import labelled, picked, print_json, show, styled, table
from cnntool.cli.explain.options import Contrast, read_contrast
from cnntool.cli.terminal import draw_pixels
from cnntool.cli.visualize.options import Preparing, Reported, read_one, target_of
from cnntool.datasets.images.preprocessing import picture_within
from cnntool.errors import InputError
from cnntool.files.limits import free_memory
from cnntool.networks.model import Classifier
from cnntool.networks.network import shapes_of
from cnntool.study.affine_sum import AffineSum, Turn, affine_sum, first_bend, smallest_turn
from cnntool.study.saliency import Shares, image_shares
from cnntool.visuals.overlays import PANEL, prediction_picture
from cnntool.wording import bytes_text, readable, shortened

MOST_PIXELS = 5
"""That are listed for and against."""


@dataclass(frozen=True, eq=False)
class Question:
    """Which score, of a prepared image x (1, C, H, W). answers: the probabilities of all
    classes."""

    name: str
    classifier: Classifier
    x: np.ndarray
    answers: np.ndarray
    score: Contrast

    @property
    def runner_up(self) -> int:
        """The class that the likeliest one is nearest to turn to, or the one that was named."""
        order = self.answers.argsort()[::-1]
        index, rival = self.score.index, self.score.rival
        if rival is not None and index == order[0]:
            return rival
        return int(order[1] if index == order[0] else index)


VALUE_BYTES = 24
"""Of a value of a map: it, its gradient and what a layer keeps, in float64 for the sum."""


def _check_memory(classifier: Classifier, x: np.ndarray, name: str) -> None:
    """InputError where the maps of an image at its own size would not fit into memory."""
    shapes = shapes_of(classifier.network.layers, x.shape[1:])
    need, free = VALUE_BYTES * sum(prod(shape) for shape in shapes), free_memory()
    if free is not None and need > free:
        raise InputError(
            f"{name}: the maps of {x.shape[3]} x {x.shape[2]} pixels need about "
            f"{bytes_text(need)} of memory, and {bytes_text(free)} are free: leave out --own-size, "
            "or make it smaller"
        )


def explain_image(
    path: str,
    name: str,
    label: str | None,
    against: str | None,
    preparing: Preparing,
    picture: Reported,
) -> None:
    """Print the sum that the score of a class is, less that of the class ``against``."""
    classifier, image, x = read_one(path, name, preparing, picture)
    _check_memory(classifier, x, name)
    answers = classifier.probabilities(x)[0]
    score = read_contrast(classifier, answers, label, against)
    target = None
    if picture.is_asked_for:
        what = Path(name).stem, "prediction", label
        target = target_of(picture, path, *what, read={"IMAGE": name})
    question = Question(name, classifier, x, answers, score)
    bend = first_bend(classifier.network)
    found: AffineSum | Shares
    if bend is None:
        found = affine_sum(classifier.network, x, score.weights)
    else:
        found = image_shares(classifier.network, x, score.weights)
        picture.note(
            f"{bend[0]} ({bend[1]}) is not linear piece by piece: integrated gradients from the "
            "mean image are given instead of the exact sum"
        )
    turn = smallest_turn(classifier.network, x, question.runner_up) if len(answers) > 1 else None
    if picture.as_json:
        print_json(_entry(question, found, turn, bend and bend[0]))
    elif picture.output != "-":
        _show(question, found, turn)
    if target is not None:
        sheet = prediction_picture(picture_within(image, PANEL), *_drawn(question, found, turn))
        target.deliver(
            sheet,
            draw=lambda: draw_pixels(sheet, [_title(question)]),
        )


def _title(question: Question) -> str:
    labels, answers = question.classifier.labels, question.answers
    order = answers.argsort()[::-1][:2]
    said = ", ".join(f"{labels[i]} {answers[i]:.1%}" for i in order)
    model = Path(question.classifier.name).name
    return f"{Path(question.name).name} through {model}: {said}"


def _parts(question: Question, found: AffineSum | Shares) -> list[tuple[str, float, str]]:
    """The terms of the sum: what each is called, how much it is, and what it is."""
    if isinstance(found, Shares):
        pixels = float(found.values.sum())
        return [
            ("mean image", found.baseline, "the score of the image that is 0 once prepared"),
            ("pixels", pixels, "sum of integrated gradient x pixel"),
        ]
    layers = dict(
        zip(question.classifier.network.names, question.classifier.network.layers, strict=True)
    )
    rows = [("pixels", found.pixels, "sum of effective filter x pixel")]
    rows += [(name, value, str(layers[name])) for name, value in found.layers.items()]
    return rows


def _show(question: Question, found: AffineSum | Shares, turn: Turn | None) -> None:
    show((_title(question), "bold"))
    show()
    rows = table(f"score of {question.score.words}", "", names="part", left=("",))
    parts = _parts(question, found)
    for name, value, what in parts:
        rows.add_row(name, f"{value:+.6f}", shortened(what, 60))
    total = sum(value for _, value, _ in parts)
    rows.add_row(styled("total", style="bold"), styled(f"{total:+.6f}", style="bold"), "")
    rows.add_row("the network", f"{found.score:+.6f}", f"{_missing(found)}")
    show(rows)
    show()
    facts = []
    for words, pixels in _extremes(found).items():
        places = ", ".join(f"{x},{y} {value:+.3g}" for x, y, value in pixels) or "none"
        facts.append((words, f"{places}  (column,row of the prepared image)"))
    lines = _turn_lines(question, turn)
    facts += zip(["turning", ""], lines, strict=False)
    show(labelled(facts))


def _missing(found: AffineSum | Shares) -> str:
    if isinstance(found, Shares):
        return f"completeness error {found.error:.1e} of the change, at {found.places} places"
    return f"they differ by {found.error:.1e} of the largest part"


def _products(found: AffineSum | Shares) -> np.ndarray:
    """(H, W): what each pixel adds, in all channels."""
    values = found.values if isinstance(found, Shares) else found.products
    return values.sum(axis=0)


def _extremes(found: AffineSum | Shares) -> dict[str, list[tuple[int, int, float]]]:
    """The pixels that speak most for the score and against it: (x, y, how much)."""
    products = _products(found)
    order = products.ravel().argsort()
    chosen = {"for": order[::-1][:MOST_PIXELS], "against": order[:MOST_PIXELS]}
    signs = {"for": 1, "against": -1}
    result = {}
    for words, flat in chosen.items():
        rows, columns = np.unravel_index(flat, products.shape)
        places = zip(columns.tolist(), rows.tolist(), products.ravel()[flat].tolist(), strict=True)
        result[words] = [place for place in places if place[2] * signs[words] > 0]
    return result


def _levels(question: Question, turn: Turn) -> tuple[float, float, bool]:
    """Of a step, in levels of 255: the root of the mean square, the largest, and whether some
    pixel is then beyond black or white."""
    preparing = question.classifier.preprocessing
    before = preparing.shown(question.x.astype(np.float64))
    after = preparing.shown(question.x + turn.step[None])
    change = 255 * np.abs(after - before)
    is_beyond = bool(after.min() < min(-1e-6, before.min()) or after.max() > max(1, before.max()))
    return float(np.sqrt(np.mean(change**2))), float(change.max()), is_beyond


def _turn_lines(question: Question, turn: Turn | None) -> list[str]:
    labels = question.classifier.labels
    if turn is None:
        return ["no step along the gradient turns the answer"]
    mean, most, is_beyond = _levels(question, turn)
    facts = []
    if turn.relus:
        facts.append(f"{turn.switched:,} of {turn.relus:,} relus switch on the way")
    if is_beyond:
        facts.append("some pixels are beyond black or white then")
    step = f"to {labels[turn.to]} by a step of {mean:.3g} levels of 255 a pixel"
    lines = [f"{step} (at most {most:.3g}), verified by the network"]
    return lines + (["; ".join(facts)] if facts else [])


def _drawn(question: Question, found: AffineSum | Shares, turn: Turn | None) -> tuple[Any, ...]:
    """Maps, bars, ends and lines of the picture."""
    parts = _parts(question, found)
    total = sum(value for _, value, _ in parts)
    score = question.score
    bars = [*((name, value) for name, value, _ in parts), (f"score of {score.words}", total)]
    if isinstance(found, Shares):
        maps = [("integrated gradient x pixel", _products(found))]
    else:
        maps = [
            ("effective filter", found.filter.sum(axis=0)),
            ("effective filter x pixel", _products(found)),
        ]
    label, rival = score.facts.values()
    ends = f"against {label}" if rival is None else f"for {rival}", f"for {label}"
    what = "sum and network" if not isinstance(found, Shares) else "integrated gradients"
    turning = "; ".join(_turn_lines(question, turn))
    lines = [_title(question), turning, f"{what}: {_missing(found)}"]
    if turn is None:
        return maps, bars, ends, lines, None
    lines[1] = f"turns {lines[1]}"
    turned = f"turned: {score.labels[turn.to]}", _turned(question, turn)
    return maps, bars, ends, lines, turned


def _turned(question: Question, turn: Turn) -> np.ndarray:
    """The image after the step, (H, W, 3) uint8."""
    pixels = question.classifier.preprocessing.shown(question.x + turn.step[None])[0]
    planes = np.clip(np.rint(255 * pixels), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(planes, 3, axis=2) if planes.shape[2] == 1 else planes[..., :3]


def _entry(
    question: Question, found: AffineSum | Shares, turn: Turn | None, bend: str | None
) -> dict[str, Any]:
    labels = question.classifier.labels
    entry: dict[str, Any] = {
        "image": readable(question.name),
        "model": readable(question.classifier.name),
        **question.score.facts,
        "probabilities": dict(zip(labels, question.answers.tolist(), strict=True)),
        "score": found.score,
        "exact": bend is None,
        "bends_at": bend,
        "error": found.error,
    }
    if isinstance(found, Shares):
        pixels = {"pixels": float(found.values.sum()), "products": found.values}
        entry |= picked(found, "baseline", "places") | pixels
    else:
        entry |= picked(found, "pixels", "layers", "total", "filter", "products")
    entry["extremes"] = {
        words: [{"x": x, "y": y, "value": value} for x, y, value in pixels]
        for words, pixels in _extremes(found).items()
    }
    entry["turn"] = None
    if turn is not None:
        mean, most, is_beyond = _levels(question, turn)
        entry["turn"] = {
            "to": labels[turn.to],
            "length": turn.length,
            "levels": mean,
            "largest": most,
            "beyond": is_beyond,
            **picked(turn, "relus", "switched", "linear", "step"),
        }
    return entry
