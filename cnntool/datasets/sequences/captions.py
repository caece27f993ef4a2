"""Pictures with what is said of them, in the files that people keep such sentences in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cnntool.datasets.images.files import is_image, pictures_below, read_pictures, unread
from cnntool.datasets.sequences.material import Document, Format, Material, of_folders
from cnntool.datasets.sequences.samples import MOST_NAMED, Sample, Samples
from cnntool.datasets.sequences.tables import Table, as_text, read_delimited, read_jsonl
from cnntool.errors import InputError
from cnntool.wording import counted, left_out, listed, shortened

Said = tuple[Iterable[Sample], str]
"""The names of pictures with a sentence each, and how they are written."""

NUMBERED = re.compile(r"(.+)#\d+\t(.*)")
"""A line of Flickr8k.token.txt."""

TABLES = (".txt", ".csv", ".tsv", ".token")
LOOKED_AT = 1 << 16
"""Bytes of a file, by which it is told from others."""

PICTURE_NAMES = ("file_name", "image", "image_name", "filename", "file", "path", "picture")
TEXT_NAMES = ("text", "caption", "captions", "comment", "sentence", "description", "label")
"""What columns and keys are usually called."""


def _looks_like_coco(head: str) -> bool:
    return head.lstrip()[:1] == "{" and bool(re.search(r'"(images|annotations)"\s*:\s*\[', head))


def _coco(document: Document) -> Said:
    """images with an id and a file_name, annotations with an image_id and a caption."""
    return _annotations(document), "COCO's JSON"


def _annotations(document: Document) -> Iterator[Sample]:
    try:
        data = json.loads("\n".join(document.lines))
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "it is nested too deep")
        raise InputError(f"{document.name} is no JSON ({reason})") from None
    lists = [data.get(key) if isinstance(data, dict) else None for key in ("images", "annotations")]
    if not all(isinstance(each, list) for each in lists):
        raise InputError(
            f"{document.name} has no lists 'images' and 'annotations', as COCO's captions have"
        )
    images, annotations = lists
    names = {}
    for number, image in enumerate(images or []):
        where = f"{document.name}: images[{number}]"
        names[_entry(image, "id", where)] = _text(_entry(image, "file_name", where), where)
    for number, annotation in enumerate(annotations or []):
        where = f"{document.name}: annotations[{number}]"
        image_id = _entry(annotation, "image_id", where)
        if image_id not in names:
            raise InputError(f"{where} is of the image {image_id!r}, which is none of 'images'")
        caption = _text(_entry(annotation, "caption", where), where)
        yield Sample(names[image_id], caption, where)


def _entry(record: Any, key: str, where: str) -> Any:
    if not isinstance(record, dict) or not isinstance(record.get(key), str | int):
        shown = shortened(json.dumps(record), 60)
        raise InputError(f"{where} has no {key!r} that is a text or a number: {shown}")
    return record[key]


def _metadata(document: Document) -> Said:
    """An object a line, with the name of a picture and a text or a list of them."""
    return _rows(read_jsonl(document), document.how.text_column), "JSON lines"


def _rows(table: Table, text_column: str | None) -> Iterator[Sample]:
    name = table.find(None, PICTURE_NAMES, "")
    text = table.find(text_column, TEXT_NAMES, "--text-column")
    if name is None or text is None:
        what, usual = ("picture", PICTURE_NAMES) if name is None else ("text", TEXT_NAMES)
        there = listed(table.header)
        raise InputError(f"{table.name} has {there}, and none for the {what}: call it {usual[0]!r}")
    for row, place in zip(table.rows, table.places, strict=True):
        texts = row[text] if isinstance(row[text], list) else [row[text]]
        for each in texts:
            caption = as_text(each, place, table.named(text))
            yield Sample(_text(row[name], place), caption, place)


def _looks_like_captions(head: str) -> bool:
    first = next((line for line in head.splitlines() if line.strip()), "")
    names = [each.strip().strip('"').casefold() for each in re.split("[,;|\t]", first)]
    return bool(NUMBERED.fullmatch(first)) or bool(
        set(names) & set(PICTURE_NAMES) and set(names) & set(TEXT_NAMES)
    )


def _captions(document: Document) -> Said:
    """``name.jpg#0<TAB>caption``, or columns with the names image and caption, as Flickr8k's."""
    if NUMBERED.fullmatch(document.first_line):
        return _numbered(document), "lines of NAME#NUMBER and a caption"
    wanted = document.how.text_column
    if "|" in document.first_line and "," not in document.first_line:  # Flickr30k's results.csv
        parted = (map(str.strip, line.split("|", 2)) for line in document.lines)
        document = Document(document.name, list(map("\t".join, parted)))
    table = read_delimited(document, (*PICTURE_NAMES, *TEXT_NAMES), (wanted,))
    return _rows(table, wanted), table.kind


def _numbered(document: Document) -> Iterator[Sample]:
    for place, line in document.filled():
        found = NUMBERED.fullmatch(line)
        if found is None:
            raise InputError(
                f"{place} is {shortened(line, 60)!r}: expected NAME#NUMBER, a tab "
                "and a caption, as in the first line"
            )
        yield Sample(found[1], found[2].strip(), place)


