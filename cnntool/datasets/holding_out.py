"""Part of a set held out, so that nothing held out was learned from."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any
from unicodedata import normalize

import numpy as np

from cnntool.datasets.sequences.samples import Samples
from cnntool.errors import InputError, RequestError
from cnntool.wording import counted

DEFAULT_FRACTION = 0.1


def check_fraction(fraction: float) -> None:
    """RequestError for what is not from 0 to below 1."""
    if not 0 <= fraction < 1:
        raise RequestError(
            f"the validation split is {fraction:g}, expected a fraction from 0 to below 1, such as "
            "0.1: set --val-split"
        )


def stratified_split(
    y: np.ndarray, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (N - M,) to keep and (M,) to hold out, each in rising order.

    Of every class, ``fraction`` of its images is held out, rounded; of two and more at least one is
    held out and one kept, a single one is kept. y: (N,) classes. RequestError for a fraction that
    is not from 0 up to 1.
    """
    check_fraction(fraction)
    held = np.zeros(len(y), bool)
    if fraction > 0:
        order = rng.permutation(len(y))
        order = order[np.argsort(y[order], kind="stable")]  # shuffled within each class
        for members in np.split(order, np.flatnonzero(np.diff(y[order])) + 1):
            count = min(max(1, round(fraction * len(members))), len(members) - 1)
            held[members[:count]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def hold_out(
    samples: Samples,
    rng: np.random.Generator,
    fraction: float = DEFAULT_FRACTION,
    by_class: bool = False,
) -> tuple[Samples, Samples | None, tuple[str, ...]]:
    """What to learn from, what is held out, and notes on what was kept together.

    Samples of equal input (see :func:`key_of`) or of one group are on one side. By class, the part
    is taken from each class, that of a bundle of such samples being its first one's; no class
    loses its last bundle, and of two bundles and more one is held out. None where nothing is to be
    held out. RequestError for what is no fraction, InputError where all samples are in one bundle.
    """
    check_fraction(fraction)
    if fraction == 0:
        return samples, None, ()
    keys = [key_of(value) for value in samples.inputs]
    bundles = _bundles(keys, samples.groups)
    strata: dict[Any, list[list[int]]] = defaultdict(list)
    for bundle in bundles:
        strata[samples.answers[bundle[0]] if by_class else None].append(bundle)
    held = [bundle for stratum in strata.values() for bundle in _chosen(stratum, fraction, rng)]
    if by_class:
        held = _without_whole_classes(held, samples.answers)
    if not held:
        raise InputError(
            f"{samples.name}: nothing can be held out of {_why_whole(samples, len(bundles))}: set "
            "--val-split 0, or add some"
        )
    is_held = np.zeros(len(samples), bool)
    is_held[[index for bundle in held for index in bundle]] = True
    train, validation = (
        samples.at(np.flatnonzero(~is_held)),
        samples.at(np.flatnonzero(is_held).tolist()),
    )
    train = replace(train, notes=samples.notes)
    validation = replace(validation, name=f"{samples.name} (held out)")
    return train, validation, tuple(_kept_together(samples, keys, is_held))


def _why_whole(samples: Samples, bundles: int) -> str:
    """What there is, of which no part can be taken."""
    count = counted(len(samples), "sample")
    if len(samples) == 1:
        if samples.form != "words":
            return count
        return f"{count}, read as {samples.format} (a blank line ends one)"
    if bundles == 1:
        return f"{count} of one {'input' if samples.groups is None else 'group'}"
    return f"{count}, one of each class"


def overlap(train: Samples, other: Samples) -> tuple[str, ...]:
    """A note on how many inputs of another part stand in training too; none where there are none.

    Parts that a set comes in are left as they are, so that scores compare with those of others.
    """
    known = {key_of(value) for value in train.inputs}
    count = sum(key_of(value) in known for value in other.inputs)
    if not count:
        return ()
    stand = "stands" if count == 1 else "stand"
    return (
        f"{other.name}: {count:,} of {counted(len(other), 'input')} {stand} in {train.name} too: "
        "scores are the better for it",
    )


def key_of(value: Any) -> Hashable:
    """What equal inputs share: a text or words after NFC and case folding, the bytes of numbers."""
    if isinstance(value, str):
        if value.isascii():
            return value.lower()
        return normalize("NFC", normalize("NFC", value).casefold())
    if isinstance(value, np.ndarray):
        facts = f"{value.dtype.str} {value.shape}".encode()
        return hashlib.sha256(facts + value.tobytes()).digest()
    return tuple(map(key_of, value))


def _bundles(keys: Sequence[Hashable], groups: Sequence[str] | None) -> list[list[int]]:
    """The indices of samples that share a key or a group, directly or by others, in the order of
    their first ones."""
    parent = list(range(len(keys)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for shared in filter(None, (keys, groups)):
        firsts: dict[Hashable, int] = {}
        for index, value in enumerate(shared):
            one, other = root(firsts.setdefault(value, index)), root(index)
            parent[max(one, other)] = min(one, other)
    found: dict[int, list[int]] = defaultdict(list)
    for index in range(len(keys)):
        found[root(index)].append(index)
    return list(found.values())


def _chosen(
    bundles: Sequence[list[int]], fraction: float, rng: np.random.Generator
) -> list[list[int]]:
    """Bundles with ``fraction`` of all samples or a little less, at least one, but never all."""
    order = [bundles[i] for i in rng.permutation(len(bundles))]
    if len(order) < 2:
        return []
    total = sum(map(len, order))
    room = min(max(1, round(fraction * total)), total - 1)
    chosen = []
    for bundle in order:
        if len(bundle) <= room:
            chosen.append(bundle)
            room -= len(bundle)
    return chosen or [min(order, key=len)]


def _without_whole_classes(
    held: Sequence[list[int]], answers: Sequence[Hashable]
) -> list[list[int]]:
    """Those after whose holding out every class still has a sample to learn from."""
    left = Counter(answers)
    left.subtract(answers[index] for bundle in held for index in bundle)
    kept = []
    for bundle in held:
        if any(left[answers[index]] == 0 for index in bundle):
            left.update(answers[index] for index in bundle)
        else:
            kept.append(bundle)
    return kept


def _kept_together(
    samples: Samples, keys: Sequence[Hashable], is_held: np.ndarray
) -> Iterable[str]:
    counts = Counter(keys)
    repeated = sum(count for count in counts.values() if count > 1)
    if repeated:
        held = sum(counts[keys[index]] > 1 for index in np.flatnonzero(is_held).tolist())
        yield (
            f"{samples.name}: {repeated:,} of {counted(len(keys), 'input')} stand more than once, "
            f"whatever their case: equal ones are on one side, {held:,} of them held out"
        )
    if samples.groups is not None:
        groups = {samples.groups[index] for index in np.flatnonzero(is_held).tolist()}
        whole = f"{len(groups):,} of {counted(len(set(samples.groups)), 'group')}"
        share = f"{np.count_nonzero(is_held):,} of {counted(len(keys), 'sample')}"
        yield f"{samples.name}: held out are {whole}, whole, with {share}"
