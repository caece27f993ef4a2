"""Encodings of text: known by name, or guessed from the bytes of a text that is in another one."""

from __future__ import annotations

import codecs
import re
from shlex import quote
from unicodedata import category
from unicodedata import name as name_of

from cnntool.errors import RequestError
from cnntool.wording import joined, suggestion

BYTE_ORDER_MARK = "\ufeff"

COMMON_ENCODINGS = (
    *("utf-8", "utf-16", "utf-32", "latin-1", "ascii", "cp1250", "cp1251", "cp1252", "iso-8859-2"),
    *("iso-8859-15", "mac-roman", "koi8-r", "gb18030", "gbk", "big5", "shift-jis", "euc-jp"),
    "euc-kr",
)
"""What is suggested for a misspelt one; every encoding of text that Python knows is read."""

MARKS = {
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),  # before UTF-16's, which begin alike
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
UNMARKED = {"utf-32-le": (4, 3), "utf-32-be": (4, 0), "utf-16-le": (2, 1), "utf-16-be": (2, 0)}
"""Of how many bytes a text without a mark has NUL in which place, of ASCII at the least."""

CONTROLS = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f]")

CANDIDATES = (
    *("utf-8", "gb18030", "big5", "shift-jis", "euc-jp", "euc-kr", "cp1252", "cp1250", "cp1251"),
    *("koi8-r", "koi8-u", "cp866", "iso-8859-5", "cp1253", "cp1254", "cp1255", "cp1256", "cp874"),
    *("cp437", "iso-8859-2", "mac-roman"),
)
"""What is tried, of those that read a text alike the first."""

LOOKED_AT = 1 << 14
"""Bytes that a guess is made from."""

MOST_NAMED, LEEWAY, TOO_ODD = 3, 0.05, 0.65

FEWEST_WIDE = 8
"""Bytes below which NULs tell nothing."""

VOWELS = {"CYRILLIC": "аеёиоуыэюяіїє", "GREEK": "αεηιουωάέήίόύώ"}
FEWEST_VOWELS = 0.3
"""Of the letters of a language; what is read in a wrong encoding has fewer."""

COMMON = frozenset(
    "的一是不了在人有我他这這个個们們中来來上大为為和国國地到以说說時时要就出会會也你生下"
)
"""A quarter of all characters of a Chinese text; what is read in a wrong encoding has few."""


def checked_encoding(encoding: str) -> str:
    """Python's name of an encoding of text; RequestError with a suggestion for any other."""
    try:
        found = codecs.lookup(encoding).name
        codecs.getincrementaldecoder(encoding)
        b"a".decode(encoding)  # refuses what is none of text, such as base64
    except UnicodeError:
        return found  # where one byte is not yet a character, as in UTF-16
    except (LookupError, ValueError):
        hint = suggestion(encoding, COMMON_ENCODINGS)
        raise RequestError(f"--encoding {encoding!r} is no encoding of text{hint}") from None
    return found


def check_decoded(encoding: str | None, level: str) -> None:
    """RequestError for an encoding that is asked for, None if it is not, of bytes, which are read
    as they are."""
    if encoding is not None and level == "byte":
        raise RequestError(
            f"--encoding {encoding} means nothing for bytes, which are read as they are: leave it "
            "out"
        )


