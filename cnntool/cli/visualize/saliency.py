"""`cnntool visualize saliency`: what the answer for one image or text rests on, in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.console import progress
from cnntool.cli.files import source_of
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Model, argument, option, refuse, takes
from cnntool.cli.types import Choice, PathName, WholeNumber
from cnntool.cli.visualize.options import (
    WHAT,
    Preparing,
    Reported,
    answer_facts,
    answer_text,
    class_index,
    read_one,
    target_of,
)
from cnntool.errors import InputError, RequestError
from cnntool.wording import counted, readable

if TYPE_CHECKING:
    import numpy as np

    from cnntool.networks.model import Classifier

SAMPLES = 32
LIMIT = 99.0
"""Percentile of a gradient that has the hottest colour: a few pixels stand far above the others."""

OWNERS = {
    "layer": "grad-cam",
    "patch": "occlusion",
    "samples": "gradient",
    "seed": "gradient",
}
"""Options that one method alone takes."""


@dataclass(frozen=True)
class Asked(Model):
    """What is asked of which network, and how it is answered."""

    section = WHAT
    images: tuple[str, ...] = argument(
        "[IMAGE]", PathName("an image or -"), many=True, required=False
    )
    text: str | None = option(
        "--text",
        str,
        "What a classifier or a tagger of texts reads, in place of IMAGE; - reads it from stdin.",
        metavar="TEXT",
    )
    word: int | None = option(
        "--word", WholeNumber(1), "Of a tagger: what speaks for the tag of this word, from 1."
    )
    method: str = option(
        "--method",
        Choice(("gradient", "grad-cam", "occlusion"), "method", "HOW"),
        "gradient: how much the score changes with each pixel; grad-cam: where the maps of a "
        "convolution speak for the class; occlusion: how far the probability falls where a square "
        "is covered.  [default: gradient]",
        default="gradient",
    )
    label: str | None = option(
        "--class", str, "What speaks for this class.  [default: the likeliest one]", metavar="NAME"
    )
    layer: str | None = option(
        "--layer",
        str,
        "grad-cam: of this convolution, such as conv1.  [default: the last one]",
        metavar="NAME",
    )
    patch: int | None = option(
        "--patch",
        WholeNumber(1),
        "occlusion: the side of the square in pixels of the prepared image.  [default: a fifth of "
        "its shorter side]",
    )
    samples: int | None = option(
        "--samples",
        WholeNumber(1, 4096),
        "gradient: the mean of N copies with noise; 1 is the plain gradient.  "
        f"[default: {SAMPLES}]",
    )
    seed: int | None = option(
        "--seed", WholeNumber(0, 2**63 - 1), "gradient: of the noise.  [default: 0]"
    )

    def check(self) -> None:
        """Raise where several images are named or none, or an option is of another method."""
        if self.text is not None:
            if self.images or self.method != "gradient":
                given = self.images[0] if self.images else f"--method {self.method}"
                raise RequestError(
                    f"{given} is for an image, and --text gives a text: leave it out"
                )
            refuse(self, OWNERS, "is for an image: leave it out, or --text")
            return
        refuse(self, ["word"], "is for a tagger of texts: give --text, too")
        if not self.images:
            raise RequestError(_wanted(self.model))
        if len(self.images) > 1:
            raise RequestError(
                f"saliency shows one image, and {len(self.images)} were named: run it once for each"
            )
        for name, owner in OWNERS.items():
            if owner != self.method:
                refuse(self, [name], f"is for --method {owner}: leave it out")


def _wanted(model: str) -> str:
    """What to give where nothing is named; InputError where it takes neither image nor text."""
    from cnntool.networks.model_file import KINDS, load_header

    header = load_header(model)
    form = header.preprocessing.get("form")
    if header.kind == "cnn":
        return "name an image"
    if header.kind in ("classifier", "tagger") and form in ("text", "words"):
        return "give --text with what the model reads"
    of = {"steps": ", of series", "frames": ", of clips"}.get(str(form), "")
    raise InputError(
        f"{model} is {KINDS[header.kind]}{of}: saliency takes image models, and classifiers and "
        "taggers of texts"
    )


@click.command(
    "saliency",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool visualize saliency digits.npz sample_images/brick.png
  cnntool visualize saliency digits.npz sample_images/cat.jpg --class 3
  cnntool visualize saliency digits.npz sample_images/cat.jpg --method grad-cam
  cnntool visualize saliency digits.npz sample_images/brick.png --show
  cnntool visualize saliency mood.npz --text 'not bad at all'
  cnntool visualize saliency mood.npz --text 'not bad at all' --class bad --show
  cnntool visualize saliency address.npz --text '12 Main St' --word 2""",
)
@takes(Asked, Preparing, Reported)
def command(asked: Asked, preparing: Preparing, picture: Reported) -> None:
    """Show what the answer for one image, or for one text, rests on, in colour over it.

    The image is prepared as those were that the network learned from. The hotter a colour, the more
    a place counts for the class: by the gradient of its score, smoothed (SmoothGrad), by the maps
    of a convolution weighted by their gradients (Grad-CAM), or by how far its probability falls
    where a grey square covers the place (occlusion). Below stand the likeliest class and its
    probability. With --json also every number of the map.

    Of a text each token has the colour of what it says for the class, or for the tag of a word, or
    against it: the gradient of the score by the token's vector, times the vector.
    """
    from cnntool.datasets.images.preprocessing import picture_within
    from cnntool.visuals.overlays import PANEL, saliency_picture

    asked.check()
    picture.check()
    if asked.text is not None:
        from cnntool.cli.visualize.text_saliency import draw_text_saliency

        what = asked.text, asked.label, asked.word
        draw_text_saliency(asked.model, *what, preparing, picture)
        return
    source = source_of(asked.images[0])
    name = source.name
    classifier, image, x = read_one(asked.model, asked.images[0], preparing, picture)
    layer = layer_of(classifier, asked.layer) if asked.method == "grad-cam" else None
    index = class_index(classifier, asked.label)
    target = target_of(
        picture,
        asked.model,
        source.stem,
        asked.method,
        asked.label,
        read={"IMAGE": asked.images[0]},
    )
    probabilities = classifier.probabilities(x)[0]
    if index is None:
        index = int(probabilities.argmax())
    question = Question(classifier, x, index, layer, asked, picture.quiet)
    found = FINDERS[asked.method](question)
    pixels = picture_within(image, PANEL)
    words = title_of(name, question, probabilities), found.words
    target.deliver(
        saliency_picture(pixels, found.heat, words, found.ends),
        draw=lambda: draw_in_terminal(pixels, found.heat, words),
        facts=lambda: entry(name, question, probabilities, found),
    )


