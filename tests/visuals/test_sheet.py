"""Words in pictures: they fit, and are in letters that the font has."""

import subprocess
import sys

import pytest

from cnntool.visuals.sheet import (
    drawable,
    drawable_names,
    end_of,
    ink_on,
    shortened,
    text_width,
)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [("cat", "cat"), ("Übergröße", "Ubergrosse"), ("señor", "senor"), ("猫", "?"), ("a\tb", "a?b")],
)
def test_letters_that_the_font_lacks_are_replaced(text, drawn):
    assert drawable(text) in (text, drawn)


def test_names_that_lose_letters_keep_apart_by_their_number():
    names = drawable_names(["cat", "猫", "犬", "who?"])
    assert len(set(names)) == 4
    assert (names[0], names[3]) == ("cat", "who?")


@pytest.mark.parametrize("width", [20, 60, 1000])
def test_what_is_too_long_ends_in_dots_and_fits(width):
    text = "a name of some length"
    line = shortened(text, 13, width)
    assert text_width(line, 13) <= width
    assert line == text if width == 1000 else line.endswith("...")


@pytest.mark.parametrize("width", [0, 10, 40, 100, 1000])
def test_of_what_is_too_long_the_end_can_be_kept(width):
    text = "a name of many words 17.png"
    line = end_of(text, 13, width)
    assert text.endswith(line.removeprefix("..."))
    assert line == text or (line.startswith("...") and text_width(line, 13) <= max(width, 12))
    assert end_of("", 13, width) == ""


def test_ink_is_dark_on_light_and_light_on_dark():
    assert sum(ink_on((255, 255, 255))) < 200
    assert sum(ink_on((20, 60, 120))) > 700


def test_pictures_are_made_without_click():
    code = (
        "import sys, cnntool.visuals.tiles, cnntool.visuals.confusion_picture\n"
        "print([name for name in sys.modules if name.startswith(('click', 'rich', 'cnntool.cli'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n"