def wide_encoding(data: bytes) -> str | None:
    """UTF-32 or UTF-16 by the mark that a text begins with, or by where its NULs are."""
    for encoding, marks in MARKS.items():
        if data.startswith(marks):
            return encoding
    data = data[:LOOKED_AT]
    for encoding, (width, place) in UNMARKED.items():
        nul, other = (data[i::width].count(0) for i in (place, width - 1 - place))
        if len(data) < FEWEST_WIDE or nul * width < 0.01 * len(data) or nul <= 4 * other:
            continue
        text = data[: len(data) // width * width].decode(encoding, "replace")
        is_text = "\ufffd" not in text and not CONTROLS.search(text)
        if is_text and oddity(text, encoding) < TOO_ODD:
            return encoding
    return None


def likely_encodings(data: bytes) -> list[str]:
    """Those in which some bytes of a text read like a language, the likeliest first; none where
    they do in none."""
    readings: dict[str, str] = {}
    for encoding in CANDIDATES:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(data[:LOOKED_AT])
        except UnicodeDecodeError:
            continue
        if CONTROLS.search(text):
            return []
        readings.setdefault(text, encoding)
    if "utf-8" in readings.values():  # nothing else looks like it
        return ["utf-8"]
    oddities = {encoding: oddity(text, encoding) for text, encoding in readings.items()}
    best = min([*oddities.values(), TOO_ODD])
    near = [each for each in oddities if oddities[each] <= min(best + LEEWAY, TOO_ODD)]
    return sorted(near, key=oddities.__getitem__)[:MOST_NAMED]


def remedy(data: bytes, name: str, iconv: str | None = None) -> str:
    """What to do about a text in which a byte is none of its encoding's, for the bytes around;
    ``iconv`` in place of setting another encoding."""
    if wide := wide_encoding(data):
        return f"it looks like {wide.upper()}: {iconv or f'set --encoding {wide}'}"
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data[:LOOKED_AT])
    wrong, right = text.count("\ufffd"), sum(c > "\x7f" and c != "\ufffd" for c in text)
    if right >= 2 * wrong > 0:
        source = "" if name == "stdin" else f" {quote(name)} > mended.txt"
        return (
            "the rest looks like UTF-8; mend that byte, or leave such bytes out with "
            f"iconv -c -f utf-8 -t utf-8{source}"
        )
    if iconv:
        return iconv
    likely = [f"--encoding {each}" for each in likely_encodings(data)]
    return f"set {joined(likely, 'or')}" if likely else "set its true --encoding, or mend the file"


def oddity(text: str, encoding: str) -> float:
    """How little a text reads like a language: from 0 to 1 and more, a mean over its characters
    beyond ASCII.

    Odd are control characters, signs within words, capitals after small letters, scripts mixed in
    one word, letters with accents side by side, and rare Chinese characters.
    """
    total, count, before = 0.0, 0, " "
    padded = text + " "
    for place, char in enumerate(text):
        if char > "\x7f":
            count += 1
            total += _odd(before, char, padded[place + 1], encoding)
        before = char
    return total / max(1, count) + _lack_of_vowels(text)


def _odd(before: str, char: str, after: str, encoding: str) -> float:
    kind = category(char)
    if kind in ("Cc", "Cn", "Co", "Cs"):
        return 3.0
    if kind[0] not in "LM":
        within = _is_letter(before) and _is_letter(after) and char not in "’·\u200c\u200d\xad、。，"
        return 1.0 if within else 0.0 if kind[0] in "PZ" else 0.4
    script = _script(char)
    if script == "HALFWIDTH":
        return 0.8
    if script in ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"):
        return 1.0 if encoding in ("gb18030", "big5", "euc-kr") else 0.0
    if before.isalpha() and not _go_together(script, _script(before)):
        return 1.0
    if script == "CJK":
        return 0.0 if char in COMMON else 0.15
    if before.isalpha() and char.isupper():
        return 1.0 if before.islower() else 0.4
    beside = script == "LATIN" and before.isalpha() and before > "\x7f"
    return 0.6 if beside or (char.isupper() and after.isupper()) else 0.0


def _lack_of_vowels(text: str) -> float:
    scripts = [_script(char) for char in text if char > "\x7f"]
    for script, vowels in VOWELS.items():
        if 2 * (letters := scripts.count(script)) > len(scripts):
            share = sum(char in vowels for char in text.lower()) / letters
            return 0.3 if share < FEWEST_VOWELS else 0.0
    return 0.0


def _is_letter(char: str) -> bool:
    return category(char)[0] in "LM"


def _script(char: str) -> str:
    return name_of(char, "?").split()[0] if char > "\x7f" else "LATIN"


def _go_together(one: str, two: str) -> bool:
    japanese = "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"
    return one == two or (one in japanese and two in japanese)
