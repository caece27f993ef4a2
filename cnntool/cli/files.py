"""Which files are read, and where each result goes: settled before any work begins."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from cnntool.cli.console import complain
from cnntool.errors import InputError, RequestError
from cnntool.files.atomic import check_free, check_writable, exists, is_device
from cnntool.files.formats import EXTENSIONS, format_for
from cnntool.wording import counted

STDIO = "-"


class Source(NamedTuple):
    """One input: a path, None being stdin; ``below`` is its folder within the one that was named,
    None where the file itself was."""

    path: Path | None
    below: Path | None = None

    @property
    def name(self) -> str:
        return "stdin" if self.path is None else str(self.path)

    @property
    def stem(self) -> str:
        return "stdin" if self.path is None else self.path.stem

    @property
    def suffix(self) -> str:
        return "" if self.path is None else self.path.suffix

    @property
    def folder(self) -> Path:
        """Below the folder that was named; of a file as it was named, without what climbs."""
        if self.path is None or self.below is not None:
            return self.below or Path()
        parent = self.path.parent
        return Path(*(part for part in parent.parts if part not in (parent.anchor, os.pardir)))


def shard_of(source: Source, count: int) -> int:
    """Which of so many parts, from 1 on, an input belongs to: told by its path alone, below the
    folder that was named, or as the file itself was."""
    if source.path is None:
        raise RequestError("--shard parts files by their names, and stdin has none: name files")
    name = (source.folder / source.path.name).as_posix()
    import hashlib  # which takes a hundredth of a small picture's time

    digest = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
    return 1 + int.from_bytes(digest, "big") % count


def in_shard(sources: Sequence[Source], shard: tuple[int, int] | None, quiet: bool) -> list[int]:
    """The places of the inputs that are of this part, or of all; that there are none is said."""
    if shard is None:
        return list(range(len(sources)))
    part, count = shard
    mine = [place for place, source in enumerate(sources) if shard_of(source, count) == part]
    if sources and not mine and not quiet:
        complain(
            f"shard {part}/{count} is empty: none of {counted(len(sources), 'image')} is in it"
        )
    return mine


def source_of(argument: str) -> Source:
    """The input that an argument names."""
    return Source(None if argument == STDIO else Path(argument))


def gather(
    arguments: Sequence[str], recursive: bool, quiet: bool, output: str | None = None
) -> tuple[list[Source], bool]:
    """The inputs that the arguments name, and whether some argument is none, which is said.

    Folders are gone through without what lies in the folder ``output``: earlier results. What else
    of them is left out is said, too.
    """
    check_stdin(arguments)
    results = Path(os.path.realpath(output)) if output and os.path.isdir(output) else None
    sources: list[Source] = []
    problems: list[str] = []
    left_out: list[str] = []
    for argument in arguments:
        path = Path(argument)
        if argument == STDIO or not os.path.isdir(path):
            sources.append(source_of(argument))
        elif not recursive:
            problems.append(f"{argument} is a folder: -r goes through it")
        else:
            files, unread, others = _in_folder(path, results)
            sources.extend(Source(file, file.parent.relative_to(path)) for file in files)
            problems.extend(unread)
            if not files and not unread:
                problems.append(f"{argument} holds no images that this tool reads")
            left_out.extend(f"{file} is no regular file: left out" for file in others)
    if sum(source.path is None for source in sources) > 1:
        raise RequestError("- stands for stdin, which can be read once: name it once")
    for line in problems + ([] if quiet else left_out):
        complain(line)
    return sources, bool(problems)


def _in_folder(folder: Path, results: Path | None) -> tuple[list[Path], list[str], list[Path]]:
    """The pictures below a folder but not in that of the results, a line for each folder that
    cannot be read, and what has a picture's name and is no regular file."""
    problems: list[str] = []

    def report(error: OSError) -> None:
        problems.append(f"{error.filename} cannot be read: {error.strerror}")

    found = sorted(
        Path(parent) / name
        for parent, _, names in os.walk(folder, onerror=report)
        for name in names
        if os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith(".")
    )
    if results is not None and results != Path(os.path.realpath(folder)):
        found = [path for path in found if results not in Path(os.path.realpath(path)).parents]
    files = [path for path in found if os.path.isfile(path)]
    return files, problems, sorted(set(found) - set(files))


