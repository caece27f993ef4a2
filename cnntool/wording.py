"""Numbers and layers in sentences."""

from __future__ import annotations

import re

LONG_TABLE = re.compile(r"(connections \S{40})\S{40,}")


def counted(count: int, noun: str) -> str:
    """``"1 epoch"``, ``"1,797 images"``, ``"2 classes"``: a number and what it counts."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


def shown_layer(text: str) -> str:
    """A layer as in a network's description, of a long connection table only the beginning."""
    return LONG_TABLE.sub(r"\1...", text)


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
