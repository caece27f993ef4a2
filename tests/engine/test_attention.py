import numpy as np
import pytest

from cnntool.engine import (
    additive_attention,
    additive_attention_backward,
    general_attention,
    general_attention_backward,
    textbook,
)

SHAPES = {"query": (3, 4, 5), "keys": (6, 4, 7)}
WEIGHTS = {
    "general": {"weight": (7, 5)},
    "additive": {"w_query": (5, 8), "w_keys": (7, 8), "v": (8,)},
}
PAIRS = {
    "general": (general_attention, general_attention_backward),
    "additive": (additive_attention, additive_attention_backward),
}


def drawn(score: str, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=s) for name, s in (SHAPES | WEIGHTS[score]).items()}


def test_a_query_that_meets_one_key_alone_gives_that_key():
    keys = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])  # (S 2, B 1, D 2)
    query = np.array([[[1000.0, 0.0]], [[0.0, 0.0]]])  # the first meets key 0, the second neither
    context, cache = general_attention(query, keys, np.eye(2))
    np.testing.assert_allclose(context[:, 0], [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(cache.odds, [[[1, 0], [0.5, 0.5]]])


def test_the_odds_are_the_softmax_of_the_scores_by_hand():
    keys = np.array([[[1.0]], [[2.0]], [[3.0]]])
    context, cache = general_attention(
        np.array([[[2.0]]]), keys, np.array([[0.5]])
    )  # scores 1, 2, 3
    odds = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    np.testing.assert_allclose(cache.odds[0, 0], odds)
    np.testing.assert_allclose(context, [[[1 * odds[0] + 2 * odds[1] + 3 * odds[2]]]])
    v, u, w = np.array([2.0]), np.array([[0.5]]), np.array([[1.0]])
    _, cache = additive_attention(np.array([[[2.0]]]), keys, u, w, v)
    scores = np.exp(2 * np.tanh(1 + np.array([1, 2, 3])))
    np.testing.assert_allclose(cache.odds[0, 0], scores / scores.sum())


@pytest.mark.parametrize("score", PAIRS)
def test_agrees_with_pytorch_there_and_back(score):
    torch = pytest.importorskip("torch")
    arrays, lengths = drawn(score), np.array([6, 1, 4, 3])
    given = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    query, keys = given["query"].transpose(0, 1), given["keys"].transpose(0, 1)
    if score == "general":
        scores = query @ (keys @ given["weight"]).transpose(1, 2)
    else:
        inner = (query @ given["w_query"])[:, :, None] + (keys @ given["w_keys"])[:, None]
        scores = torch.tanh(inner) @ given["v"]
    behind = torch.arange(6)[None] >= torch.tensor(lengths)[:, None]
    odds = scores.masked_fill(behind[:, None], -torch.inf).softmax(-1)
    expected = (odds @ keys).transpose(0, 1)
    dcontext = np.random.default_rng(1).normal(size=expected.shape)
    expected.backward(torch.tensor(dcontext))

    forward, backward = PAIRS[score]
    context, cache = forward(**arrays, lengths=lengths)
    np.testing.assert_allclose(context, expected.detach(), atol=1e-12)
    for name, gradient in zip(arrays, backward(dcontext, cache), strict=True):
        np.testing.assert_allclose(gradient, given[name].grad, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("score", PAIRS)
def test_what_stands_behind_an_end_counts_nowhere(score):
    arrays, lengths = drawn(score), np.array([4, 1, 4, 0])
    forward, backward = PAIRS[score]
    dcontext = np.ones((3, 4, 7))
    one, cache = forward(**arrays, lengths=lengths)
    first = backward(dcontext, cache)
    arrays["keys"] = np.concatenate([arrays["keys"], np.full((3, 4, 7), np.inf)])
    arrays["keys"][np.arange(9)[:, None] >= lengths] = np.nan
    other, cache = forward(**arrays, lengths=lengths)
    np.testing.assert_allclose(other, one, rtol=1e-12)
    assert (other[:, 3] == 0).all()
    for name, mine, longer in zip(arrays, first, backward(dcontext, cache), strict=True):
        longer = longer[:6] if name == "keys" else longer
        np.testing.assert_allclose(longer, mine, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("steps", [2, 8])
def test_few_queries_or_many_are_those_of_the_textbook(steps):
    arrays, lengths = drawn("general"), np.array([4, 1, 6, 0])
    arrays["query"] = np.random.default_rng(2).normal(size=(steps, 4, 5))
    dcontext = np.random.default_rng(1).normal(size=(steps, 4, 7))
    context, cache = general_attention(**arrays, lengths=lengths)
    with textbook():
        plain, plainly = general_attention(**arrays, lengths=lengths)
    np.testing.assert_allclose(context, plain, atol=1e-12)
    one, other = (general_attention_backward(dcontext, each) for each in (cache, plainly))
    for mine, wanted in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-12)


def test_weights_that_are_lost_in_rounding_are_0():
    """And not denormal, with which all that follows takes many times as long."""
    keys = np.linspace(0, 120, 60, dtype=np.float32)[:, None, None]
    _, cache = general_attention(np.ones((1, 1, 1), np.float32), keys, np.ones((1, 1), np.float32))
    assert (cache.odds[cache.odds > 0] > 1e-21).all()
    assert np.count_nonzero(cache.odds) > 20
    np.testing.assert_allclose(cache.odds.sum(), 1, rtol=1e-6)


def test_shapes_that_do_not_fit_are_named():
    arrays = drawn("general")
    with pytest.raises(ValueError, match=r"weight has shape \(5, 7\).*need \(7, 5\)"):
        general_attention(arrays["query"], arrays["keys"], arrays["weight"].T)
    with pytest.raises(ValueError, match="batch"):
        general_attention(arrays["query"][:, :2], arrays["keys"], arrays["weight"])
    with pytest.raises(ValueError, match="lengths are 7 to 7: expected 0 to 6"):
        general_attention(**arrays, lengths=np.full(4, 7))
    arrays = drawn("additive")
    with pytest.raises(ValueError, match="w_query, w_keys and v"):
        additive_attention(**arrays | {"v": np.ones(3)})
    context, cache = general_attention(**drawn("general"))
    with pytest.raises(ValueError, match="dy has shape"):
        general_attention_backward(context[:2], cache)
