"""`cnntool explain prediction` of a text: the share of each token in the score."""

from __future__ import annotations

from pathlib import Path

from cnntool.cli.console import picked, print_json, show, table
from cnntool.cli.explain.options import read_contrast
from cnntool.cli.one_input import one_input
from cnntool.cli.options import Limits
from cnntool.cli.visualize.options import Picture, Report, target_of
from cnntool.cli.visualize.text_saliency import MOST_TOKENS, draw_words, load_for_text
from cnntool.engine.losses import softmax
from cnntool.errors import RequestError
from cnntool.study.integrated_gradients import token_shares
from cnntool.visuals.heat import coloured_words
from cnntool.wording import counted, readable


def explain_text(
    path: str,
    text: str,
    label: str | None,
    against: str | None,
    word: int | None,
    limits: Limits,
    picture: Picture,
    report: Report,
) -> None:
    """Print what each token adds to the score of a class, or of the tag of a word, from 1; less
    that of the class ``against``."""
    model = load_for_text(path, word)
    given = one_input(model, text, most=MOST_TOKENS, limits=limits, option="TEXT")
    if word is not None and word > len(given.steps):
        raise RequestError(f"--word {word}: the text has {counted(len(given.steps), 'word')}")
    step = (word or 1) - 1
    picture.note(*given.notes)
    scores = model.network.forward(given.x, lengths=given.lengths)[0]
    odds = softmax(scores[step, 0] if word else scores[0])
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
    if report.as_json:
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
        are_letters = model.reader.vocabulary.level != "word"  # type: ignore[union-attr]
        ends = f"against {label}", f"for {label}"
        share = f"share of each token in the score of {contrast.words}"
        lines = title, f"{share}: integrated gradients; {missing}"
        framed = step if word else None
        target.deliver(
            coloured_words(given.steps, values, lines, ends, are_letters, framed),
            draw=lambda: draw_words(given.steps, values, title, are_letters),
            print_path=not report.as_json,
        )