@dataclass(frozen=True, eq=False)
class Question:
    """What speaks for class ``index`` in a prepared image x (1, C, H, W)."""

    classifier: Classifier
    x: np.ndarray
    index: int
    layer: str | None
    asked: Asked
    quiet: bool

    @property
    def label(self) -> str:
        return self.classifier.labels[self.index]


@dataclass(frozen=True, eq=False)
class Finding:
    """A map (H, W) of what speaks for a class, and how to read it.

    limit: what has the hottest colour, 0 being the coldest. ends: their names. words: how the map
    was made.
    """

    values: np.ndarray
    limit: float
    ends: tuple[str, str]
    words: str

    @property
    def heat(self) -> np.ndarray:
        """The map from 0 to 1, as it is coloured."""
        import numpy as np

        return np.clip(self.values / self.limit, 0, 1) if self.limit else 0 * self.values


def by_gradient(question: Question) -> Finding:
    """How much the score changes with each pixel, smoothed."""
    import numpy as np

    from cnntool.study.saliency import NOISE, smooth_gradient, strength_of

    samples, seed = question.asked.samples or SAMPLES, question.asked.seed or 0
    if not np.ptp(question.x):
        samples = 1  # a share of the range of an image without any is no noise
    noise = 0.0 if samples == 1 else NOISE
    scored = question.classifier.network, question.x, question.index
    gradient = smooth_gradient(*scored, samples, noise, seed)
    values = strength_of(gradient)
    words = f"how much each pixel changes the score of {question.label}: the size of its gradient"
    if samples > 1:
        words += f", mean of {samples} copies with noise"
    limit = float(np.percentile(values, LIMIT)) or float(values.max())
    return Finding(values, limit, ("nothing", "most"), words)


