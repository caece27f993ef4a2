"""One input of a model of sequences, as its network takes it: a typed text, a picture or a clip."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np

from cnntool.cli.console import one_line, reason
from cnntool.cli.files import STDIO, Source, check_no_text, check_stdin, source_of
from cnntool.cli.generated_text import token_text
from cnntool.cli.image_route import open_source
from cnntool.cli.options import Limits, Reading, refuse
from cnntool.cli.typed_text import check_length, names_of_unknown, piped_text
from cnntool.datasets.images.files import is_image, natural_key
from cnntool.datasets.images.preprocessing import picture_within
from cnntool.datasets.sequences.inputs import PixelInput, TextInput
from cnntool.datasets.texts.encodings import checked_encoding
from cnntool.datasets.texts.tokens import UNITS
from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import is_device
from cnntool.files.image import Image, first_alone
from cnntool.networks.model import SequenceModel
from cnntool.wording import counted, shortened

END = "(end)"
"""What the end of a text is called among its tokens."""

LONGEST_TITLE = 60

TAKES = {
    "text": "texts: give one with --text",
    "words": "sentences: give one with --text",
    "picture": "pictures: name one",
    "frames": "clips: name a folder of frames, or an animation",
    "steps": "series of numbers: they have neither words nor frames to show",
}
"""By the form of a model's inputs."""


@dataclass(frozen=True, eq=False)
class OneInput:
    """A batch of one.

    name: of the file, or the text itself. x, lengths: what the network takes. steps: what each step
    is called; none of a picture. images: of a clip or a picture. notes: what there is to say of it.
    """

    name: str
    x: Any
    lengths: np.ndarray | None
    steps: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def frames(self) -> tuple[np.ndarray, ...]:
        """Of a clip or a picture, each (H, W, 3) uint8, no larger than it is to be shown."""
        return tuple(picture_within(each, LARGEST) for each in self.images)

    @property
    def title(self) -> str:
        """The name in some words of one line."""
        return shortened(one_line(self.name), LONGEST_TITLE)

    @property
    def stem(self) -> str:
        """What it is called in the name of a result."""
        if self.images:
            return source_of(self.name).stem
        return "-".join(self.name.split())[:40] or "stdin"


def one_input(
    model: SequenceModel,
    text: str | None,
    file: str | None = None,
    most: int = 10_000,
    limits: Limits | None = None,
    option: str = "--text",
    encoding: str | None = None,
) -> OneInput:
    """The text, or the picture or clip in a file, whichever the model takes.

    most: steps that it may have. limits: None for a command of texts that has --encoding. option:
    what a text is called. encoding: of stdin, None for that of the model's own texts. RequestError
    where the other one was given, or what is no text; InputError for what cannot be read.
    """
    reader = model.reader
    if isinstance(reader, TextInput):
        if text is None or file is not None:
            raise RequestError(_expects(model, file))
        if limits is not None:
            names = [field.name for field in fields(limits)]
            refuse(limits, names, f"is for images, and {model.name} takes texts: leave it out")
        return _of_text(model, reader, text, most, option, encoding, limits is None)
    if file is None or text is not None or not isinstance(reader, PixelInput):
        raise RequestError(_expects(model, file if text is None else text))
    if reader.form == "picture":
        return _of_picture(reader, file, limits or Limits())
    return _of_clip(reader, file, most, limits or Limits())


def _expects(model: SequenceModel, given: str | None) -> str:
    instead = f", not {one_line(given)[:40]!r}" if given is not None else ""
    what, colon, remedy = TAKES[model.reader.form].partition(":")
    return f"{model.name} takes {what}{instead}{colon}{remedy}"


