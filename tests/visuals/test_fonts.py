"""Letters in pictures: from a font that has them, and said where none has."""

import os
from pathlib import Path

import numpy as np
import pytest

from cnntool.errors import InputError
from cnntool.visuals import fonts, paper
from cnntool.visuals.word_map import word_map


@pytest.fixture
def alone(monkeypatch):
    """A system without fonts; and that is forgotten afterwards."""
    monkeypatch.setattr(fonts, "_by_fontconfig", lambda letter: set())
    monkeypatch.setattr(fonts, "_of_charts", list)
    clear()
    yield
    monkeypatch.undo()
    clear()


def clear():
    fonts._fonts_of_system.cache_clear()
    fonts._samples.clear()
    fonts.use(None)


@pytest.fixture
def dejavu():
    """Letters of Latin, Greek, Cyrillic and more, which matplotlib brings along."""
    data = pytest.importorskip("matplotlib").get_data_path()
    return os.path.join(data, "fonts", "ttf", "DejaVuSans.ttf")


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("cat", "cat"),
        ("cafe\u0301", "cafe"),
        ("x\u0332", "x"),
        ("\u0150", "O"),
        ("\uff21", "A"),
        ("\u732b", "?"),
        ("a\tb\x1b[1m\udc9b", r"a\tb\x1b[1m\udc9b"),
        ("a\u202eb\u200dc\u3000d", "abc d"),
    ],
)
def test_what_no_font_has_is_left_out_or_replaced(alone, text, drawn):
    assert fonts.drawable(text) in (text, drawn)
    assert fonts.drawable(fonts.drawable(text)) == fonts.drawable(text)


def test_names_that_lose_letters_are_numbers_and_are_told_once(alone):
    assert fonts.drawable_names(["cat", "\u732b", "\u0430\u0431", "who?"]) == [
        "cat",
        "#1",
        "#2",
        "who?",
    ]
    assert fonts.drawable_names(["\u72ac"], [7]) == ["#7"]
    first, *others = fonts.told_lost()
    assert first == (
        "no font here has the letters of 3 texts in the picture (CJK and cyrillic): name a font "
        "file that has them with --font FILE"
    )
    assert [line.split() for line in others] == [
        ["#1", "is", "\u732b"],
        ["#2", "is", "\u0430\u0431"],
        ["#7", "is", "\u72ac"],
    ]
    assert fonts.told_lost() == []


def test_a_font_file_has_the_letters_that_are_drawn(alone, dejavu):
    words = ["\u043a\u043e\u0448\u043a\u0430", "\u03b1\u03b2\u03b3"]
    fonts.use(dejavu)
    assert [fonts.drawable(word) for word in words] == words
    assert fonts.drawable("\u732b") == "?"
    widths = [paper.text_width(word, 40) for word in words]
    from PIL import ImageFont

    font = ImageFont.truetype(dejavu, 40)
    assert widths == [int(np.ceil(font.getlength(word))) for word in words]
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    with_letters = word_map(points, words, ["words"])
    fonts.use(None)
    assert (with_letters != word_map(points, words, ["words"])).any()


def test_a_line_takes_letters_of_several_fonts(alone, dejavu, monkeypatch):
    """As a font of Chinese, which often has no Latin letters, in "true: ..."."""
    has, own, cyrillic = fonts.has, "true:", "\u043a\u043e\u0448"
    monkeypatch.setattr(fonts, "_by_fontconfig", lambda letter: {dejavu})
    monkeypatch.setattr(
        fonts, "has", lambda path, each: has(path, each) and (path != dejavu or each in cyrillic)
    )
    clear()
    line = f"{own} {cyrillic} 3"
    assert fonts.runs(line) == ((fonts.OWN, f"{own} "), (dejavu, f"{cyrillic} "), (fonts.OWN, "3"))
    assert fonts.drawable(line) == line
    assert fonts.drawable_names([f"'{cyrillic}'"]) == [f"'{cyrillic}'"]
    assert fonts.told_lost() == []
    parts = [paper.text_width(part, 14) for part in (own, cyrillic, "3")]
    assert sum(parts) < paper.text_width(line, 14) < sum(parts) + 14


def test_a_font_of_the_system_is_found_by_fontconfig_and_in_folders(
    alone, dejavu, monkeypatch, tmp_path
):
    letters = "\u0431\u044b"
    folder = tmp_path / ".fonts" / "deep"
    folder.mkdir(parents=True)
    for name in ("a-Bold.ttf", "Plain-Sans.ttf"):
        (folder / name).write_bytes(Path(dejavu).read_bytes())
    (folder / "broken.ttf").write_bytes(b"no font")
    plain = str(folder / "Plain-Sans.ttf")
    monkeypatch.setattr(fonts.sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    files = {str(each) for each in folder.iterdir()}
    for found in (files, None):
        monkeypatch.setattr(fonts, "_by_fontconfig", lambda letter, found=found: found)
        clear()
        assert fonts.drawable(letters) == letters
        if found:
            assert fonts.path_for(letters) == plain
    assert plain in fonts._in_folders()


def test_without_fontconfig_nothing_is_known_by_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert fonts._by_fontconfig("a") is None


@pytest.mark.parametrize("name", ["none.ttf", "text.ttf", ".", "pipe.ttf"])
def test_what_is_no_font_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("text.ttf").write_text("no font", encoding="utf-8")
    if name == "pipe.ttf":
        os.mkfifo(name)
    with pytest.raises(InputError, match=f"--font {name}: .*name a file of letters"):
        fonts.use(name)
    assert fonts.drawable("cat") == "cat"


def test_the_font_of_charts_is_taken_where_the_system_has_none(monkeypatch, dejavu):
    monkeypatch.setattr(fonts, "_by_fontconfig", lambda letter: set())
    clear()
    assert [os.path.normpath(path) for path in fonts._of_charts()] == [os.path.normpath(dejavu)]
    assert fonts.drawable("\u043a\u043e\u0442") == "\u043a\u043e\u0442"
    monkeypatch.undo()
    clear()
