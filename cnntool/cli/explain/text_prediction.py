"""`cnntool explain prediction` of a text: the share of each token in the score."""

from __future__ import annotations

from pathlib import Path

from cnntool.cli.console import picked, print_json, show, table
from cnntool.cli.explain.options import read_contrast
from cnntool.cli.options import Limits
from cnntool.cli.visualize.options import Reported, target_of
from cnntool.cli.visualize.text_saliency import answer_to, deliver_words
from cnntool.study.saliency import token_shares
from cnntool.wording import readable


def explain_text(
    path: str,
    text: str,
    label: str | None,
    against: str | None,
    word: int | None,
    limits: Limits,
    picture: Reported,
) -> None:
    """Print what each token adds to the score of a class, or of the tag of a word, from 1; less
    that of the class ``against``."""
    model, given, step, odds = answer_to(path, text, word, limits, "TEXT")
    picture.note(*given.notes)
    contrast = read_contrast(model, odds, label, against)
    target = None
    if picture.is_asked_for:
        target = target_of(
            picture, path, given.stem, f"word-{word}" if word else None, "prediction"
        )
    found = token_shares(model.network, given.x, given.lengths, contrast.weights, step)
    values = found.values.sum(axis=-1)
    label, odd = model.labels[contrast.index], odds[contrast.index]
    title = f"'{given.title}' through {Path(path).name}: {label}, {odd:.1%}"
    missing = f"completeness error {found.error:.1e} of the change, at {found.places} places"
    if picture.as_json:
        print_json(
            {
                "text": readable(given.name),
                "model": readable(model.name),
                "word": word,
                **contrast.facts,
                "probability": odd,
                **picked(found, "score", "baseline", "error", "places"),
                "tokens": [
                    {"token": token, "share": share}
                    for token, share in zip(given.steps, values, strict=True)
                ],
            }
        )
    elif picture.output != "-":
        show((title, "bold"))
        rows = table(f"score of {contrast.words}", names="token")
        rows.add_row("without the text", f"{found.baseline:+.4f}")
        for token, share in zip(given.steps, values.tolist(), strict=True):
            rows.add_row(token, f"{share:+.4f}")
        rows.add_row("total", f"{found.baseline + values.sum():+.4f}")
        rows.add_row("the network", f"{found.score:+.4f}")
        show(rows)
        show(missing)
    if target is not None:
        share = f"share of each token in the score of {contrast.words}"
        lines = title, f"{share}: integrated gradients; {missing}"
        framed = step if word else None
        deliver_words(target, model, given, values, lines, label, framed)
