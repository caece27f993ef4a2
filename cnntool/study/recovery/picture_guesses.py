"""What made one picture of another where no convolution did: guesses that are cheap to try."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from cnntool.engine.image_pooling import median_pool2d, min_pool2d
from cnntool.engine.max_pooling import max_pool2d
from cnntool.files.image import Frame, Image
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.imaging.kernel_catalogue import CATALOGUE
from cnntool.imaging.kernels import build
from cnntool.study.recovery.window_equations import ROUNDING, Pair

SIDE = 512
"""Pixels on a side of the part that guesses are tried on, from the middle."""

LEVELS = 256
"""Of a curve, where pixels are floats."""

POOLS = 3, 5, 7
"""Windows of medians, maxima and minima."""

MOST = 3
"""Guesses that are told."""

LEAST = 0.25
"""Of the deviation, that a guess that is told leaves at most, and of what a kernel leaves half."""


@dataclass(frozen=True)
class Guess:
    """what: it may be, in words. residual: what that leaves of each pixel, in units of BEFORE.
    options: of `cnntool` that do it, '' where none does."""

    what: str
    residual: float
    options: str = ""


def guesses(pair: Pair, residual: float) -> list[Guess]:
    """What explains a pair of one size much better than a kernel, that leaves ``residual``; the
    best first."""
    if pair.before.shape != pair.after.shape:
        return []
    part = _middle(pair)
    most = min(0.5 * residual, LEAST * float(part.after.std()))
    tried = chain([_curve(part)], _banks(part), _pools(part))
    found = [each for each in tried if each.residual <= most]
    moved = _shift(part, most)
    if moved is not None:
        found.append(moved)
    found.sort(key=lambda each: each.residual)
    near = max(ROUNDING * pair.step, 2 * found[0].residual) if found else 0.0
    return [each for each in found if each.residual <= near][:MOST]


def _middle(pair: Pair) -> Pair:
    cuts = []
    for side in pair.before.shape[:2]:
        start = max(0, (side - SIDE) // 2)
        cuts.append(slice(start, start + SIDE))
    rows, columns = cuts
    return Pair(
        np.ascontiguousarray(pair.before[rows, columns]),
        pair.after[rows, columns],
        pair.used[rows, columns],
        pair.step,
        pair.white,
    )


def _curve(pair: Pair) -> Guess:
    """AFTER as a function of the same pixel of BEFORE: the mean of AFTER for each level."""
    x, y = pair.before.astype(np.float64).ravel(), pair.after.ravel()
    levels = np.unique(x)
    if len(levels) > min(LEVELS, len(x) / 8):  # else every pixel is a level of its own
        levels = np.quantile(x, np.linspace(0, 1, min(LEVELS, len(x) // 8 + 1)))
    place = np.clip(np.searchsorted(levels, x, "right") - 1, 0, len(levels) - 1)
    counts = np.maximum(1, np.bincount(place, minlength=len(levels)))
    means = np.bincount(place, y, len(levels)) / counts
    what = "a curve over the brightness of each pixel alone"
    inner = (levels > 0.05 * pair.white) & (means > 0.02 * pair.white) & (means < pair.white)
    if inner.sum() > 8:
        a, b = np.log(levels[inner] / pair.white), np.log(means[inner] / pair.white)
        gamma = float((a @ b) / (a @ a)) if a @ a else 1.0
        if np.abs(b - gamma * a).max() < 0.05:
            what += f", close to white * (pixel / white) ^ {gamma:.3g}"
    return Guess(what, _rms(means[place] - y))


def _banks(pair: Pair) -> Iterator[Guess]:
    """Magnitudes and maxima of the catalogue's banks, any number of times."""
    image = Image((Frame(pair.before),), pair.white, "PNG")
    for name, entry in CATALOGUE.items():
        if entry.combine == "none":
            continue
        floats = Rendering("raw", dtype=np.dtype("float32"), white=pair.white)
        (made,) = filter_image(image, [build(name)], None, floats)
        values = made.image.frames[0].pixels[8:-8, 8:-8].astype(np.float64).ravel()
        wanted = pair.after[8:-8, 8:-8].ravel()
        used = pair.used[8:-8, 8:-8].ravel()
        if used.sum() < 16 or not values.any():
            continue
        v, w = values[used], wanted[used]
        times = float(v @ w / (v @ v)) if v @ v else 0.0
        times = 1.0 if abs(times - 1) < 0.01 else times
        shown = times * values
        if pair.step:
            shown = np.clip(np.rint(shown / pair.step) * pair.step, 0, pair.white)
        scale = "" if times == 1 else f" --scale {times:.5g}"
        how = "magnitude of a pair" if entry.combine == "magnitude" else "maximum of a bank"
        what = f"{name}, the {how} of kernels" + (f", times {times:.5g}" if scale else "")
        yield Guess(what, _rms(shown - wanted), f"convolve {{before}} -k {name}{scale}")


