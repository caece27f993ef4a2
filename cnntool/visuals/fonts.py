"""Letters in pictures: of Pillow's own font, and where that lacks some, of a font of the system.

A line is drawn in one font: the first that has all its letters, else the one that has most, and
what that lacks in others. What no font has becomes ``?``, a name among others its number;
:func:`told_lost` says so afterwards.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cnntool.errors import InputError
from cnntool.wording import counted, joined

if TYPE_CHECKING:
    from PIL import ImageFont

    Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

OWN = ""
"""Pillow's own font, among paths of others."""

SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
MOST_FONTS = 4
"""Of a script that are looked at."""

UNUSUAL = re.compile("bold|black|heavy|thin|light|italic|oblique|cond|mono|serif|math|symbol", re.I)

SYMBOL = "SYMBOL"

_first = [OWN]  # what is taken where it has the letters
_lost: dict[str, str] = {}  # what is drawn, and the text that it stands for
_lost_scripts: dict[str, None] = {}
_samples: dict[str, str] = {}  # a letter of each script that was met


def use(path: str | None) -> None:
    """Draw in the letters of a font file from now on, None for Pillow's own.

    InputError where the file is no font.
    """
    try:
        if path is not None and os.path.exists(path) and not os.path.isfile(path):
            raise ValueError("a pipe, which FreeType would wait for")
        load(path or OWN, 16)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no font"
        raise InputError(
            f"--font {path}: {reason}: name a file of letters, such as one that ends in "
            f"{', '.join(SUFFIXES[:2])} or {SUFFIXES[2]}"
        ) from None
    _first[:] = [OWN] if path is None else [path, OWN]
    _paths_for.cache_clear()
    runs.cache_clear()
    _forget()


@lru_cache(256)
def load(path: str, size: int) -> Font:
    """A font in this size, in pixels; Pillow's own in its only one where there is no FreeType."""
    from PIL import ImageFont

    if path != OWN:
        return ImageFont.truetype(path, size)
    try:
        return ImageFont.load_default(size)
    except (ImportError, OSError):
        return ImageFont.load_default()


def path_for(text: str) -> str:
    """The font that a line is drawn in, as far as that has its letters."""
    return _paths_for(text)[0]


@lru_cache(4096)
def runs(text: str) -> tuple[tuple[str, str], ...]:
    """A line in pieces, one or more, each with the font that has its letters: (path, piece)."""
    paths = _paths_for(text)
    found = [(paths[0], "")]
    for letter in text:
        last, piece = found[-1]
        path = last
        if letter != " ":
            path = next((path for path in paths if has(path, letter)), paths[0])
        if path == last or not piece:
            found[-1] = path, piece + letter
        else:
            found.append((path, letter))
    return tuple(found)


@lru_cache(4096)
def _paths_for(text: str) -> tuple[str, ...]:
    """The font that has most of the letters, and then others that have some."""
    letters = [letter for letter in dict.fromkeys(text) if letter != " "]
    lacking = [letter for letter in letters if not any(has(path, letter) for path in _first)]
    others = [path for letter in lacking for path in _fonts_with(letter)]
    paths = [*_first, *dict.fromkeys(others)]
    best = max(paths, key=lambda path: sum(has(path, letter) for letter in letters))
    return best, *(path for path in paths if path != best)


def drawable(text: str) -> str:
    r"""The text in letters that its font has: of others accents are left off, or it is ``?``.

    Control characters, and bytes that are no text, are escapes such as ``\x1b``; what is not seen,
    such as a mark of direction, is left out.
    """
    text = "".join(map(_seen, unicodedata.normalize("NFC", text)))
    lacking = {letter for path, piece in runs(text) for letter in piece if not has(path, letter)}
    drawn = "".join(_plain(letter) if letter in lacking else letter for letter in text)
    lost = [letter for letter in text if letter in lacking and _plain(letter) == "?"]
    if lost:
        _lost[drawn] = text
        _lost_scripts.update(dict.fromkeys(map(script_of, lost)))
    return drawn


def drawable_names(names: Sequence[str], numbers: Sequence[int] | None = None) -> list[str]:
    """Names as they can be drawn; of one that loses letters the number, such as ``#3``, from 0
    where ``numbers`` does not give it."""
    drawn = []
    for number, name in zip(numbers or range(len(names)), names, strict=True):
        line = drawable(name)
        if line in _lost and line != name:
            del _lost[line]
            line = f"#{number}"
            _lost[line] = name
        drawn.append(line)
    return drawn


