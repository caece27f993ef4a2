import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cnntool.datasets.feeds import Batch, steps_of
from cnntool.datasets.sequences.feeds import PairFeed, SequenceFeed, like_lengths
from cnntool.datasets.sequences.inputs import PixelInput, SeriesInput, TextInput
from cnntool.datasets.sequences.ragged import Ragged

TEXTS = ["a good film", "bad", "good good film, a good one", "a bad one!", "the film is bad"]


def text_rows(**options):
    reader = TextInput.of(TEXTS, "text", "word", **options)
    return reader, reader.rows(TEXTS)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=300), st.integers(1, 7), st.booleans())
def test_an_epoch_has_every_sequence_once_in_batches_of_like_length(lengths, size, is_drawn):
    rng = np.random.default_rng(0) if is_drawn else None
    found = like_lengths(np.array(lengths), size, rng)
    assert_array_equal(np.sort(np.concatenate(found)), np.arange(len(lengths)))
    assert sorted(map(len, found))[1:] == [size] * (len(found) - 1)
    if not is_drawn:
        ordered = np.array(lengths)[np.concatenate(found)]
        assert (np.diff(ordered) <= 0).all()


@given(st.integers(2, 460), st.integers(2, 4))
def test_what_is_left_over_and_too_little_goes_into_a_batch_before(count, size):
    keys = np.arange(count) % 7
    found = like_lengths(keys, size, np.random.default_rng(0), least=2)
    assert_array_equal(np.sort(np.concatenate(found)), np.arange(count))
    assert min(map(len, found)) >= 2
    assert len(found) == steps_of(count, size, 2)


def test_a_feed_gives_labels_and_puts_what_was_found_back_in_order():
    reader, rows = text_rows()
    feed = SequenceFeed(rows, np.arange(5), 2)
    taken = [feed.take(batch) for batch in feed.batches()]
    assert (feed.steps, feed.samples) == (3, 5)
    assert_array_equal(feed.in_order([each.targets for each in taken]), np.arange(5))
    for batch, each in zip(feed.batches(), taken, strict=True):
        for column, index in enumerate(batch.indices):
            ids = each.x[: each.lengths[column], column]
            assert reader.text(ids) == TEXTS[index].replace(" !", "!")
            assert ids[-1] == reader.end


def test_tags_count_up_to_the_ends_and_come_back_in_order():
    words = [("12", "Main", "St"), ("Ohio",), ("9", "Elm")]
    tags = Ragged.of([np.array([0, 1, 1]), np.array([2]), np.array([0, 1])])
    reader = TextInput.of(words, "words", "word")
    feed = SequenceFeed(reader.rows(words), tags, 2)
    taken = [feed.take(batch) for batch in feed.batches()]
    assert sum(batch.samples for batch in feed.batches()) == feed.samples == 6
    assert [batch.weights.tolist() for batch in feed.batches()] == [[3, 2], [1]]
    assert_array_equal(taken[0].counts, [[True, True], [True, True], [True, False]])
    assert_array_equal(feed.in_order([each.targets for each in taken]), tags.values)
    assert reader.tokens(("12", "Main")) == ["00", "main"]


def test_a_pair_is_given_what_it_has_to_say_a_step_later():
    reader = TextInput.of(TEXTS, "text", "char")
    writer = TextInput.of(["ab", "c"], "text", "char", folds=False)
    targets = Ragged.of([writer.ids("ab"), writer.ids("c"), writer.ids("ba")])
    feed = PairFeed(reader.rows(TEXTS), targets, 3, sources=np.array([1, 0, 1]), end=writer.end)
    (batch,) = feed.batches()
    taken = feed.take(batch)
    for column, index in enumerate(batch.indices):
        own = targets[index]
        given_own = taken.x.given[: len(own), column]
        assert_array_equal(given_own, [writer.end, *own[:-1]])
        assert_array_equal(taken.targets[: len(own), column], own)
        assert (
            reader.text(taken.x.source[: taken.lengths[column], column]) == TEXTS[[1, 0, 1][index]]
        )
    assert taken.counts.sum() == batch.samples == feed.samples == 8


def test_each_word_is_spelled_once_and_what_is_rare_is_hidden_while_learning():
    words = [("Elm", "St"), ("Elm", "Ave", "Ohio")]
    reader = TextInput.of(words, "words", "word", has_letters=True)
    rows = reader.rows(words, is_learned=True)
    x, lengths = rows.take(np.array([0, 1]))
    spelled = [reader.letters.decode(x.letters[: x.lengths[w], w]) for w in range(len(x.lengths))]
    for column, each in enumerate(words):
        own = x.words[: lengths[column], column]
        assert [spelled[place] for place in own] == list(each)
    hidden, _ = rows.take(np.array([0, 1]), np.random.default_rng(1))
    differs = hidden.ids != x.ids
    assert differs.any()
    assert not differs[x.ids == reader.vocabulary.encode("elm")[0]].any()
    assert (hidden.ids[differs] == 0).all()


def test_classes_count_by_their_weights_while_learning_alone():
    _, rows = text_rows()
    feed = SequenceFeed(rows, np.array([0, 1, 0, 1, 0]), 5, class_weights=np.array([1.0, 2.0]))
    batch = Batch(1, np.arange(5), 5)
    assert feed.take(batch).counts is None
    learned = feed.take(batch, np.random.default_rng(0))
    assert_array_equal(learned.counts, [1, 2, 1, 2, 1])
    assert_array_equal(next(feed.batches()).weights.sum(), 7)


def test_series_and_videos_are_prepared_and_0_behind_their_ends():
    rng = np.random.default_rng(0)
    series = [rng.normal(3, 2, (n, 4)).astype(np.float32) for n in (2, 5)]
    x, lengths = SeriesInput.of(series).rows(series).take(np.array([0, 1]))
    assert_allclose(np.concatenate([x[:2, 0], x[:, 1]]).mean(axis=0), 0, atol=1e-6)
    assert not x[2:, 0].any()
    videos = [rng.integers(0, 256, (n, 1, 3, 3), dtype=np.uint8) for n in (1, 3)]
    x, lengths = PixelInput.of(videos, "frames").rows(videos).take(np.array([0, 1]))
    assert x.shape == (3, 2, 1, 3, 3)
    assert_array_equal(lengths, [1, 3])
    assert not x[1:, 0].any()


@pytest.mark.parametrize(
    ("level", "text", "tokens"),
    [
        ("word", "Don't stop, Ann!", ["don't", "stop", "_,", "ann", "_!"]),
        ("symbol", "AH0  B K", ["AH0", "B", "K"]),
        ("char", "a b", ["a", " ", "b"]),
    ],
)
def test_a_level_says_what_a_token_is(level, text, tokens):
    reader = TextInput.of([text, "x y"], "text", level)
    assert reader.tokens(text) == tokens
    assert len(reader.ids(text)) == len(tokens) + 1


def test_pictures_are_normalized_by_their_mean_and_deviation_in_little_memory():
    rng = np.random.default_rng(0)
    pictures = [*rng.integers(0, 90, (2500, 3, 32, 32), dtype=np.uint8)]
    whole = np.stack(pictures) / 255
    tracemalloc.start()
    fitted = PixelInput.of(pictures, "picture").preprocessing
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_allclose(fitted.mean, whole.mean(axis=(0, 2, 3)), rtol=1e-6)
    assert_allclose(fitted.std, whole.std(axis=(0, 2, 3)), rtol=1e-6)
    assert_allclose(fitted.brightness, np.quantile(whole.mean(axis=(1, 2, 3)), (0.01, 0.99)))
    assert peak < 1.3 * whole.nbytes
