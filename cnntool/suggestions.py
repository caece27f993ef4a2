"""What to say of a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that is most like ``word``, whatever its case and its dashes; '' for none."""
    names = {_plain(name): name for name in known}
    near = difflib.get_close_matches(_plain(word), names, n=1)
    return names[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"did you mean 'sobel'?"``, or '' where no known name is near."""
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else ""


def suggestion(word: str, known: Iterable[str], most: int | None = None) -> str:
    """``": did you mean 'sobel'?"``, or the names there are where none is near.

    most: of names that are listed, the first ones.  [default: all]
    """
    known = list(known)
    shown = known[:most]
    listed = ", ".join(shown) + (", ..." if len(shown) < len(known) else "")
    return f": {did_you_mean(word, known) or 'expected ' + listed}"


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
