"""`cnntool explore`: one HTML file to walk through a network, which computes in the browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnntool.choices import LARGEST_KERNEL, POOLS
from cnntool.cli.console import print_line
from cnntool.cli.explain.options import numbers
from cnntool.cli.files import (
    STDIO,
    check_apart,
    check_no_terminal,
    check_page,
    check_stdin,
    source_of,
)
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import (
    Limits,
    Noting,
    argument,
    encoding_option,
    flag,
    option,
    refuse,
    takes,
)
from cnntool.cli.types import OutputName, PathName, Spec, whole_number
from cnntool.errors import RequestError
from cnntool.files.atomic import atomic_write
from cnntool.wording import bytes_text, counted, suggestion

if TYPE_CHECKING:
    from cnntool.datasets.images.preprocessing import Preprocessing
    from cnntool.networks.model import AnyModel, Classifier, SequenceModel, TrainedText
    from cnntool.page.models import Shown


LARGEST_POOL = 16
OF_TEXTS = ("text", "encoding")
OF_IMAGES = tuple(field.name for field in fields(Limits))

MOST_TEXTS = 40
MOST_RUNNING = 300
"""Characters of a running text that a page begins with."""


def read_pool(text: str) -> tuple[str, int]:
    """``max:2`` or ``max``, which has windows of 2 x 2."""
    mode, colon, size = text.partition(":")
    if mode not in POOLS:
        raise ValueError(f"no pool '{mode[:40]}'{suggestion(mode, POOLS)}")
    count = whole_number(size) if size.isascii() and size.isdigit() else 0
    if colon and not 1 <= count <= LARGEST_POOL:
        raise ValueError(f"'{size[:40]}' is no window: expected 1 to {LARGEST_POOL}, as in max:2")
    return mode, count or 2


@dataclass(frozen=True)
class Asked(Limits):
    """What is to be walked through."""

    section = "What"
    names: tuple[str, ...] = argument(
        "[MODEL] [INPUT]...",
        PathName("a model file, and images or texts"),
        many=True,
        required=False,
    )
    text: tuple[str, ...] = option(
        "--text",
        str,
        "What a model of texts reads, in place of INPUT or beside it; it may stand several times.",
        metavar="TEXT",
        multiple=True,
    )
    encoding: str | None = encoding_option("Of texts, such as cp1252")
    kernel: str | None = option(
        "-k --kernel",
        str,
        f"No model: this filter over one INPUT, such as sobel, of {LARGEST_KERNEL} x "
        f"{LARGEST_KERNEL} weights at the most; with --signal its weights.",
        metavar="KERNEL",
    )
    pool: tuple[str, int] | None = option(
        "--pool",
        Spec("MODE:SIZE", read_pool),
        f"No model: this pool over one INPUT, such as max:2; the modes are {', '.join(POOLS)}.",
    )
    signal: tuple[float, ...] | None = option(
        "--signal",
        numbers("signal"),
        "No model: these numbers under --kernel, such as 1,2,3, and the way back.",
    )
    layers: str | None = option(
        "--layers",
        str,
        "The layers up to this one alone, such as pool2, of a network whose weights are too many "
        "for a page; `cnntool info MODEL` lists them.  [default: all]",
        metavar="NAME",
    )

    def check(self) -> None:
        """UsageError where what is asked for is not one thing."""
        given = [
            f"--{key}" for key in ("pool", "signal", "kernel") if getattr(self, key) is not None
        ]
        if given and self.layers is not None:
            raise click.UsageError(
                f"--layers is for a model, and {given[0]} shows none: leave it out"
            )
        if given:
            refuse(
                self, OF_TEXTS, f"is for a model of texts, and {given[0]} shows none: leave it out"
            )
        if self.pool is not None and len(given) > 1:
            raise click.UsageError(f"--pool and {given[1]} are two pages: make one at a time")
        if self.signal is not None:
            if self.kernel is None:
                raise click.UsageError("--signal needs a kernel: add --kernel 1,0,-1")
            refuse(self, OF_IMAGES, "is for images, and --signal gives numbers: leave it out")
            if self.names:
                raise click.UsageError(f"--signal takes no file: leave out {self.names[0]}")
        elif given and len(self.names) != 1:
            count = counted(len(self.names), "file")
            raise click.UsageError(f"{given[0]} is shown over one image, and {count} are named")
        elif not self.names:
            raise click.UsageError("Missing argument '[MODEL] [INPUT]...': name a model file")


@dataclass(frozen=True)
class Page(Noting):
    """Where the page goes, and what is said of it."""

    section = "Output"
    output: str | None = option(
        "-o --output",
        OutputName("a file, such as page.html, or -"),
        "An HTML file, or - for stdout.  [default: MODEL-explore.html in this folder, or "
        "IMAGE-KERNEL-explore.html]",
        metavar="PATH",
    )
    force: bool = flag("-f --force", "Overwrite a file that exists.")
    quiet: bool = flag("-q --quiet", "No notes: only results and errors.", section="Running")

    def deliver(self, content: bytes, path: Path | None) -> None:
        """Write the page whole or not at all, and say how large it is; path: None for stdout."""
        if path is None:
            sys.stdout.buffer.write(content)
            return
        with atomic_write(path, self.force) as file:
            file.write(content)
        print_line(path)
        self.note(f"{path}: {bytes_text(len(content))}, opens in any browser")

    def path(self, name: str, read: Sequence[str]) -> Path | None:
        """Where it goes, None for stdout; raises before any work is done where it cannot, as over
        what is ``read``."""
        if self.output == STDIO:
            check_no_terminal("the page", "")
            return None
        path = Path(f"{name}-explore.html" if self.output is None else self.output)
        for each in read:
            check_apart({"-o": path}, {"an input": each})
        check_page("-o", path, self.force)
        return path


@click.command(
    "explore",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool explore digits.npz -o page.html
  cnntool explore digits.npz sample_images/brick.png sample_images/cat.jpg
  cnntool explore digits.npz --layers pool1 -o begin.html
  cnntool explore say.npz --text through
  cnntool explore --kernel sobel sample_images/cat.jpg
  cnntool explore --pool max:2 sample_images/cat.jpg
  cnntool explore --signal 1,2,3 --kernel 1,0,-1""",
)
@takes(Asked, Page)
def command(asked: Asked, page: Page) -> None:
    """Make a page to walk through a network: one HTML file that holds its weights and inputs, and
    opens in any browser, without a network or a server.

    Of a model of images every layer stands from left to right, every map drawn. Point at a pixel
    of any map: its window in the maps before, the kernel, the products, their sum and the bias,
    what relu and pool make of it, and the gradient of the class that is chosen. Choose among the
    INPUTs, or draw an image of your own, or drop one: the page runs it through the network itself.
    Without INPUT a model of the digits shows one of each.

    Of a model of texts (running text, classes, tags, texts for texts) tokens are columns: gates,
    cell and hidden state of each unit as heat maps over time, how one of them came to be, the odds
    of the next token, class or tag, and where a decoder looked. Type a text, and the page reads it.
    INPUTs are text files: a line is a text, but of running text the file is one. Of a captioner
    each word has the picture, lit where it looked.

    Without a model: --kernel or --pool move over a photograph, in grey, while weights, stride,
    padding, dilation and border are changed; --signal shows every sum of a one-dimensional
    convolution and its way back. All that a mouse does goes by keyboard, too.
    """
    asked.check()
    if asked.signal is not None:
        _of_signal(asked, page)
    elif asked.pool is not None or asked.kernel is not None:
        _of_picture(asked, page)
    else:
        _of_model(asked, page)