def told_lost() -> list[str]:
    """What is to be said of the letters that no font had since it was last asked, in lines."""
    if not _lost:
        return []
    scripts = joined([script if script == "CJK" else script.lower() for script in _lost_scripts])
    lines = [
        f"no font here has the letters of {counted(len(_lost), 'text')} in the picture "
        f"({scripts}): name a font file that has them with --font FILE"
    ]
    widest = max(map(len, _lost))
    lines += [f"  {drawn:<{widest}}  is  {text}" for drawn, text in _lost.items()]
    _forget()
    return lines


def _forget() -> None:
    _lost.clear()
    _lost_scripts.clear()


@lru_cache(1 << 16)
def has(path: str, letter: str) -> bool:
    """Whether a font draws a letter; all that it lacks look the same."""
    from PIL import features

    if unicodedata.bidirectional(letter) in ("R", "AL") and not features.check("raqm"):
        return False  # it would run the wrong way
    return _mask(path, letter) not in (None, _mask(path, "\uffff"))


def _mask(path: str, letter: str) -> bytes | None:
    try:
        return bytes(load(path, 16).getmask(letter))
    except UnicodeEncodeError:  # Pillow's other font, which has Latin-1 only
        return None


def _seen(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind in ("Cf", "Zs"):
        return "" if kind == "Cf" else " "
    return letter if letter.isprintable() else repr(letter)[1:-1]


def _plain(letter: str) -> str:
    if "\u0300" <= letter <= "\u036f":  # an accent over whatever letter
        return ""
    plain = unicodedata.normalize("NFKD", letter.replace("ß", "ss"))
    plain = "".join(part for part in plain if not unicodedata.combining(part))
    return plain if plain and plain.isascii() and plain.isprintable() else "?"


def _fonts_with(letter: str) -> tuple[str, ...]:
    """Fonts of the system with letters of this one's script, or with this symbol; plain ones first.

    A script is looked for once, by the first letter of it that is met.
    """
    script = script_of(letter)
    return _fonts_of_system(letter if script == SYMBOL else _samples.setdefault(script, letter))


@lru_cache(64)
def _fonts_of_system(letter: str) -> tuple[str, ...]:
    def suits(path: str) -> bool:
        try:
            return has(path, letter)
        except (OSError, ValueError):  # of colour, or damaged
            return False

    def rank(path: str) -> tuple[int, bool, int, str]:
        stem = Path(path).stem
        return len(UNUSUAL.findall(stem)), "sans" not in stem.lower(), len(stem), path

    known = _by_fontconfig(letter)
    paths = sorted(_in_folders() if known is None else known, key=rank) + _of_charts()
    return tuple(islice((path for path in paths if suits(path)), MOST_FONTS))


def _by_fontconfig(letter: str) -> set[str] | None:
    """The files that fontconfig knows to have a letter; None where it is not installed."""
    asked = ["fc-list", f":charset={ord(letter):x}", "--format", "%{file}\n"]
    try:
        done = subprocess.run(asked, capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    paths = os.fsdecode(done.stdout).splitlines()
    return None if done.returncode else {p for p in paths if p.lower().endswith(SUFFIXES)}


def _in_folders() -> set[str]:
    """The font files in the usual folders of Linux, macOS and Windows."""
    local = os.environ.get("XDG_DATA_HOME", "~/.local/share")
    windows = os.environ.get("WINDIR", "C:/Windows")
    folders = {
        "linux": ["/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", f"{local}/fonts"],
        "darwin": ["/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"],
        "win32": [f"{windows}/Fonts", "~/AppData/Local/Microsoft/Windows/Fonts"],
    }.get(sys.platform, [])
    files = (each for folder in folders for each in Path(folder).expanduser().rglob("*"))
    return {str(each) for each in files if each.suffix.lower() in SUFFIXES}


def _of_charts() -> list[str]:
    """The font that comes with matplotlib, where that is installed, which is not imported here."""
    found = find_spec("matplotlib")
    folders = found.submodule_search_locations if found else None
    return [f"{folder}/mpl-data/fonts/ttf/DejaVuSans.ttf" for folder in folders or ()]


def script_of(letter: str) -> str:
    """The first word of its name, such as ``CYRILLIC``; SYMBOL of what is no letter."""
    is_letter = unicodedata.category(letter)[0] in "LMN"
    return unicodedata.name(letter, SYMBOL).partition(" ")[0] if is_letter else SYMBOL