def check_no_text(source: Source) -> None:
    """InputError where a text stands in the place of a model's image: no file is called so, and
    none of a picture would be."""
    if source.path is not None and not source.suffix and not os.path.lexists(source.path):
        raise InputError(f"'{source.name}' is no file, and the model takes images: name one")


def check_stdin(names: Sequence[str], what: str = "an image") -> None:
    """RequestError where an image, or another thing, is to come from a terminal."""
    if STDIO in names and sys.stdin.isatty():
        raise RequestError(f"- reads {what} from stdin, which is a terminal: pipe one in")


def check_no_terminal(what: str = "the image", instead: str = " or use --show") -> None:
    """RequestError where bytes would go to stdout and that is a terminal."""
    if sys.stdout.isatty():
        raise RequestError(
            f"{what} would go to the terminal: name a file with -o, pipe it on{instead}"
        )


class Targets(NamedTuple):
    """Where the results of one input go: a path for each of its parts, or stdout."""

    paths: tuple[Path, ...]  # empty: nothing is written
    stdout: bool = False


def plan_targets(
    sources: Sequence[Source],
    output: str | None,
    suffix: str | None,
    label: str,
    parts: Sequence[str],
) -> list[Targets]:
    """Name the outputs: ``label`` says what was done, ``parts`` name the results of one image.

    ``suffix`` is that of a format that was asked for. Raises RequestError where two results would
    go to the same place.
    """
    if output == STDIO or (output is None and any(source.path is None for source in sources)):
        if len(sources) > 1:
            raise RequestError(
                f"{len(sources)} images cannot all go to stdout: name a folder with -o"
            )
        return [Targets((), stdout=True)]
    targets = [
        Targets(tuple(_paths(source, number, output, suffix, label, parts, len(sources) > 1)))
        for number, source in enumerate(sources, 1)
    ]
    _check_distinct(sources, targets)
    return targets


def _paths(source, number, output, suffix, label, parts, many) -> list[Path]:
    suffix = suffix or (source.suffix.lower() if source.suffix.lower() in EXTENSIONS else ".png")
    template = output
    if output is None:
        template = "{stem}-{kernel}{ext}"
    elif "{" not in output and (is_folder(output) or (many and not Path(output).suffix)):
        below = _escape(str(source.below or Path()))
        template = str(Path(_escape(output)) / below / "{stem}-{kernel}{ext}")
    elif many and "{" not in output:
        raise RequestError(
            f"{output} is one file, for several images: name a folder, or a template such as "
            f"'{Path(output).stem}-{{stem}}{Path(output).suffix}'"
        )
    fields = {
        "stem": within_name(source.stem),
        "name": within_name(source.stem + source.suffix),
        "ext": suffix,
        "folder": "" if source.folder == Path() else str(source.folder),
        "number": number,
    }
    paths = []
    for part in parts:
        filled = fields | {"kernel": within_name(part or label)}
        pieces = [(piece, _fill(piece, filled, template)) for piece in template.split("/")]
        path = Path("/".join(text for piece, text in pieces if text or not piece))
        if not path.name:
            raise RequestError(f"template '{template}' gives no file name: end it in one")
        if part and "{kernel" not in template:
            path = path.with_name(f"{path.stem}-{within_name(part)}{path.suffix}")
        paths.append(path)
    return paths


def within_name(text: str) -> str:
    """What comes from data as a part of a file's name, which opens no folder."""
    return re.sub(r"[/\\\0]", "_", text)


def _fill(piece: str, fields: dict[str, str | int], template: str) -> str:
    """Put values for ``{name}`` and, with leading zeros, ``{number:03}``; ``{{`` is a brace.

    piece: of the template, between two slashes; one of which nothing is left is no folder. Values
    alone lead to no other folder: ``.`` and ``..`` become ``_`` and ``__``.
    """

    def value(match: re.Match) -> str:
        found, name = match[0], match[1]
        if found in ("{{", "}}"):
            return found[0]
        if found in ("{", "}"):
            raise RequestError(
                f"template '{template}': '{found}' is a brace alone: write it twice, {2 * found}, "
                "or close a field such as {stem}"
            )
        if name in fields:
            return str(fields[name])
        if digits := re.fullmatch(r"number:0(\d)", name):
            return str(fields["number"]).zfill(int(digits[1]))
        known = ", ".join(f"{{{field}}}" for field in fields)
        raise RequestError(
            f"template '{template}': '{found}' is no field: expected one of {known}, or "
            "{number:03} for three digits; a brace itself is written twice"
        )

    filled = re.sub(r"\{\{|\}\}|\{([^{}]*)\}|[{}]", value, piece)
    climbs = filled in (os.curdir, os.pardir) and piece != filled
    return "_" * len(filled) if climbs else filled


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def is_folder(output: str) -> bool:
    """Whether an output is a folder, there or named as one."""
    return output.endswith(("/", os.sep)) or os.path.isdir(output or ".")