def are_beside(folder: Path) -> bool:
    return any(_beside(path) for path in pictures_below(folder))


def read_beside(material: Material, folder: Path) -> Samples:
    """A text beside each picture, of its name with .txt or .gt.txt, with a caption in each line."""
    said, pictures = [], pictures_below(folder)
    for path in pictures:
        if text := _beside(path):
            document = material.read(str(text), lambda *_: None)
            name = str(path.relative_to(folder))
            said += [Sample(name, line.strip(), str(text)) for _, line in document.filled()]
    return _with_pictures(material, str(folder), said, "a text beside each picture", pictures)


def _beside(path: Path) -> Path | None:
    """The text of a picture."""
    for ending in (".gt.txt", ".txt"):
        if (text := path.with_name(path.stem + ending)).is_file():
            return text
    return None


def _only(
    material: Material, endings: Sequence[str], looks: Callable[[str], bool] | None = None
) -> str | None:
    """The first file of a material with one of the endings, that looks so by its beginning and is
    not the text of one picture."""
    pictures = {Path(path).stem for path in material.files if is_image(Path(path).name)}
    for path in material.files:
        name = Path(path)
        if name.suffix.lower() not in endings or name.stem.removesuffix(".gt") in pictures:
            continue
        if looks is None or (name.is_file() and looks(_head(name, material.how.encoding))):
            return path
    return None


def _head(path: Path, encoding: str | None) -> str:
    with open(path, "rb") as file:
        return file.read(LOOKED_AT).decode(encoding or "utf-8", "replace")


def of_a_file(
    say: Callable[[Document], Said],
    endings: Sequence[str],
    looks: Callable[[str], bool] | None = None,
) -> Format:
    """A format of one file with what is said of pictures."""

    def read(material: Material) -> Samples:
        path = _only(material, endings, looks) or _only(material, endings)
        if path is None:
            raise InputError(f"{material.name} holds no file that ends in {listed(endings)}")
        document = material.read(path)
        return _with_pictures(material, document.name, *say(document))

    return Format(lambda material: _only(material, endings, looks) is not None, read)


def _text(value: Any, place: str) -> str:
    return as_text(value, place, "the name of the picture")


def _with_pictures(
    material: Material,
    name: str,
    said: Iterable[Sample],
    format: str,
    pictures: Sequence[Path] | None = None,
) -> Samples:
    """The pictures that something is said of, with all that is; notes on the others.

    They are looked for in the folder that is read, or that the file is in, and below it; of a file
    that has none there, in the folder above.
    """
    home = material.folder or Path(name).parent
    if pictures is None:
        pictures = pictures_below(home)
        if not pictures and material.folder is None:
            home = home.resolve().parent
            pictures = pictures_below(home)
    find = _finder(home, pictures)
    captions: dict[Path, list[str]] = {}
    lost: dict[str, str] = {}
    for picture, caption, place, _ in said:
        path = find(picture, place)
        if path is None:
            lost[picture] = place
        elif caption:
            captions.setdefault(path, []).append(caption)
    if not captions:
        first = f", such as {next(iter(lost))}" if lost else ""
        raise InputError(
            f"{name} says nothing of pictures that are in {home} or below it{first}: put the "
            "pictures there"
        )
    files, how = list(captions), material.how
    found, problems, alone = read_pictures(str(home), files, how.pictures, material.advance)
    samples = [
        Sample(found[path][0], tuple(dict.fromkeys(captions[path])), str(path))
        for path in files
        if path in found
    ]
    notes = [*filter(None, [alone])]
    notes += unread(str(home), list(problems.values()), len(files), "picture")[: 1 + MOST_NAMED]
    if lost:
        what = f"captions of {counted(len(lost), 'picture')} that "
        what += "is not there" if len(lost) == 1 else "are not there"
        notes.append(f"{name}: {what} left out ({listed(list(lost), MOST_NAMED)})")
    notes += left_out(str(home), len(pictures) - len(files), "picture", "without a caption")
    return Samples.of(name, "picture", samples, format, notes)


def _finder(home: Path, pictures: Sequence[Path]) -> Callable[[str, str], Path | None]:
    """What finds a picture by its path from home, or by its name alone where one alone has it."""
    paths = {path.relative_to(home).as_posix(): path for path in pictures}
    names: dict[str, list[Path]] = {}
    for path in pictures:
        names.setdefault(path.name, []).append(path)

    def find(name: str, place: str) -> Path | None:
        if name in paths:
            return paths[name]
        there = names.get(re.split(r"[/\\]", name)[-1], [])
        if len(there) > 1:
            raise InputError(
                f"{place}: {name!r} may be {there[0]} or {there[1]}: write its path from {home}"
            )
        return there[0] if there else None

    return find


FORMATS = {
    "coco": of_a_file(_coco, (".json",), _looks_like_coco),
    "jsonl": of_a_file(_metadata, (".jsonl",)),
    "captions": of_a_file(_captions, TABLES, _looks_like_captions),
    "beside": of_folders(
        are_beside, read_beside, "name the one with the pictures, and a NAME.txt beside each"
    ),
}
