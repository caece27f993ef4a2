"""Learning a text: against PyTorch step by step, and going on as if it had never stopped."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from text_models import QUICK, corpus_of, task_of_model, text_network, text_of, text_trainer
from training_runs import finished, same

from cnntool.datasets.feeds import WindowFeed
from cnntool.datasets.texts.corpus import load_corpus
from cnntool.networks.model import load_trained
from cnntool.networks.model import needs as needs_of
from cnntool.networks.model_file import load_model, save_model
from cnntool.networks.objective import begin_at_frequencies, loss_and_gradients
from cnntool.training.checkpoint import model_of, resumed, settings_of
from cnntool.training.loop import Epoch, Step
from cnntool.training.measures import bits, judge, perplexity
from cnntool.training.optimizers import make_optimizer
from cnntool.training.shards import flatten, views_of
from cnntool.training.task import Diverged


@pytest.fixture
def corpus(tmp_path):
    return corpus_of(tmp_path)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("is_tied", [False, True])
def test_fifty_steps_are_those_of_torch(cell, is_tied, corpus):
    """The state carried from window to window, clipping and Adam, from the same weights."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    count, hidden = len(corpus.vocabulary), 8
    network = text_network(count, cell, hidden, hidden, 2, tie_weights=is_tied)
    network.initialise(np.random.default_rng(0))
    params = {path: array.astype(np.float64) for path, array in network.params.items()}
    layers, their_params = torch_model(torch, cell, params, hidden, is_tied)
    embedding, stack, output = layers
    optimizer = torch.optim.Adam(their_params, 0.01)

    vector, network.params = flatten(params)
    gradient = np.zeros_like(vector)
    grads, ours = views_of(gradient, params), make_optimizer("adam", 0.01, clip=0.5)
    state, feed = ours.start(vector), WindowFeed(corpus, 4, 5)
    states, their_state, losses, windows = None, None, [], list(feed.batches())
    for number in range(50):
        ids, targets, *_ = feed.take(windows[number % len(windows)])
        if number % len(windows) == 0:
            states, their_state = None, None
        loss, _, states = loss_and_gradients(network, ids, targets, grads, states=states)
        ours.step(vector, gradient, state)

        optimizer.zero_grad()
        h, their_state = stack(embedding(torch.tensor(ids.astype(int))), their_state)
        logits = output(h).reshape(-1, count)
        theirs = torch.nn.functional.cross_entropy(
            logits, torch.tensor(targets.astype(int).ravel())
        )
        theirs.backward()
        torch.nn.utils.clip_grad_norm_(their_params, 0.5)
        optimizer.step()
        their_state = torch.utils._pytree.tree_map(lambda part: part.detach(), their_state)
        losses.append((loss, theirs.item()))
    found, wanted = np.array(losses).T
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found[-1] < 0.9 * found[0]


def torch_model(torch, cell, params, hidden, is_tied):
    count = len(params["embedding.weight"])
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
    layers = embedding, stack, output = (
        torch.nn.Embedding(count, hidden).double(),
        kind(hidden, hidden, 2).double(),
        torch.nn.Linear(hidden, count).double(),
    )
    with torch.no_grad():
        embedding.weight.copy_(torch.tensor(params["embedding.weight"]))
        for number in (1, 2):
            name, end = f"{cell}{number}", f"_l{number - 1}"
            getattr(stack, "weight_ih" + end).copy_(torch.tensor(params[f"{name}.w_input"].T))
            getattr(stack, "weight_hh" + end).copy_(torch.tensor(params[f"{name}.w_hidden"].T))
            getattr(stack, "bias_ih" + end).copy_(torch.tensor(params[f"{name}.bias"]))
            other = getattr(stack, "bias_hh" + end)
            other.zero_()
            other.requires_grad_(cell == "gru")  # ours has one bias where two are of no use
        if not is_tied:
            output.weight.copy_(torch.tensor(params["dense1.weight"].T))
        output.bias.copy_(torch.tensor(params["dense1.bias"]))
    if is_tied:
        output.weight = embedding.weight
    found = {id(p): p for layer in layers for p in layer.parameters() if p.requires_grad}
    return layers, list(found.values())


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("stop", [1, 7, 12, 20])
def test_a_run_goes_on_in_the_middle_of_an_epoch_bit_for_bit(tmp_path, stop, shards):
    (tmp_path / "rare.txt").write_text("αβγδε ζηθικ λμνξο\n" + text_of(40), encoding="utf-8")
    corpus, feeding = load_corpus(tmp_path / "rare.txt", "char"), (7, True)
    settings = replace(QUICK, shards=shards)
    sizes = {"dropout": 0.3, "layers": 2, "feeding": feeding}
    with text_trainer(corpus, settings, **sizes) as trainer:
        assert trainer.steps == 23
        whole = finished(trainer)
    with text_trainer(corpus, settings, **sizes) as trainer:
        steps = 0
        for event in trainer.run():
            steps += isinstance(event, Step)
            if steps == stop:
                break
        save_model(tmp_path / "part.npz", model_of(trainer))
    model = load_model(tmp_path / "part.npz", needs_of, "rnn")
    task = task_of_model(model, corpus, settings_of(model, "part.npz"), feeding)
    with resumed(model, task) as trainer:
        same(finished(trainer), whole)


