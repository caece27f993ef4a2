"""What stands behind the end of a sequence counts nowhere, nor what stands beside it in a batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cnntool.datasets.sequences.feeds import Pair
from cnntool.datasets.sequences.inputs import Spelled
from cnntool.networks.decoding import beams, greedy
from cnntool.networks.joined import Joined, parse_network
from cnntool.networks.network import Network
from cnntool.networks.objective import loss_and_gradients, surprisals

NETWORKS = {
    "classifier, max": ("embedding 7 x 3; lstm 3 both; max-steps; dense 2", (None,)),
    "classifier, mean": ("gru 3; mean-steps; dense 2", (None, 2)),
    "classifier, last": ("rnn 3 both; last; dense 2", (None, 2)),
    "tagger": ("embedding 7 x 3 letters 5 x 2; lstm 3 both; lstm 2; dense 4", (None,)),
    "tagger of many tags": ("embedding 7 x 3; gru 3 both; dense 1100", (None,)),
    "tagger of frames": (
        "each conv 2 3x3; each relu; each max 2; each dense 4; gru 3 both; dense 4",
        (None, 1, 6, 5),
    ),
    "translator": (
        "embedding 7 x 3; gru 2 both => embedding 6 x 3; gru 4; attend; dense 6",
        (None,),
    ),
    "translator, additive": (
        "embedding 7 x 3; lstm 3 => embedding 6 x 3; lstm 3; attend additive; dense 6",
        (None,),
    ),
    "translator, tied": (
        "embedding 7 x 3; lstm 2 both => embedding 6 x 3; lstm 3; lstm 3; attend; dense 6 tied",
        (None,),
    ),
    "translator, none": (
        "embedding 7 x 3; rnn 4; last => embedding 6 x 3; rnn 4; dense 6",
        (None,),
    ),
    "translator, a mean": ("gru 3; dense 5 => embedding 6 x 3; gru 4; attend; dense 6", (None, 2)),
    "captioner": (
        "conv 3 3x3; relu; places => embedding 6 x 3; lstm 4; attend; dense 6",
        (1, 4, 5),
    ),
}
END = 5
SPELLINGS = [(1,), (2, 3), (4, 0, 1), (0,), (3, 3, 3), (1, 4), (2,)]


class Sample(NamedTuple):
    """One by itself: a source (S, ...), or a picture, and what is to be said of it."""

    source: np.ndarray
    target: np.ndarray  # (), or (T,)


def sample(name: str, network: Network, length: int, said: int, rng: np.random.Generator) -> Sample:
    shape = network.input_shape
    if shape == (None,):
        source = rng.integers(0, 7, length)
    else:
        source = rng.normal(size=(length, *shape[1:]) if shape[0] is None else shape)
    count = length if name.startswith("tagger") else said
    target = rng.integers(0, network.output_shape[-1], () if name.startswith("class") else count)
    return Sample(source, target)


class Given(NamedTuple):
    x: Any
    targets: np.ndarray
    counts: np.ndarray | None
    lengths: np.ndarray | None


def batch(network: Network, samples: list[Sample], more: tuple[int, int], seed: int) -> Given:
    """Samples side by side, the longest followed by so many steps more, of the source and of what
    is said; behind all ends stands whatever was drawn."""
    rng = np.random.default_rng(seed)
    if network.input_shape[0] is None:
        x, lengths = filled([each.source for each in samples], more[0], 7, rng)
    else:
        x, lengths = np.stack([each.source for each in samples]), None
    if "letters" in network.spec:
        letters, spelled = filled([np.array(each) for each in SPELLINGS], more[1], 5, rng)
        x = Spelled(x, x, letters, spelled)
    if not samples[0].target.ndim:
        return Given(x, np.array([each.target for each in samples]), None, lengths)
    is_joined = isinstance(network, Joined)
    targets, said = filled([each.target for each in samples], more[is_joined], END, rng)
    counts = np.arange(len(targets))[:, None] < said
    if is_joined:
        given = np.concatenate([np.full((1, len(samples)), END), targets[:-1]])
        x = Pair(x, given, said)
    return Given(x, targets, counts, lengths)


def filled(
    parts: list[np.ndarray], more: int, kinds: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(T, B, ...) of parts whose lengths (B,) differ."""
    lengths = np.array([len(part) for part in parts])
    shape = max(lengths) + more, len(parts), *parts[0].shape[1:]
    is_whole = parts[0].dtype.kind == "i"
    found = rng.integers(0, kinds, shape) if is_whole else rng.normal(size=shape)
    for column, part in enumerate(parts):
        found[: len(part), column] = part
    return found, lengths


