"""Fifty steps of every task of sequences are PyTorch's, from the same weights.

Batches are those of a run, of which the lengths differ: PyTorch packs and masks them.
"""

from __future__ import annotations

import importlib
from itertools import cycle, islice

import numpy as np
import pytest
from sequence_models import TASKS

from cnntool.networks.joined import parse_network
from cnntool.networks.objective import loss_and_gradients
from cnntool.training.optimizers import make_optimizer
from cnntool.training.shards import flatten, views_of

RATE, CLIP = 0.01, 0.5

SAY = "embedding 5 x 6; gru 8"
NETWORKS = [
    ("classifier", "embedding 10 x 6; lstm 5 both; max-steps; dense 2"),
    ("series", "gru 5 both; last; dense 2"),
    ("series", "rnn 5; mean-steps; dense 2"),
    ("tagger", "embedding 11 x 6 letters 24 x 4; lstm 5 both; dense 4"),
    ("frames", "each conv 3 3x3; each relu; each max 2; each dense 7; each relu; gru 5; dense 2"),
    ("translator", f"embedding 5 x 6; gru 8 => {SAY}; attend; dense 5"),
    ("translator", f"embedding 5 x 6; gru 4 both => {SAY}; gru 8; attend additive; dense 5"),
    ("translator", "embedding 5 x 6; lstm 4 both => embedding 5 x 4; lstm 8; attend; dense 5"),
    ("captioner", f"conv 4 3x3; relu; max 2; places => {SAY.replace('5', '6')}; attend; dense 6"),
    ("captioner", "conv 4 3x3; tanh; dense 6; tanh => embedding 6 x 5; lstm 6; dense 6"),
]


@pytest.mark.parametrize(("name", "spec"), NETWORKS, ids=[f"{n}: {s}" for n, s in NETWORKS])
def test_fifty_steps_are_those_of_torch(name, spec):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    peers = importlib.import_module("torch_sequences")
    task = TASKS[name]()
    network = parse_network(spec, task.network.input_shape).initialise(np.random.default_rng(0))
    params = {path: array.astype(np.float64) for path, array in network.params.items()}
    network.params = params
    peer = peers.Twin(network).double()
    theirs = [each for each in peer.parameters() if each.requires_grad]
    assert sum(each.numel() for each in theirs) == sum(array.size for array in params.values())
    optimizer = torch.optim.Adam(theirs, RATE)

    vector, network.params = flatten(params)
    gradient, ours = np.zeros_like(vector), make_optimizer("adam", RATE, clip=CLIP)
    grads, state = views_of(gradient, params), ours.start(vector)
    losses = []
    for batch in islice(cycle(task.feed.batches(np.random.default_rng(1))), 50):
        taken = task.feed.take(batch)
        found = loss_and_gradients(
            network, taken.x, taken.targets, grads, lengths=taken.lengths, counts=taken.counts
        )
        ours.step(vector, gradient, state)

        optimizer.zero_grad()
        given = taken.x, taken.targets, taken.lengths, taken.counts
        loss = peers.loss_of(peer, *peers.tensors(given, torch.float64))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs, CLIP)
        optimizer.step()
        losses.append((found.loss, loss.item()))
    found, wanted = np.array(losses).T
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found[-5:].mean() < 0.9 * found[:5].mean()
