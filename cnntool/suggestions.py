"""What to say of a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(word: str, known: Iterable[str]) -> str:
    """``": did you mean 'sobel'?"``, or all the names there are where none is near."""
    known = list(known)
    near = difflib.get_close_matches(word.lower().replace("_", "-"), known, n=1)
    return f": did you mean '{near[0]}'?" if near else f": expected {', '.join(known)}"