def _of_model(asked: Asked, page: Page) -> None:
    from cnntool.networks.model import Classifier, load_trained
    from cnntool.page.models import image_page, layers_up_to

    model, *images = asked.names
    path = page.path(Path(model).stem, asked.names)
    classifier = load_trained(model)
    if classifier.header.kind == "captioner":
        _of_captions(asked, classifier, page, path)
        return
    if not isinstance(classifier, Classifier):
        _of_texts(asked, classifier, page, path)
        return
    refuse(asked, OF_TEXTS, f"is for models of texts, and {model} is one of images")
    layers_up_to(classifier, asked.layers)
    preparing = classifier.preprocessing
    shown = list(_read(preparing, images, asked, page)) if images else _own_images(classifier)
    page.deliver(image_page(classifier, shown, asked.layers), path)


def _of_captions(asked: Asked, model: AnyModel, page: Page, path: Path | None) -> None:
    from cnntool.datasets.sequences.inputs import PixelInput
    from cnntool.networks.model import SequenceModel
    from cnntool.page.models import caption_page

    assert isinstance(model, SequenceModel)
    assert isinstance(model.reader, PixelInput)
    refuse(asked, (*OF_TEXTS, "layers"), f"is of no use here: {model.name} is a captioner")
    inputs = list(_read(model.reader.preprocessing, asked.names[1:], asked, page))
    page.deliver(caption_page(model, inputs), path)


