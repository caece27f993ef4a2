"""What one part of a set is read from: files or a folder, and their texts, decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from cnntool.datasets.memory import check_text_fits
from cnntool.datasets.sequences.samples import ReadOptions, Samples, put_together
from cnntool.datasets.texts.text import Advance, joint_name, joint_size, read_text, source_name
from cnntool.errors import InputError
from cnntool.files.formats import EXTENSIONS
from cnntool.wording import listed

NEEDED = 4
"""Bytes of memory for a byte of text, at least, while it is read."""


@dataclass(frozen=True, eq=False)
class Document:
    """A text. name: as messages have it. lines: without their ends. how: it is written."""

    name: str
    lines: list[str]
    how: ReadOptions = field(default_factory=ReadOptions)

    def place(self, index: int) -> str:
        """Where a line stands, counted from 0: ``tags.txt:17``, counted from 1."""
        return f"{self.name}:{index + 1}"

    def filled(self) -> Iterator[tuple[str, str]]:
        """The place and the line of all that are not blank."""
        return ((self.place(i), line) for i, line in enumerate(self.lines) if line.strip())

    @cached_property
    def first_line(self) -> str:
        """The first that is not blank; "" where there is none."""
        return next((line for line in self.lines if line.strip()), "")


@dataclass(frozen=True, eq=False)
class Material:
    """What one part is read from.

    files: paths as they were given or found, ``-`` for stdin; of a folder those that lie in it,
        in natural order, without hidden ones.
    folder: where one was given that is no set of files of parts; else None.
    advance: called with (bytes or files read, all of them or 0) on the way.
    """

    files: Sequence[str]
    how: ReadOptions = field(default_factory=ReadOptions)
    folder: Path | None = None
    advance: Advance | None = None

    @cached_property
    def name(self) -> str:
        return str(self.folder) if self.folder else joint_name(list(self.files))

    @cached_property
    def first(self) -> Document:
        """The text of the first file; InputError for a picture or an array, and where memory is
        short of room for all."""
        kind = EXTENSIONS.get(Path(self.files[0]).suffix.lower())
        if kind == "NPY":
            raise InputError(
                f"{self.files[0]} is an array alone: series stand in an .npz with x, lengths and y"
            )
        if kind is not None:
            raise InputError(
                f"{self.files[0]} is a picture, where a text is expected: train-cnn learns from "
                "folders of pictures, train-captioner from pictures with texts beside them"
            )
        check_text_fits(self.name, joint_size(list(self.files)), NEEDED)
        return self.read(self.files[0])

    @cached_property
    def documents(self) -> list[Document]:
        """The texts of all files; see :func:`texts.text.read_text` for what goes wrong."""
        return [self.first, *(self.read(path) for path in self.files[1:])]

    def read(self, path: str, advance: Advance | None = None) -> Document:
        """The text of one file."""
        pieces = read_text(path, self.how.encoding or "utf-8", advance or self.advance)
        return Document(source_name(path), "".join(pieces).split("\n")[:-1], self.how)


class Format(NamedTuple):
    """A way to write samples. fits: whether a material looks so; read: it as samples, with all
    that has to be said in their notes, InputError naming the place where it is not so."""

    fits: Callable[[Material], bool]
    read: Callable[[Material], Samples]


def of_documents(fits: Callable[[Document], bool], read: Callable[[Document], Samples]) -> Format:
    """A format of texts, each of which is read alone; of a folder those that do not look so are
    left out, with a note."""

    def read_all(material: Material) -> Samples:
        documents, notes = material.documents, []
        if material.folder and material.how.format is None:
            others = [each.name for each in documents if not fits(each)]
            documents = [each for each in documents if each.name not in others]
            if others:
                names = listed([Path(name).name for name in others], 5)
                notes.append(f"{material.name}: {names} left out, being in another format")
        return put_together(material.name, [read(each) for each in documents], notes)

    return Format(lambda material: bool(material.files) and fits(material.first), read_all)


def of_folders(
    fits: Callable[[Path], bool], read: Callable[[Material, Path], Samples], wanted: str
) -> Format:
    """A format of a folder; ``wanted`` tells whoever asks for it and names none."""

    def read_folder(material: Material) -> Samples:
        if material.folder is None:
            raise InputError(f"{material.name} is no folder: {wanted}")
        return read(material, material.folder)

    return Format(
        lambda material: material.folder is not None and fits(material.folder), read_folder
    )


def has_suffix(material: Material, suffix: str) -> bool:
    """Whether all files of a material have this extension; no for a folder of none."""
    files = map(Path, material.files)
    return bool(material.files) and all(path.suffix.lower() == suffix for path in files)
