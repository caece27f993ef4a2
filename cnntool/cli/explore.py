"""`cnntool explore`: one HTML file to walk through a network, which computes in the browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.cli.files import STDIO, check_no_terminal, check_stdin, source_of
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Limits, argument, flag, option, takes
from cnntool.cli.types import OutputName, PathName

if TYPE_CHECKING:
    from cnntool.networks.model import Classifier
    from cnntool.page.models import Shown


@dataclass(frozen=True)
class Asked(Limits):
    """What is to be walked through."""

    section = "What"
    names: tuple[str, ...] = argument(
        "MODEL [INPUT]...", PathName("a model file, and images"), many=True
    )
    layers: str | None = option(
        "--layers",
        str,
        "The layers up to this one alone, such as pool2, of a network whose weights are too many "
        "for a page; `cnntool info MODEL` lists them.  [default: all]",
        metavar="NAME",
    )


@dataclass(frozen=True)
class Page:
    """Where the page goes, and what is said of it."""

    section = "Output"
    output: str | None = option(
        "-o --output",
        OutputName("a file, such as page.html, or -"),
        "An HTML file, or - for stdout.  [default: MODEL-explore.html in this folder]",
        metavar="PATH",
    )
    force: bool = flag("-f --force", "Overwrite a file that exists.")
    quiet: bool = flag("-q --quiet", "No notes: only results and errors.", section="Running")

    def note(self, *notes: str) -> None:
        from cnntool.cli.console import complain

        for note in filter(None, () if self.quiet else notes):
            complain(note)

    def deliver(self, content: bytes, path: Path | None) -> None:
        """Write the page whole or not at all, and say how large it is; path: None for stdout."""
        from cnntool.cli.console import print_line
        from cnntool.files.atomic import atomic_write
        from cnntool.wording import bytes_text

        if path is None:
            sys.stdout.buffer.write(content)
            return
        with atomic_write(path, self.force) as file:
            file.write(content)
        print_line(path)
        self.note(f"{path}: {bytes_text(len(content))}, opens in any browser")

    def path(self, name: str) -> Path | None:
        """Where it goes, None for stdout; raises before any work is done where it cannot."""
        from cnntool.errors import InputError
        from cnntool.files.atomic import check_writable, exists

        if self.output == STDIO:
            check_no_terminal("the page", "")
            return None
        path = Path(f"{name}-explore.html" if self.output is None else self.output)
        if exists(path) and not self.force:
            raise InputError(f"{path} exists: add --force to overwrite it, or choose another name")
        check_writable(path)
        return path


@click.command(
    "explore",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool explore digits.npz -o page.html
  cnntool explore digits.npz sample_images/brick.png sample_images/cat.jpg
  cnntool explore digits.npz --layers pool1 -o begin.html""",
)
@takes(Asked, Page)
def command(asked: Asked, page: Page) -> None:
    """Make a page to walk through a network: one HTML file that holds its weights and inputs, and
    opens in any browser, without a network or a server.

    Of a model of images every layer stands from left to right, every map drawn. Point at a pixel
    of any map: its window in the maps before, the kernel, the products, their sum and the bias,
    what relu and pool make of it, and the gradient of the class that is chosen. Choose among the
    INPUTs, or draw an image of your own, or drop one: the page runs it through the network itself.
    Without INPUT a model of the digits shows one of each. All that a mouse does goes by keyboard,
    too.
    """
    from cnntool.networks.model import load_classifier
    from cnntool.page.models import image_page, layers_up_to

    model, *images = asked.names
    path = page.path(Path(model).stem)
    classifier = load_classifier(model)
    layers_up_to(classifier, asked.layers)
    shown = list(_read(classifier, images, asked, page)) if images else _own_images(classifier)
    page.deliver(image_page(classifier, shown, asked.layers), path)


def _read(
    classifier: Classifier, images: Sequence[str], limits: Limits, page: Page
) -> Iterator[Shown]:
    """The images as the network takes them; InputError where one cannot be read."""
    from cnntool.cli.predictions import read_prepared, wrong_with
    from cnntool.errors import InputError, RequestError
    from cnntool.page.models import Shown

    check_stdin(images)
    for name in images:
        if Path(name).is_dir():
            raise InputError(f"{name} is a folder: name images")
        source = source_of(name)
        try:
            _, planes, note = read_prepared(classifier.preprocessing, source, limits)
        except (InputError, RequestError, OSError, MemoryError) as error:
            raise InputError(wrong_with(source.name, error)) from None
        page.note(note)
        yield Shown(Path(source.name).name, planes)


def _own_images(classifier: Classifier) -> list[Shown]:
    """One of each class of the built-in set, for a network that learned from it."""
    from cnntool.datasets.images.sources import BUILT_IN, load_images
    from cnntool.page.models import Shown, one_of_each

    if classifier.header.training.get("data") != BUILT_IN:
        return []
    data = load_images(BUILT_IN).train
    prepared = classifier.preprocessing.prepared(data.subset(one_of_each(data)))
    x = classifier.preprocessing.normalized(prepared.x, prepared.scale)
    return [
        Shown(f"a {data.labels[y]} of {BUILT_IN}", x[at : at + 1], data.labels[y])
        for at, y in enumerate(prepared.y)
    ]