def _pools(pair: Pair) -> Iterator[Guess]:
    """The median, largest or smallest pixel of each window."""
    x = np.moveaxis(pair.before, -1, 0)[None]
    ways = {
        "median": median_pool2d,
        "max": lambda *given: max_pool2d(*given)[0],
        "min": min_pool2d,
    }
    for mode, way in ways.items():
        for side in POOLS:
            if min(x.shape[2:]) <= 2 * side:
                continue
            reach = side // 2
            made = np.moveaxis(way(x, side, 1, 0)[0], 0, -1).astype(np.float64)
            wanted = pair.after[reach:-reach, reach:-reach]
            yield Guess(
                f"the {mode} of {side}x{side} pixels",
                _rms(made - wanted),
                f"pool {{before}} --mode {mode} --size {side} --stride 1 --padding {reach}",
            )


def _shift(pair: Pair, most: float) -> Guess | None:
    """How far AFTER is moved, to a tenth of a pixel: the peak of the phase correlation, refined by
    the slope of the phases of low frequencies.

    Source: C. D. Kuglin, D. C. Hines, "The phase correlation image alignment method", 1975.
    """
    a = pair.before.mean(axis=2, dtype=np.float64)
    b = pair.after.mean(axis=2)
    window = np.outer(np.hanning(a.shape[0]), np.hanning(a.shape[1]))
    a, b = ((each - each.mean()) * window for each in (a, b))
    cross = np.fft.fft2(b) * np.conj(np.fft.fft2(a))
    size = np.abs(cross)
    if not size.max() > 0:
        return None
    correlation = np.fft.ifft2(cross / np.maximum(size, 1e-9 * size.max())).real
    peak = np.unravel_index(int(correlation.argmax()), correlation.shape)
    whole = [(int(p) + n // 2) % n - n // 2 for p, n in zip(peak, a.shape, strict=True)]
    down, across = (
        np.fft.fftfreq(n)[:, None] if i == 0 else np.fft.fftfreq(n)[None]
        for i, n in enumerate(a.shape)
    )
    left = np.angle(cross * np.exp(2j * np.pi * (down * whole[0] + across * whole[1])))
    low = (np.abs(down) < 0.15) & (np.abs(across) < 0.15) & (size > np.quantile(size, 0.9))
    waves = np.stack(np.broadcast_arrays(down, across), axis=-1)[low] * -2 * np.pi
    weight = np.sqrt(size[low])
    part, *_ = np.linalg.lstsq(waves * weight[:, None], left[low] * weight, rcond=None)
    part = np.where(np.abs(part) < 0.15, 0, part)
    y, x = (w + float(p) for w, p in zip(whole, part, strict=True))
    if max(abs(x), abs(y)) < 0.1:
        return None
    margin = int(max(abs(x), abs(y))) + 16
    if 2 * margin >= min(a.shape) - 16:
        return None
    plain = pair.before.mean(axis=2, dtype=np.float64)
    spectrum = np.fft.fft2(plain) * np.exp(-2j * np.pi * (down * y + across * x))
    difference = np.fft.ifft2(spectrum).real - pair.after.mean(axis=2)
    error = _rms(difference[margin:-margin, margin:-margin])
    if error > most:
        return None
    sides = f"{abs(x):.2g} {'right' if x > 0 else 'left'}, {abs(y):.2g} {'down' if y > 0 else 'up'}"
    return Guess(f"BEFORE moved by about {sides} (pixels)", error)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