def _of_texts(
    asked: Asked, model: TrainedText | SequenceModel, page: Page, path: Path | None
) -> None:
    """A line of a file is a text; of running text, which has lines of its own, its beginning."""
    from cnntool.datasets.texts.encodings import checked_encoding
    from cnntool.datasets.texts.text import read_text, source_name
    from cnntool.networks.model import TrainedText
    from cnntool.page.models import check_texts, text_page

    check_texts(model)
    if asked.layers is not None:
        raise RequestError(f"--layers is for models of images, and {model.name} is one of texts")
    refuse(asked, OF_IMAGES, f"is for images, and {model.name} takes texts: leave it out")
    files = asked.names[1:]
    check_stdin(files, "texts")
    if not files:
        refuse(asked, ["encoding"], "is that of files, and none is named: leave it out")
    texts = list(filter(str.strip, asked.text))
    if len(texts) < len(asked.text):
        page.note("--text is empty: it is left out")
    for name in files:
        encoding = checked_encoding(asked.encoding or model.encoding)
        read = "".join(read_text(name, encoding))
        if not read.strip():
            page.note(f"{source_name(name)} is empty: it is left out")
        elif isinstance(model, TrainedText):
            texts.append(read[:MOST_RUNNING])
        else:
            texts += filter(str.strip, read.splitlines())
    if len(texts) > MOST_TEXTS:
        page.note(f"of {len(texts):,} texts the first {MOST_TEXTS} are in the page")
    page.deliver(text_page(model, texts[:MOST_TEXTS]), path)


def _of_picture(asked: Asked, page: Page) -> None:
    from cnntool.cli.convolve import read_learned
    from cnntool.cli.explain.options import open_one
    from cnntool.cli.options import Reading
    from cnntool.imaging.kernels import parse_kernel
    from cnntool.page.filters import kernel_page, pool_page

    (name,) = asked.names
    kernel = None if asked.kernel is None else parse_kernel(asked.kernel, read_learned)
    what = kernel.label if kernel else "-".join(map(str, asked.pool or ()))
    path = page.path(f"{source_of(name).stem}-{what}", asked.names)
    reading = Reading(white=asked.white, max_pixels=asked.max_pixels)
    image, title = open_one(name, reading, page.quiet)
    title = Path(title).name
    if kernel is not None:
        page.deliver(kernel_page(title, image, kernel), path)
    elif asked.pool is not None:
        page.deliver(pool_page(title, image, *asked.pool), path)


def _of_signal(asked: Asked, page: Page) -> None:
    from cnntool.engine.windows import plan_axis
    from cnntool.page.filters import signal_page

    assert asked.signal is not None
    try:
        kernel = numbers("kernel").read(asked.kernel or "")
        plan_axis(len(asked.signal), len(kernel))
    except ValueError as error:
        raise RequestError(f"--kernel with --signal: {error}") from None
    path = page.path("signal", [])
    page.deliver(signal_page(asked.signal, kernel), path)


def _read(
    preparing: Preprocessing, images: Sequence[str], limits: Limits, page: Page
) -> Iterator[Shown]:
    """The images as the network takes them; InputError where one cannot be read."""
    from cnntool.cli.predictions import read_named
    from cnntool.page.models import Shown

    for name in images:
        source, _, planes, notes = read_named(preparing, name, limits, "images")
        page.note(*notes)
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
