"""What is drawn, and how often."""

from types import SimpleNamespace

import numpy as np
import pytest

from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError
from cnntool.networks import sampling
from cnntool.networks.sampling import Choice, draws, line_start, primed
from cnntool.networks.sequence_zoo import language_model

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.1], np.float32))


@pytest.fixture(scope="module")
def network():
    return language_model("lstm", 7, 5, 6).initialise(np.random.default_rng(3))


def test_the_distribution_is_the_softmax():
    np.testing.assert_allclose(Choice().distribution(LOGITS), [0.5, 0.25, 0.15, 0.1], rtol=1e-6)


def test_temperature_is_a_power_of_the_probabilities():
    found = Choice(temperature=0.5).distribution(LOGITS)
    squares = np.square([0.5, 0.25, 0.15, 0.1])
    np.testing.assert_allclose(found, squares / squares.sum(), rtol=1e-6)


def test_temperature_0_takes_the_likeliest_and_the_first_of_equals():
    assert Choice(temperature=0).distribution(LOGITS).tolist() == [1, 0, 0, 0]
    assert Choice(temperature=0).distribution(np.array([1.0, 3, 3])).tolist() == [0, 1, 0]
    tiny = Choice(temperature=1e-300).distribution(LOGITS)
    assert tiny.tolist() == [1, 0, 0, 0]


def test_top_k_keeps_the_likeliest():
    np.testing.assert_allclose(
        Choice(top_k=2).distribution(LOGITS[::-1]), [0, 0, 1 / 3, 2 / 3], rtol=1e-6
    )
    three = np.array([50, 25, 15, 0]) / 90
    np.testing.assert_allclose(Choice(top_k=3).distribution(LOGITS), three, rtol=1e-6)
    np.testing.assert_allclose(Choice(top_k=9).distribution(LOGITS), [0.5, 0.25, 0.15, 0.1], 1e-6)


def test_top_p_keeps_the_fewest_that_reach_it():
    for p, kept in ((0.4, 1), (0.6, 2), (0.8, 3), (0.95, 4), (1.0, 4)):
        found = Choice(top_p=p).distribution(LOGITS)
        assert np.count_nonzero(found) == kept
        assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("settings", [{"top_k": 2}, {"top_p": 0.5}])
def test_of_equally_likely_tokens_no_more_are_kept_than_asked_for(settings):
    assert Choice(**settings).distribution(np.zeros(4)).tolist() == [0.5, 0.5, 0, 0]


def test_what_is_banned_is_never_drawn_and_the_others_share_its_probability():
    found = Choice(banned=(0,)).distribution(LOGITS)
    np.testing.assert_allclose(found, [0, 0.5, 0.3, 0.2], rtol=1e-6)


def test_a_text_is_primed_as_if_it_were_read_token_by_token(network):
    ids = np.array([1, 4, 2, 6, 0])
    states = network.start(1)
    for token in ids:
        (logits,), caches = network.forward(np.array([[token]]), states=states)
        states = caches.states
    found, after = primed(network, ids)
    np.testing.assert_allclose(found, logits[0], rtol=1e-5, atol=1e-6)
    for path, state in states.items():
        np.testing.assert_allclose(after[path], state, rtol=1e-5, atol=1e-6)


def test_tokens_come_as_often_as_the_softmax_says(network):
    """Pearson's chi-square over 20,000 first tokens, against its 0.999 quantile."""
    logits, states = primed(network, np.array([3]))
    p = np.exp(logits.astype(float) - logits.max())
    p /= p.sum()
    rng, count = np.random.default_rng(5), 20_000
    tokens = [next(draws(network, logits, states, Choice(), rng)).token for _ in range(count)]
    expected = count * p
    chi_square = np.sum((np.bincount(tokens, minlength=7) - expected) ** 2 / expected)
    assert chi_square < 22.46  # 6 degrees of freedom


def test_each_token_is_read_before_the_next_is_drawn(network):
    logits, states = primed(network, np.array([3]))
    found = []
    for draw in draws(network, logits, states, Choice(), np.random.default_rng(0)):
        found.append(draw)
        if len(found) == 4:
            break
    ids = [3, *(draw.token for draw in found[:3])]
    after, _ = primed(network, np.array(ids))
    np.testing.assert_allclose(
        found[3].distribution, Choice().distribution(after), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("number", [0.0, np.nextafter(1.0, 0.0), 1.0])
def test_what_cannot_be_is_not_drawn_at_either_end_of_the_random_numbers(network, number):
    """1 stands for a product that is rounded up to the sum of all probabilities."""
    logits, states = primed(network, np.array([3]))
    rng = SimpleNamespace(random=lambda: number)
    draw = next(draws(network, logits, states, Choice(banned=(0, 6)), rng))
    assert draw.token == (1 if number == 0 else 5)


def test_numbers_that_are_not_finite_are_an_error(network):
    _, states = primed(network, np.array([3]))
    broken = np.full(7, np.nan, np.float32)
    with pytest.raises(InputError, match="not finite"):
        next(draws(network, broken, states, Choice(), np.random.default_rng(0)))


def test_a_text_without_a_beginning_follows_the_end_of_a_line():
    words = Vocabulary.of(["a b\nc d\n"], "word")
    assert words.tokens[line_start(words)[0]] == "<eos>"
    assert line_start(Vocabulary.of_bytes()).tolist() == [10]


@pytest.mark.parametrize("length", [1, 2, 4, 5, 11])
def test_a_beginning_is_read_in_pieces_as_if_at_once(monkeypatch, length):
    network = language_model("lstm", 9, 4, 6, layers=2)
    network.initialise(np.random.default_rng(0))
    ids = np.random.default_rng(1).integers(0, 9, length)
    logits, states = primed(network, ids)
    monkeypatch.setattr(sampling, "READ_AT_ONCE", 3)
    told = []
    pieces, after = primed(network, ids, told.append)
    np.testing.assert_allclose(pieces, logits, rtol=1e-6, atol=1e-7)
    for path, state in states.items():
        np.testing.assert_allclose(after[path], state, rtol=1e-6, atol=1e-7)
    assert told == [*range(3, length - 1, 3), *([length - 1] if length > 1 else [])]
