"""How a loss in nats is said of words, characters and bytes."""

from __future__ import annotations

from cnntool.datasets.texts.tokens import UNITS
from cnntool.training.measures import bits, perplexity


def unit(level: str) -> str:
    """What one token is called: word, character or byte."""
    return UNITS[level]


def judged(loss: float, level: str) -> str:
    """``perplexity 123.4``, or ``bits/char 2.345``: what the field measures at this level."""
    if level == "word":
        value = perplexity(loss)
        return f"perplexity {value:.1f}" if value < 1e6 else f"perplexity {value:.3g}"
    return f"bits/{level} {bits(loss):.3f}"
