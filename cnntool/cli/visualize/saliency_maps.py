"""The maps that `cnntool visualize saliency` shows, each with the words that say how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from cnntool.networks.model import Classifier

SAMPLES = 32
LIMIT = 99.0
"""Percentile of a gradient that has the hottest colour: a few pixels stand far above the others."""


@dataclass(frozen=True, eq=False)
class Question:
    """What speaks for class ``index`` in a prepared image x (1, C, H, W), and what was asked for
    besides; None where it was not."""

    classifier: Classifier
    x: np.ndarray
    index: int
    layer: str | None = None
    patch: int | None = None
    samples: int | None = None
    seed: int | None = None
    quiet: bool = False

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


def by_gradient(asked: Question) -> Finding:
    """How much the score changes with each pixel, smoothed."""
    import numpy as np

    from cnntool.study.saliency import smooth_gradient, strength_of

    samples, noise = asked.samples or SAMPLES, {} if asked.samples != 1 else {"noise": 0.0}
    gradient = smooth_gradient(
        asked.classifier.network, asked.x, asked.index, samples, seed=asked.seed or 0, **noise
    )
    values = strength_of(gradient)
    words = f"how much each pixel changes the score of {asked.label}: the size of its gradient"
    if samples > 1:
        words += f", mean of {samples} copies with noise"
    limit = float(np.percentile(values, LIMIT)) or float(values.max())
    return Finding(values, limit, ("nothing", "most"), words)


def by_maps(asked: Question) -> Finding:
    """Where the maps of a convolution speak for the class."""
    from cnntool.study.saliency import grad_cam

    values = grad_cam(asked.classifier.network, asked.x, asked.index, asked.layer)
    limit = float(values.max())
    words = f"where the maps of {asked.layer} speak for {asked.label} (Grad-CAM)"
    if not limit:
        words = f"nothing in the maps of {asked.layer} speaks for {asked.label} (Grad-CAM)"
    return Finding(values, limit, ("nothing", "most"), words)


def by_covering(asked: Question) -> Finding:
    """How far the probability falls where a square is covered."""
    from cnntool.cli.console import progress
    from cnntool.networks.summary import batch_size_for
    from cnntool.study.saliency import occlusion, occlusion_places

    network, x = asked.classifier.network, asked.x
    patch = asked.patch or max(1, round(min(x.shape[2:]) / 5))
    stride = max(1, patch // 4)
    places = len(occlusion_places(x.shape[2:], patch, stride))
    steps = -(-places // batch_size_for(network, x.shape[1:]))
    with progress("covering", steps, asked.quiet) as advance:
        values = occlusion(network, x, asked.index, patch, stride, advance=advance)
    limit = max(0.0, float(values.max()))
    square = f"a square of {patch}x{patch} pixels"
    if limit:
        words = f"how far the probability of {asked.label} falls where {square} is covered, at "
        words += f"{places:,} places"
    else:
        words = f"covering {square} lowers the probability of {asked.label} nowhere"
    return Finding(values, limit, ("0", f"-{limit:.2g}"), words)


FINDERS = {"gradient": by_gradient, "grad-cam": by_maps, "occlusion": by_covering}
OWNERS = {"samples": "gradient", "seed": "gradient", "layer": "grad-cam", "patch": "occlusion"}
"""Options that one method alone takes."""