def by_maps(question: Question) -> Finding:
    """Where the maps of a convolution speak for the class."""
    from cnntool.study.saliency import grad_cam

    assert question.layer is not None
    values = grad_cam(question.classifier.network, question.x, question.index, question.layer)
    limit = float(values.max())
    words = f"where the maps of {question.layer} speak for {question.label} (Grad-CAM)"
    if not limit:
        words = f"nothing in the maps of {question.layer} speaks for {question.label} (Grad-CAM)"
    return Finding(values, limit, ("nothing", "most"), words)


def by_covering(question: Question) -> Finding:
    """How far the probability falls where a square is covered."""
    from cnntool.networks.batch_sizes import batch_size_for
    from cnntool.study.saliency import occlusion, occlusion_places

    network, x = question.classifier.network, question.x
    patch = question.asked.patch or max(1, round(min(x.shape[2:]) / 5))
    stride = max(1, patch // 4)
    places = len(occlusion_places(x.shape[2:], patch, stride))
    steps = -(-places // batch_size_for(network, x.shape[1:]))
    with progress("covering", steps, question.quiet) as advance:
        values = occlusion(network, x, question.index, patch, stride, advance=advance)
    limit = max(0.0, float(values.max()))
    square = f"a square of {patch}x{patch} pixels"
    if limit:
        words = f"how far the probability of {question.label} falls where {square} is covered, at "
        words += counted(places, "place")
    else:
        words = f"covering {square} lowers the probability of {question.label} nowhere"
    return Finding(values, limit, ("0", f"-{limit:.2g}"), words)


FINDERS = {"gradient": by_gradient, "grad-cam": by_maps, "occlusion": by_covering}


def layer_of(classifier: Classifier, layer: str | None) -> str:
    """The convolution of this name, the last one for None; errors as of Banks.layer_name."""
    from cnntool.study.learned_kernels import Banks, kernels_of

    banks = Banks(classifier.name, kernels_of(classifier.network))
    return banks.layer_name(list(banks.layers)[-1] if layer is None and banks.layers else layer)


def title_of(name: str, question: Question, probabilities: np.ndarray) -> str:
    """``scan.png through digits.npz: 3, 97.1%``; where another class is asked for, that too."""
    said = answer_text(question.classifier.labels, probabilities, question.index)
    return f"{Path(name).name} through {Path(question.classifier.name).name}: {said}"


def draw_in_terminal(pixels: np.ndarray, heat: np.ndarray, words: Sequence[str]) -> None:
    """The map over the picture on stderr, below lines that say what it is.

    Without colours nobody could tell the map from the picture: there it stands alone.
    """
    import numpy as np

    from cnntool.cli.terminal import draw_pixels, has_colour
    from cnntool.visuals.overlays import panels, stretched

    if has_colour():
        draw_pixels(panels(pixels, heat)[1], words)
        return
    alone = stretched(heat, pixels.shape[:2])
    draw_pixels(np.clip(alone, 0, 1)[..., None], words, white=1.0)


def entry(
    name: str, question: Question, probabilities: np.ndarray, found: Finding
) -> dict[str, Any]:
    """What was found, and every number of it, for JSON."""
    return {
        "image": readable(name),
        "model": readable(question.classifier.name),
        "method": question.asked.method,
        "layer": question.layer,
        **answer_facts(question.classifier.labels, probabilities, question.index),
        "map": found.values,
    }