def test_a_run_learns(corpus):
    with text_trainer(corpus, replace(QUICK, epochs=8, learning_rate=0.03)) as trainer:
        epochs = [event for event in trainer.run() if isinstance(event, Epoch)]
    assert epochs[-1].validation_loss < 0.6 * epochs[0].validation_loss
    assert 0.6 < epochs[-1].validation_accuracy <= 1


def test_processes_that_share_a_batch_learn_what_one_would(corpus):
    """The gradient is the mean over all rows, however many each process has."""
    found = []
    for shards in (1, 2, 3):
        settings = replace(QUICK, epochs=1, shards=shards, optimizer="sgd", clip=0.0)
        with text_trainer(corpus, settings) as trainer:
            *_, epoch = trainer.run()
            params = {path: array.copy() for path, array in trainer.network.params.items()}
            found.append((epoch.loss, epoch.accuracy, params))
    (loss, accuracy, params), *others = found
    for other in others:
        assert other[:2] == (pytest.approx(loss, rel=1e-5), pytest.approx(accuracy))
        for path, array in params.items():
            np.testing.assert_allclose(other[2][path], array, rtol=1e-4, atol=1e-6)


def test_an_epochs_loss_is_the_mean_over_its_tokens(corpus):
    """Windows of different lengths count by their tokens, each target once."""
    settings = replace(QUICK, epochs=1, optimizer="sgd", learning_rate=1e-30, momentum=0.0)
    with text_trainer(corpus, settings, seq_length=7) as trainer:
        network, feed = trainer.network, trainer.task.feed
        *_, epoch = trainer.run()
        read = replace(feed.corpus, ids=feed.corpus.ids[: feed.samples + 1])
        rows = judge(network, WindowFeed.whole(read, settings.batch_size, warm_up=0))
    assert feed.samples == rows.count
    assert epoch.loss == pytest.approx(rows.loss, rel=1e-5)
    assert epoch.accuracy == pytest.approx(rows.accuracy)


def test_the_judge_of_one_row_is_a_plain_reading(corpus):
    network = text_network(len(corpus.vocabulary), "gru", 5, 6)
    network.initialise(np.random.default_rng(1))
    part = replace(corpus, ids=corpus.ids[:350])
    states, losses, right = None, [], 0
    for token, target in pairwise(part.ids):
        logits, caches = network.forward(np.array([[token]]), states=states)
        logits, states = logits[0, 0].astype(np.float64), caches.states
        losses.append(np.log(np.exp(logits).sum()) - logits[target])
        right += logits.argmax() == target
    found = judge(network, WindowFeed.whole(part, rows=1))
    np.testing.assert_allclose(found.losses, losses, rtol=1e-5)
    assert found.correct == right
    assert found.loss == pytest.approx(np.mean(losses))


def test_a_fair_choice_among_eight_is_three_bits():
    assert bits(np.log(8)) == pytest.approx(3)
    assert perplexity(np.log(8)) == pytest.approx(8)
    assert perplexity(1e4) == np.inf