def _check_distinct(sources: Sequence[Source], targets: Sequence[Targets]) -> None:
    owners: dict[str, Source] = {}
    inputs = {identity(source.path): source for source in sources if source.path is not None}
    for source, target in zip(sources, targets, strict=True):
        for path in target.paths:
            key = identity(path)
            other = owners.setdefault(key, source)
            if other is not source:
                if other.path == source.path:
                    raise RequestError(f"{source.name} is named twice: name it once")
                raise RequestError(
                    f"{other.name} and {source.name} would both be written to {path}: "
                    "use -o with a folder or a template that keeps them apart"
                )
            read = inputs.get(key)
            if read is not None and read is not source:
                raise RequestError(
                    f"the result of {source.name} would overwrite {path}, which is an input too"
                )


def identity(path: Path) -> str:
    """One text for all names of a file."""
    return os.path.normcase(os.path.realpath(path))


def check_page(option: str, path: Path, force: bool) -> None:
    """Raise where the page that an option names cannot be written, before any work.

    UsageError for a name that is no page's, which may be that of a model or a picture; else as
    :func:`check_picture`.
    """
    is_page = path.suffix.lower() in (".html", ".htm")
    if not (is_page or is_device(path) or os.path.isdir(path)):
        raise click.UsageError(f"{option} {path}: name a page such as report.html")
    check_writable(path, force)


COLOURLESS = (".pgm", ".pbm")


def check_picture(option: str, path: Path, force: bool, example: str) -> None:
    """Raise where the picture that an option names cannot be written, before any work.

    UsageError for a name that is no picture's, with an example of one that is; InputError for a
    file that exists or a place that takes none.
    """
    suffix = path.suffix.lower()
    if suffix in COLOURLESS:
        raise click.UsageError(f"{option} {path}: {suffix} has no colour: end it in .ppm or .png")
    if format_for(path, (".npy", *COLOURLESS)) == "NPY":
        raise click.UsageError(f"{option} {path}: name a picture such as {example}")
    check_writable(path, force)


DEFAULT, SUFFIX, LAST = "model.npz", ".npz", ".last"


def output_of(output: str | None, resume: str | None) -> Path:
    """The file of the best model; beside what is resumed unless it is named."""
    if output is None and resume is not None:
        path = Path(resume)
        if not path.name:
            raise InputError(f"{resume} is a folder: name a model file")
        return path.with_name(path.stem.removesuffix(LAST) + SUFFIX)
    path = Path(DEFAULT if output is None else output)
    if path.suffix.lower() != SUFFIX:
        raise RequestError(
            f"-o '{output}' names no model file: end it in {SUFFIX}, such as {DEFAULT}"
        )
    return path


def last_of(output: Path) -> Path:
    """The file of the run as it stands, beside that of the best model."""
    return output.with_name(f"{output.stem}{LAST}{output.suffix}")


def check_new(output: Path, log: str | None, force: bool) -> None:
    """InputError where a new run would overwrite something."""
    last = last_of(output)
    check_free(output, force)
    if exists(last) and not force:
        raise InputError(f"{last} exists: --resume {last} goes on with it, -f overwrites it")
    check_free(last, force)
    if log is not None:
        check_free(log, force)


def check_apart(written: dict[str, str | Path | None], read: dict[str, str | None]) -> None:
    """RequestError where a file to write is one to read, or another to write; -f is no excuse.

    Both give a path, or None, to what the path is called in the message.
    """
    owners = {
        identity(Path(path)): (name, "which is read")
        for name, path in read.items()
        if path and os.path.exists(path)
    }
    for name, path in written.items():
        if path is None:
            continue
        other, use = owners.setdefault(identity(Path(path)), (name, "which is written too"))
        if other != name:
            owner = other.removesuffix(",")
            raise RequestError(f"{name} {path} would overwrite {owner}, {use}: name another file")
