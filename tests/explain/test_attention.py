"""Steps of attention beside PyTorch, and the way of a beam beside every text there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sequence_models import write_sequence_models

from cnntool.datasets.sequences.feeds import Pair
from cnntool.engine.losses import log_softmax
from cnntool.errors import InputError, RequestError
from cnntool.explain.attention import (
    attending,
    attention_step,
    beam_tree,
    end_of,
    grid_of,
    looked_at,
    place_names,
)
from cnntool.networks.decoding import PENALTY, beams
from cnntool.networks.joined import parse_network
from cnntool.networks.model import load_sequence_model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder, "translator", "captioner", "classifier")
    return lambda name: load_sequence_model(folder / f"{name}.npz")


def taken(model, text="cab"):
    return model.reader.rows([text]).take(np.array([0]))


def test_a_step_is_that_of_pytorch(models):
    torch = pytest.importorskip("torch")
    model = models("translator")
    source, lengths = taken(model)
    found = attention_step(model, source, lengths, 2)
    params = {k: torch.tensor(v) for k, v in model.network.params.items()}

    def lstm(name, both):
        size = params[f"{name}.w_input"].shape
        cell = torch.nn.LSTM(size[0], size[1] // 4, bidirectional=both)
        ends = ("", "_reverse") if both else ("",)
        for end in ends:
            for theirs, ours in (("weight_ih", "w_input"), ("weight_hh", "w_hidden")):
                getattr(cell, f"{theirs}_l0{end}").data = params[f"{name}.{ours}{end}"].T
            getattr(cell, f"bias_ih_l0{end}").data = params[f"{name}.bias{end}"]
            getattr(cell, f"bias_hh_l0{end}").data.zero_()
        return cell

    def table(name, ids):
        return params[f"{name}.embedding.weight"][torch.tensor(ids)]

    with torch.no_grad():
        keys, (last, _) = lstm("encoder.lstm1", True)(table("encoder", source.astype(int)))
        weight, bias = (params[f"decoder.lstm1.start.{key}"] for key in ("weight", "bias"))
        begun = torch.tanh(torch.cat([last[0], last[1]], -1) @ weight + bias)
        given = [[model.writer.end], [found.said.ids[0]]]
        c0 = torch.zeros(1, 1, begun.shape[-1])
        h, _ = lstm("decoder.lstm1", False)(table("decoder", given), (begun[None], c0))
        scores = keys[:, 0] @ params["decoder.attend1.weight"] @ h[1, 0]
        weights = torch.softmax(scores, 0)
        context = weights @ keys[:, 0]
        both = torch.cat([context, h[1, 0]])
        mixed = torch.tanh(
            both @ params["decoder.attend1.w_output"] + params["decoder.attend1.bias"]
        )
        logits = mixed @ params["decoder.dense1.weight"] + params["decoder.dense1.bias"]
    for ours, theirs in [
        (found.query, h[1, 0]),
        (found.keys, keys[:, 0]),
        (found.scores, scores),
        (found.weights, weights),
        (found.context, context),
        (found.mixed, mixed),
        (found.odds, torch.softmax(logits, 0)),
    ]:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("score", ["general", "additive"])
def test_what_is_shown_adds_up(models, score):
    model = models("translator")
    if score == "additive":
        network = parse_network(model.network.spec.replace("attend", "attend additive"), (None,))
        network.initialise(np.random.default_rng(0))
        model = type(model)(**{**vars(model), "network": network})
    found = attention_step(model, *taken(model), 1)
    assert found.score == score
    assert found.weights.sum() == pytest.approx(1, abs=1e-6)
    assert found.odds.sum() == pytest.approx(1, abs=1e-6)
    assert max(found.differences().values()) < 1e-6
    assert set(found.differences()) == {"softmax", "context", "mix"}


def test_the_token_that_is_said_is_the_likeliest(models):
    model = models("captioner")
    picture = np.random.default_rng(0).integers(0, 255, (1, 8, 8), dtype=np.uint8)
    source, lengths = taken(model, picture)
    first = attention_step(model, source, lengths, 1)
    tokens = first.said.tokens(model.writer.end)
    for step, token in enumerate(tokens, 1):
        found = attention_step(model, source, lengths, step)
        assert found.odds.argmax() == token
        assert len(found.weights) == 4
    with pytest.raises(RequestError, match=f"expected 1 to {len(tokens)}"):
        attention_step(model, source, lengths, len(tokens) + 1)


def test_who_says_or_attends_nothing_is_told_so(models):
    with pytest.raises(InputError, match="is a classifier, which says no text"):
        end_of(models("classifier"))
    with pytest.raises(InputError, match="name a translator or a captioner"):
        attending(models("classifier"))


def log_odds_of_all(model, source, lengths, most):
    """The sum and the tokens of every text of at most ``most`` tokens before its end, by one way
    through the network each."""
    end, others = model.writer.end, range(len(model.labels))
    found = {}
    for count in range(most + 1):
        for ids in product([i for i in others if i != end], repeat=count):
            given = np.array([end, *ids])[:, None]
            logits, _ = model.network.forward(Pair(source, given), lengths=lengths)
            logs = log_softmax(logits[:, 0].astype(float))
            found[ids] = float(sum(logs[t, token] for t, token in enumerate((*ids, end))))
    return found


def test_a_beam_as_wide_as_all_texts_finds_the_best_of_them(models):
    model = models("translator")
    model = type(model)(**{**vars(model), "longest": 2})
    source, lengths = taken(model, "ba")
    tree = beam_tree(model, source, lengths, 64)
    every = log_odds_of_all(model, source, lengths, 2)
    scores = {ids: total / (len(ids) + 1) ** PENALTY for ids, total in every.items()}
    ended = {said.ids: said.score for said in tree.found if said.has_ended}
    assert max(ended, key=ended.get) == max(scores, key=scores.get)
    for ids, score in ended.items():
        assert score == pytest.approx(scores[ids], abs=1e-5)


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_the_tree_leads_to_what_the_beam_finds(models, width):
    model = models("translator")
    source, lengths = taken(model, "abc")
    tree = beam_tree(model, source, lengths, width)
    end, most = model.writer.end, model.longest
    assert tree.found == beams(model.joined, source, lengths, end, most, width)[0]
    best = tree.found[0].tokens(end)
    marked = [
        (step, each)
        for step in tree.steps
        for each in step.candidates
        if tree.leads_to_best(step, each)
    ]
    assert [each.token for _, each in marked] == list(best)
    step, last = marked[-1]
    assert last.log_probability == pytest.approx(tree.found[0].log_probability, abs=1e-6)
    for step in tree.steps:
        sums = tree.sums(step)
        for each in step.candidates:
            own = each.log_probability - sums[each.beginning]
            assert own <= 1e-6
            why = tree.why(step, each)
            if why.startswith("dropped, below"):
                assert each.log_probability <= float(why.rpartition(" ")[2]) + 1e-3
            elif each.became == "dropped":
                assert each.token == end


def test_each_row_is_the_step_that_explain_shows(models):
    model = models("translator")
    source, lengths = model.reader.rows(["cab"]).take(np.array([0]))
    found = looked_at(model, source, lengths)
    assert found.weights.shape == (len(found.said.log_odds), 4)
    for number, row in enumerate(found.weights, 1):
        step = attention_step(model, source, lengths, number)
        np.testing.assert_allclose(row, step.weights, rtol=1e-5, atol=1e-7)
        assert row.sum() == pytest.approx(1, abs=1e-6)


def test_places_lie_over_a_picture_in_rows_and_columns_are_bands(models):
    model = models("captioner")
    assert grid_of(model) == (2, 2)
    assert place_names(model, 4)[1] == "row 1, column 2"
    spec = "conv 2 3x3; columns; gru 4 both => embedding 6 x 3; gru 4; attend; dense 6"
    strips = type(model)(**{**vars(model), "network": parse_network(spec, (1, 4, 9))})
    assert grid_of(strips) == (1, 7)
    assert place_names(strips, 7)[-1] == "band 7"
    assert grid_of(models("translator")) is None