@pytest.mark.parametrize("count", [2, 3, 10, 64, 65, 333])
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_every_token_but_the_first_is_judged_once(corpus, rows, count):
    network = text_network(len(corpus.vocabulary), "lstm", 5, 6)
    network.initialise(np.random.default_rng(1))
    part = replace(corpus, ids=corpus.ids[:count])
    found = judge(network, WindowFeed.whole(part, rows))
    assert found.count == count - 1
    assert 0 <= found.correct <= found.count
    # without a state to remember, rows change nothing
    for path in network.params:
        if path.endswith(("w_hidden", "w_input")):
            network.params[path][...] = 0
    alone, cut = (judge(network, WindowFeed.whole(part, r)) for r in (1, rows))
    assert cut.correct == alone.correct
    np.testing.assert_allclose(cut.losses, alone.losses, rtol=1e-5)


@pytest.mark.parametrize("memory", ["short", "long", "endless"])
def test_a_long_text_is_judged_as_in_one_pass(tmp_path, memory):
    """However long the network remembers; and what comes later changes nothing before."""
    text = corpus_of(tmp_path, lines=300)
    network = text_network(len(text.vocabulary), "rnn", 6, 8).initialise(np.random.default_rng(1))
    weights = network.params["rnn1.w_hidden"]
    weights[...] = np.eye(8) * {"short": 0.5, "long": 0.98, "endless": 1.0}[memory]
    network.params["rnn1.w_input"] *= {"short": 1.0, "long": 0.1, "endless": 1e-3}[memory]
    network.params["dense1.weight"] *= 30  # so that it speaks of what is remembered
    assert WindowFeed.whole(text).batch_size > 5
    one, many = (judge(network, WindowFeed.whole(text, rows)) for rows in (1, None))
    np.testing.assert_allclose(many.losses, one.losses, atol=0.02)
    assert many.loss == pytest.approx(one.loss, abs=1e-4)
    begun = judge(network, WindowFeed.whole(replace(text, ids=text.ids[:1900]))).losses
    np.testing.assert_allclose(many.losses[:1899], begun, atol=0.02)


def test_rows_begin_at_zero_where_a_line_ends_and_by_turns(corpus):
    feed = WindowFeed(corpus, 4, 5, restart=7)
    end = corpus.vocabulary.encode("\n")[0]
    for batch in feed.batches():
        taken = feed.take(batch)
        by_turn = (np.arange(4) + batch.number) % 7 == 0
        wanted = by_turn | (taken.x[0] == end) if batch.number > 1 else np.ones(4, bool)
        assert taken.begins.tolist() == wanted.tolist()
    assert feed.take(list(feed.batches())[3]).begins.any()
    settings = replace(QUICK, epochs=1)
    with text_trainer(corpus, settings) as trainer:
        trainer.task.feed = replace(trainer.task.feed, restart=2)
        events, batches = trainer.run(), list(trainer.task.feed.batches())
        next(events)
        states = {path: state.copy() for path, state in trainer.task.carried.items()}
        for state in states.values():
            state[trainer.task.feed.take(batches[1]).begins] = 0
        wanted = behind(trainer, batches[1], states)
        next(events)
        np.testing.assert_allclose(trainer.task.carried["lstm1.h"], wanted, atol=1e-6)


def test_of_characters_the_rarest_are_learned_as_unknown_too():
    """At most one in a thousand of all, however many are as rare as each other."""
    text = "ab" * 2500 + "cccc" + "\n"
    for more, hidden in (("", 4), ("dddd", 4), ("d", 1)):
        corpus = load_corpus(io.BytesIO((more + text).encode()), "char")
        feed = WindowFeed(corpus, 1, 30, hides=True)
        assert feed.with_hidden(corpus.counts)[0] == hidden / 8