def learned(network: Network, given: Given) -> tuple[float, int, dict[str, np.ndarray]]:
    grads = {path: np.zeros_like(array) for path, array in network.params.items()}
    lesson = loss_and_gradients(
        network, given.x, given.targets, grads, lengths=given.lengths, counts=given.counts
    )
    return lesson.loss, lesson.correct, grads


def scored(network: Network, given: Given, column: int, target: np.ndarray) -> np.ndarray:
    """The surprisal of each target of a sample."""
    how = {"lengths": given.lengths, "counts": given.counts}
    found, *_ = surprisals(network, given.x, given.targets, **how)
    return found[: len(target), column] if target.ndim else found[column]


@pytest.mark.parametrize("name", NETWORKS)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=5),
    more=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    seed=st.integers(0, 9),
)
@settings(max_examples=12)
def test_neither_padding_nor_company_nor_order_counts(name, sizes, more, seed):
    """Loss, gradients, scores and what is said: of a batch as it is, with more steps, in another
    order, and of each sample alone."""
    rng = np.random.default_rng(seed)
    network = parse_network(*NETWORKS[name]).initialise(rng)
    network.params = {path: array.astype(np.float64) * 2 for path, array in network.params.items()}
    samples = [sample(name, network, *size, rng) for size in sizes]
    together = batch(network, samples, (0, 0), seed)
    loss, correct, grads = learned(network, together)

    order = rng.permutation(len(samples))
    moved = batch(network, [samples[at] for at in order], more, seed + 1)
    moved_loss, moved_correct, moved_grads = learned(network, moved)
    alone = [batch(network, [each], more, seed + 2) for each in samples]
    each_learned = [learned(network, each) for each in alone]
    weights = np.array([each.target.size for each in samples])
    shares = weights / weights.sum()

    assert_allclose(moved_loss, loss, rtol=1e-9)
    assert_allclose(shares @ [each[0] for each in each_learned], loss, rtol=1e-9)
    assert moved_correct == correct == sum(each[1] for each in each_learned)
    for path, grad in grads.items():
        assert_allclose(moved_grads[path], grad, atol=1e-10, err_msg=path)
        parts = [share * each[2][path] for share, each in zip(shares, each_learned, strict=True)]
        assert_allclose(sum(parts), grad, atol=1e-10, err_msg=path)
    for column, (each, own) in enumerate(zip(samples, alone, strict=True)):
        wanted = scored(network, together, column, each.target)
        place = int(np.flatnonzero(order == column)[0])
        assert_allclose(scored(network, moved, place, each.target), wanted, rtol=1e-9)
        assert_allclose(scored(network, own, 0, each.target), wanted, rtol=1e-9)
    if isinstance(network, Joined):
        check_what_is_said(network, together, moved, order)


def check_what_is_said(network: Joined, one: Given, moved: Given, order: np.ndarray) -> None:
    for width in (None, 3):
        found = []
        for each in (one, moved):
            if width is None:
                found.append(
                    [[text] for text in greedy(network, each.x.source, each.lengths, END, 6)]
                )
            else:
                found.append(beams(network, each.x.source, each.lengths, END, 6, width))
        for place, column in enumerate(order):
            texts, others = found[0][column], found[1][place]
            assert [text.ids for text in texts] == [text.ids for text in others]
            for text, other in zip(texts, others, strict=True):
                assert_allclose(text.log_odds, other.log_odds, rtol=1e-9)