def _of_text(
    model: SequenceModel,
    reader: TextInput,
    text: str,
    most: int,
    option: str,
    encoding: str | None,
    has_option: bool,
) -> OneInput:
    is_piped = text == STDIO
    if is_piped:
        check_stdin([STDIO], "a text")
        encoding = checked_encoding(model.encoding if encoding is None else encoding)
        text = piped_text(encoding, has_option)
    text = normalize("NFC", text)
    given: Any = tuple(text.split()) if reader.form == "words" else text
    tokens = reader.tokens(given, is_raw=True)
    unit = UNITS["word" if reader.level == "symbol" else reader.level]
    name = check_length(len(tokens), unit, most, is_piped, option)
    x, lengths = reader.rows([given]).take(np.array([0]))
    ids = np.ravel(x if isinstance(x, np.ndarray) else x.ids).tolist()
    if reader.level == "byte":
        tokens = [token_text(reader.vocabulary, each) for each in ids[:-1]]
    unknown = [t for t, each in zip(tokens, ids, strict=False) if each == reader.vocabulary.unknown]
    steps = [step_name(reader.shown(token)) for token in tokens]
    notes = names_of_unknown(
        list(dict.fromkeys(step_name(reader.shown(token)) for token in unknown)),
        reader.vocabulary.level,
        name,
    )
    if not is_piped and Path(text).suffix and os.path.isfile(text):
        notes = (f"{one_line(text)} is read as a text, and not the file: - reads stdin", *notes)
    return OneInput(
        text,
        x,
        lengths,
        (*steps, END) if reader.form == "text" else tuple(steps),
        notes=notes,
    )


def step_name(token: str) -> str:
    """A token as it is shown: white space in quotes, and nothing that a terminal obeys."""
    return one_line(token) if token.strip() else repr(token)


def said_names(model: SequenceModel, ids: Sequence[int]) -> list[str]:
    """Tokens that a translator or a captioner says, the end among them, as they are shown."""
    assert model.writer is not None
    shown, vocabulary, end = model.writer.shown, model.writer.vocabulary, model.writer.end
    is_bytes = vocabulary.level == "byte"
    return [
        END
        if each == end
        else token_text(vocabulary, each)
        if is_bytes
        else step_name(shown(vocabulary.tokens[each]))
        for each in ids
    ]


def _of_picture(reader: PixelInput, name: str, limits: Limits) -> OneInput:
    check_stdin([name])
    source = source_of(name)
    if source.path is not None and source.path.is_dir():
        raise InputError(f"{name} is a folder: name one image")
    check_no_text(source)
    try:
        image = _opened(source, limits)
        x = reader.preprocessing.picture(image)
        notes = tuple(filter(None, (first_alone(source.name, image),)))
        return OneInput(source.name, x, None, images=(image,), notes=notes)
    except (InputError, OSError, MemoryError) as error:
        raise InputError(reason(error, source.name)) from None


def _of_clip(reader: PixelInput, name: str, most: int, limits: Limits) -> OneInput:
    """The frames of an animation, or the pictures of a folder in the order of their names."""
    check_stdin([name], "an animation")
    images = []
    for source in _frames_in(name):
        try:
            image = _opened(source, limits)
        except (InputError, OSError, MemoryError) as error:
            raise InputError(reason(error, source.name)) from None
        images += [replace(image, frames=(frame,)) for frame in image.frames]
    if not 1 <= len(images) <= most:
        remedy = "name a clip of pictures" if not images else "name a shorter clip"
        raise InputError(f"{name} has {counted(len(images), 'frame')}: {remedy}, of 1 to {most:,}")
    x = np.concatenate([reader.preprocessing.picture(image) for image in images])
    steps = tuple(str(number) for number in range(1, len(images) + 1))
    return OneInput(name, x[:, None], np.array([len(x)]), steps, tuple(images))


def _frames_in(name: str) -> list[Source]:
    path = Path(name)
    if name == STDIO or not path.is_dir():
        return [source_of(name)]
    files = [each for each in path.iterdir() if is_image(each.name)]
    for each in filter(is_device, files):
        raise InputError(f"{each} is no regular file: take it out of the clip {name}")
    return [Source(each) for each in sorted(files, key=lambda each: natural_key(each.name))]


def _opened(source: Source, limits: Limits) -> Image:
    return open_source(source, Reading(white=limits.white, max_pixels=limits.max_pixels))


LARGEST = 384
"""Pixels on the longer side of a frame, which is shown no larger."""