def test_of_what_occurs_once_one_in_eight_is_learned_as_unknown():
    singles = [f"w{number}" for number in range(16)]
    corpus = load_corpus(io.BytesIO(f"a b a b {' '.join(singles)}\n".encode()))
    feed, names = WindowFeed(corpus, 1, 30, hides=True), corpus.vocabulary.tokens
    (plain,) = (feed.take(batch) for batch in feed.batches())
    words = ["b", "a", "b", *singles, "<eos>"]
    assert [names[i] for i in plain.targets[:, 0]] == words
    hidden, rng = [], np.random.default_rng(0)
    for _ in range(200):
        (batch,) = feed.batches(rng)
        taken = feed.take(batch, rng)
        seen = [names[i] for i in taken.targets[:, 0]]
        assert taken.x[1:].tolist() == taken.targets[:-1].tolist()
        pairs = [(one, two) for one, two in zip(words, seen, strict=True) if one != two]
        assert {two for _, two in pairs} == {"<unk>"}
        hidden.append(frozenset(one for one, _ in pairs))
    assert {len(each) for each in hidden} == {2}
    assert sorted(word for each in set(hidden) for word in each) == sorted(singles)
    counts = dict(zip(names, feed.with_hidden(corpus.counts), strict=True))
    assert counts == {"<unk>": 2, "a": 2, "b": 2, "<eos>": 1} | dict.fromkeys(singles, 7 / 8)


def test_before_any_learning_the_loss_is_the_entropy_of_frequencies(corpus):
    """Of a network whose last layer has seen nothing yet, for what it learns from."""
    network = text_network(len(corpus.vocabulary)).initialise(np.random.default_rng(0))
    network.params["dense1.weight"][...] = 0
    shares = corpus.counts[1:] / len(corpus)
    begin_at_frequencies(network, np.append(1e-9, shares))
    entropy = -np.sum(shares * np.log(shares))
    assert judge(network, WindowFeed.whole(corpus)).loss == pytest.approx(entropy, rel=0.002)
    network.params["dense1.bias"][...] = 0
    begin_at_frequencies(network, np.full(len(corpus.vocabulary), 1 / len(corpus.vocabulary)))
    np.testing.assert_allclose(network.params["dense1.bias"], 0, atol=1e-6)


def test_the_state_is_carried_from_window_to_window_and_starts_anew(corpus):
    with text_trainer(corpus) as trainer:
        events = trainer.run()
        carried = trainer.task.carried["lstm1.h"]
        assert not carried.any()
        next(events)
        first = carried.copy()
        assert first.any()
        one, two = islice(trainer.task.feed.batches(), 2)
        states = {path: state.copy() for path, state in trainer.task.carried.items()}
        wanted = behind(trainer, two, states)
        next(events)
        np.testing.assert_allclose(carried, wanted, rtol=1e-5, atol=1e-6)
        while not isinstance(next(events), Epoch):
            pass
        wanted = behind(trainer, one, None)
        next(events)
        np.testing.assert_allclose(carried, wanted, rtol=1e-5, atol=1e-6)


def behind(trainer, batch, states):
    """The hidden state behind a window."""
    ids = trainer.task.feed.take(batch).x
    return trainer.network.forward(ids, states=states)[1].states["lstm1.h"]


def test_a_model_file_of_text_is_read_back(tmp_path, corpus):
    with text_trainer(corpus) as trainer:
        save_model(tmp_path / "m.npz", model_of(trainer))
        network = trainer.network
    trained = load_trained(tmp_path / "m.npz", "rnn")
    assert trained.vocabulary == corpus.vocabulary
    assert (trained.encoding, trained.seq_length) == ("utf-8", 12)
    assert trained.network.spec == network.spec
    for path, array in network.params.items():
        np.testing.assert_array_equal(trained.network.params[path], array)


def test_a_run_that_diverges_names_the_layer(corpus):
    with text_trainer(corpus) as trainer:
        next(trainer.run())
        before = {k: v.copy() for k, v in trainer.task.carried.items()}
        trainer.network.params["embedding.weight"][...] = 1e38
        trainer.network.params["lstm1.w_input"][...] = 1e38
        trainer.network.params["lstm1.w_hidden"][...] = -3e38  # infinity minus infinity
        with pytest.raises(Diverged, match=r"step 2: the output of lstm1 \(lstm 8\) is not finite"):
            for _ in trainer.run():
                pass
        for path, state in before.items():
            np.testing.assert_array_equal(trainer.task.carried[path], state)


def test_states_that_are_not_finite_are_not_carried_on(corpus):
    """Also of rows beyond those that show whether what the network gives is finite."""
    with text_trainer(corpus) as trainer:
        next(trainer.run())
        trainer.check()
        trainer._checked_at = -1
        trainer.task.carried["lstm1.h"][-1] = np.nan
        with pytest.raises(Diverged, match=r"after step 1: lstm1.h is not finite"):
            trainer.check()
