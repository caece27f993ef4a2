"""Images through a network in the order they are named: read ahead, in batches, one line each."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cnntool.cli.console import complain, console, json_text, one_line, progress, reason
from cnntool.cli.files import Source, check_no_text, check_stdin, gather, in_shard, source_of
from cnntool.cli.image_route import open_source
from cnntool.cli.options import Limits, Reading, Sources, Spread
from cnntool.cli.running import LOST, LOST_WORKERS, Notes
from cnntool.datasets.images.dataset import FULL, Dataset, levels_of
from cnntool.datasets.images.preprocessing import Preprocessing, brightness
from cnntool.engine.fast.processes import in_order
from cnntool.engine.fast.threads import available_cores
from cnntool.errors import InputError, RequestError
from cnntool.files.image import Image, first_alone
from cnntool.wording import counted, readable

if TYPE_CHECKING:
    from rich.text import Text

    from cnntool.networks.model import Trained

BATCH_IMAGES = 64
BATCH_BYTES = 1 << 18
"""Of the files of a batch: small images go through together, photographs as they come."""


@dataclass(frozen=True, eq=False)
class Asked:
    """An image: first as the network takes it, (1, C, H, W), then what it gives for it; or what is
    wrong with it. bytes: of its file."""

    name: str
    value: Any
    error: str = ""
    notes: tuple[str, ...] = ()
    bytes: int = 0


class Printer:
    """Prints a line an image: tabs between fields, columns in a terminal, or JSON."""

    def __init__(self, labels: Sequence[str], k: int, as_json: bool) -> None:
        self.labels, self.k, self.as_json = labels, k, as_json
        self._screen = console()
        self._name_width = 0
        self._label_width = max(len(one_line(label)) for label in labels)

    def expect(self, sources: Sequence[Source]) -> None:
        """Make room for the names that will come."""
        longest = max((len(one_line(source.name)) for source in sources), default=0)
        room = self._screen.width - self.k * (self._label_width + 10)
        self._name_width = min(longest, max(12, room))

    def __call__(self, name: str, probabilities: np.ndarray) -> None:
        found = ranked(self.labels, probabilities, self.k)
        if self.as_json:
            print(json_text({"image": readable(name), **as_facts(found, "label")}), flush=True)
        elif self._screen.is_terminal:
            self._print_columns(name, found)
        else:
            print("\t".join([one_line(name), *as_fields(found)]), flush=True)

    def _print_columns(self, name: str, found: Sequence[tuple[str, float]]) -> None:
        from rich.text import Text

        line = Text(one_line(name).ljust(self._name_width))
        for cell in as_cells(found, self._label_width):
            line.append("  ").append_text(cell)
        self._screen.print(line, soft_wrap=True)


def tell_of_all(top: int | None, model: Trained) -> None:
    """Say on stderr where --top asks for more answers than a model has."""
    count = len(model.labels)
    if top is not None and top > count:
        classes = counted(count, "tag" if model.header.kind == "tagger" else "class")
        complain(f"--top {top}: {model.name} has {classes}, and all of them are told")


def ranked(labels: Sequence[str], odds: np.ndarray, k: int) -> list[tuple[str, float]]:
    """The k likeliest of labels by their odds (K,), the likeliest first."""
    best = np.argsort(-odds, kind="stable")[:k]
    return [(labels[index], float(odds[index])) for index in best]


def as_fields(found: Sequence[tuple[str, float]]) -> list[str]:
    return [field for label, p in found for field in (one_line(label), f"{p:.4f}")]


def as_facts(found: Sequence[tuple[str, float]], name: str) -> dict[str, Any]:
    """The likeliest as JSON has it, and of several all; none is null. name: what a label is
    called."""
    pairs = [{name: label, "probability": round(p, 6)} for label, p in found]
    if not pairs:
        return {name: None, "probability": None}
    return pairs[0] | ({"top": pairs} if len(pairs) > 1 else {})


def as_cells(found: Sequence[tuple[str, float]], width: int) -> Iterator[Text]:
    """Labels, of this width, with their odds, the sure ones in green."""
    from rich.text import Text

    for place, (label, p) in enumerate(found):
        style = "dim" if place else "bold green" if p >= 0.9 else "bold yellow"
        cell = Text(one_line(label).ljust(width), style)
        yield cell.append(f" {p:7.2%}", "dim" if place else "not bold default")


def run_predictions(
    preprocessing: Preprocessing,
    answer: Answers,
    sources: Sources,
    limits: Limits,
    show: Callable[[str, Any], None],
    quiet: bool,
    spread: Spread,
    expect: Callable[[Sequence[Source]], None] = lambda sources: None,
) -> int:
    """Print a line for every image, in the order of the arguments; returns the exit code.

    answer: to some that are prepared, (N, C, H, W), one for each. show: prints one, with the name
    of its image; expect: is told of all images before.
    """
    found, is_failed = gather(sources.images, sources.recursive, quiet)
    found = [found[place] for place in in_shard(found, spread.shard, quiet)]
    expect(found)
    is_hidden = quiet or sys.stdout.isatty()
    with (
        _handed_out(preprocessing, answer, found, limits, spread.cluster) as answers,
        progress("predicting", len(found), is_hidden) as advance,
        Notes(quiet, few=1) as notes,
    ):
        for each in answers:
            for note in each.notes:
                said = note.removeprefix(each.name)
                lead = each.name + ": " * said.startswith(": ")
                notes.say(lead, said.removeprefix(": "))
            if each.error:
                is_failed = True
                complain(each.error)
            else:
                show(each.name, each.value)
            advance()
    return int(is_failed)


Answers = Callable[[np.ndarray], Sequence[Any]]


@contextmanager
def _handed_out(
    preprocessing: Preprocessing,
    answer: Answers,
    found: Sequence[Source],
    limits: Limits,
    cluster: str | None,
) -> Iterator[Iterator[Asked]]:
    """The answers in order. Images are prepared in processes, and answered here; or both is done
    by the workers of a cluster."""
    if cluster:
        from cnntool.cli.cluster import on_cluster

        if any(source.path is None for source in found):
            raise RequestError("--cluster takes files that its workers share, not stdin: name some")
        do = partial(_answers_to, preprocessing, answer, limits)
        with on_cluster(
            cluster,
            do,
            found,
            lost=lambda source: Asked(source.name, None, f"{source.name}: {LOST_WORKERS}"),
            again="run it again",
        ) as answers:
            yield answers
        return

    def prepare(index: int) -> Asked:
        return prepared(preprocessing, found[index], limits)

    def lost(index: int) -> Asked:
        return Asked(found[index].name, None, f"{found[index].name}: {LOST}name it alone")

    jobs = min(available_cores(), len(found))
    with in_order(prepare, len(found), jobs, lost, BATCH_IMAGES) as images:
        yield _answers(answer, images)


def _answers_to(
    preprocessing: Preprocessing, answer: Answers, limits: Limits, sources: Iterable[Source]
) -> Iterator[Asked]:
    return _answers(answer, (prepared(preprocessing, source, limits) for source in sources))


def prepared(preprocessing: Preprocessing, source: Source, limits: Limits) -> Asked:
    """Read an image and do what is done to it before the network."""
    name = source.name
    try:
        _, planes, notes = read_prepared(preprocessing, source, limits)
        size = BATCH_BYTES if source.path is None else os.stat(source.path).st_size
        return Asked(name, planes, notes=notes, bytes=size)
    except (InputError, OSError) as error:
        return Asked(name, None, wrong_with(name, error))


def read_named(
    preprocessing: Preprocessing, name: str, limits: Limits, expected: str = "one image"
) -> tuple[Source, Image, np.ndarray, tuple[str, ...]]:
    """The image that an argument names, and the same of it as :func:`read_prepared`."""
    check_stdin([name])
    if os.path.isdir(name):
        raise InputError(f"{name} is a folder: name {expected}")
    source = source_of(name)
    return source, *read_prepared(preprocessing, source, limits)


def read_prepared(
    preprocessing: Preprocessing, source: Source, limits: Limits
) -> tuple[Image, np.ndarray, tuple[str, ...]]:
    """An image, what the network takes of it, and what to say of its frames and levels; InputError
    with its name, whatever goes wrong."""
    try:
        check_no_text(source)
        image = open_source(source, Reading(white=limits.white, max_pixels=limits.max_pixels))
        planes = preprocessing.picture(image)
    except (InputError, RequestError, OSError, MemoryError) as error:
        raise InputError(wrong_with(source.name, error)) from None
    notes = first_alone(source.name, image), _note(source.name, image, planes, preprocessing)
    return image, planes, tuple(filter(None, notes))


def _note(name: str, image: Image, planes: np.ndarray, preprocessing: Preprocessing) -> str:
    if text := _white_note(name, image, preprocessing):
        return text
    if preprocessing.has_strange_levels:
        return strange_note(name, preprocessing)
    mean = float(preprocessing.shown(planes).mean())
    if not preprocessing.is_inverted(np.array([mean])).any():
        return ""
    remedy = "cnntool convolve IMAGE -k -1 --bias 255"
    return light_note(f"{name} is", mean, preprocessing, remedy)


def _white_note(name: str, image: Image, preprocessing: Preprocessing) -> str:
    """What to say of values that are nearly black, or far over white, as they are taken."""
    pixels = image.frames[0].pixels
    if pixels.dtype == np.uint8 or preprocessing.has_levels(image):
        return ""
    most, taken = float(pixels.max()), f"{name}: {image.white:g} is taken for white"
    if pixels.dtype.kind != "f":
        _, white = levels_of(0, most, image.white)
        if not 0 < most <= white < image.white:
            return ""
        factor = round(image.white / white)
        remedy = f"cnntool convolve IMAGE -k {factor} makes {white:g} white"
        return f"{taken}, and its values end at {most:g}: {remedy}"
    if 0 < most <= 1 < image.white:
        return f"{taken}, and its values end at {most:.3g}: --white 1 takes 1 for it"
    if most > 2 * image.white:
        return f"{taken}, and its values go up to {most:.6g}: --white {most:.6g} takes that for it"
    return ""


def strange_note(name: str, preprocessing: Preprocessing) -> str:
    """What to say of pictures, for a network whose file does not say what it learned from."""
    mean = ", ".join(f"{each:.3g}" for each in preprocessing.mean)
    return (
        f"{name} has values from 0 to 1, and the network learned from others, {mean} on average, "
        "whose black and white its file does not say: train it again"
    )


def light_note(name: str, mean: float, preprocessing: Preprocessing, remedy: str) -> str:
    """What to say of dark strokes on white, for a network that knows light ones on black, or the
    contrary; mean: of the image, from 0 (black) to 1 (white)."""
    this, other = ("light", "dark") if mean > 0.5 else ("dark", "light")
    return (
        f"{name} {this}, {mean:.2f} of white on average, and the network learned from {other} "
        f"images, {preprocessing.usual_brightness:.2f}: {remedy} turns {other} on {this} around"
    )


def differences(data: str, images: Dataset, preprocessing: Preprocessing) -> list[str]:
    """What to know of images that are unlike those that the network learned from: light on dark for
    dark on light, or of other levels."""
    if preprocessing.has_strange_levels and images.levels == FULL:
        return [strange_note(data, preprocessing)]
    means = brightness(images)
    found = means[preprocessing.is_inverted(means)]
    if 10 * len(found) < len(images):
        return []
    which = f"{data}: {len(found):,} of {counted(len(images), 'image')} are"
    remedy = "saving white - x for x"
    if images.files is not None:
        made = "'negatives/{folder}/{stem}.png'"
        remedy = f"cnntool convolve {shlex.quote(data)} -r -k -1 --bias 255 -o {made}"
    return [light_note(which, float(found.mean()), preprocessing, remedy)]


def wrong_with(name: str, error: Exception) -> str:
    """What is wrong with an image: ``a.png has 4 channels`` for ``the image has 4 channels``."""
    return reason(error, name).replace(f"{name}: the image", name, 1)


def _batches(images: Iterable[Asked]) -> Iterator[list[Asked]]:
    """Images that follow each other and have one size, until their files are large together."""
    batch: list[Asked] = []
    last = None
    for image in images:
        shape = None if image.value is None else image.value.shape
        if batch and (shape is None or shape != last):
            yield batch
            batch = []
        last = shape
        batch.append(image)
        if len(batch) == BATCH_IMAGES or sum(each.bytes for each in batch) >= BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _answers(answer: Answers, images: Iterable[Asked]) -> Iterator[Asked]:
    """The answer to every image, in batches."""
    for batch in _batches(images):
        if batch[0].value is None:
            yield from batch
            continue
        try:
            found = answer(np.concatenate([image.value for image in batch]))
        except (InputError, MemoryError) as error:
            for image in batch:
                yield replace(image, value=None, error=wrong_with(image.name, error))
            continue
        for image, value in zip(batch, found, strict=True):
            yield replace(image, value=value)
