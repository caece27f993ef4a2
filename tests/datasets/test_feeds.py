"""What steps read: every image once an epoch, and every token of a text's windows."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.datasets.feeds import WindowFeed, batches
from cnntool.datasets.texts.corpus import Corpus
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError, RequestError


def windows(ids, *sizes):
    return WindowFeed(Corpus("t.txt", ids, Vocabulary.of_bytes()), *sizes)


def taken(feed):
    return [feed.take(batch) for batch in feed.batches()]


def test_every_index_comes_once_and_the_last_batch_is_what_is_left():
    epoch = list(batches(10, 4, np.random.default_rng(0)))
    assert [len(batch) for batch in epoch] == [4, 4, 2]
    assert sorted(np.concatenate(epoch)) == list(range(10))


def test_without_a_generator_they_come_in_order():
    assert np.concatenate(list(batches(5, 2))).tolist() == [0, 1, 2, 3, 4]


def test_the_state_of_the_generator_decides_the_order():
    rng, same = np.random.default_rng(7), np.random.default_rng(7)
    epochs = [np.concatenate(list(batches(50, 8, rng))) for _ in range(2)]
    assert (epochs[0] != epochs[1]).any()
    state = same.bit_generator.state
    first = np.concatenate(list(batches(50, 8, same)))
    same.bit_generator.state = state
    again = np.concatenate(list(batches(50, 8, same)))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, epochs[0])


def test_no_images_are_no_batches_and_no_size_is_an_error():
    assert list(batches(0, 4)) == []
    with pytest.raises(ValueError, match="batch_size is 0"):
        next(batches(3, 0))


def test_windows_by_hand():
    """Ten ids, two rows of (10 - 1) // 2 = 4 columns, three at a time; the target 9 is left."""
    found = windows(np.arange(10, dtype=np.uint8), 2, 3)
    assert (found.steps, found.columns, found.samples) == (2, 4, 8)
    assert [(batch.number, batch.samples) for batch in found.batches()] == [(1, 6), (2, 2)]
    (x0, y0, all_count, *_), (x1, y1, *_) = taken(found)
    assert x0.tolist() == [[0, 4], [1, 5], [2, 6]]
    assert y0.tolist() == [[1, 5], [2, 6], [3, 7]]
    assert (x1.tolist(), y1.tolist()) == ([[3, 7]], [[4, 8]])
    assert all_count is None
    assert x0.dtype == np.uint8
    assert x0.flags.c_contiguous
    assert y0.flags.c_contiguous


@given(st.integers(2, 120), st.integers(1, 12), st.integers(1, 15))
def test_every_target_stands_in_one_window_once_and_rows_go_on(count, batch_size, seq_length):
    if count <= batch_size:
        return
    found = windows(np.arange(count), batch_size, seq_length)
    rows = np.concatenate([each.x for each in taken(found)]).T
    targets = np.concatenate([each.targets for each in taken(found)]).T
    np.testing.assert_array_equal(targets, rows + 1)
    assert (np.diff(rows, axis=1) == 1).all()  # within a row nothing is left out or repeated
    kept = batch_size * ((count - 1) // batch_size)
    assert Counter(targets.ravel().tolist()) == Counter(range(1, kept + 1))
    assert count - 1 - kept < batch_size
    assert found.samples == kept
    assert all(len(each.x) == seq_length for each in taken(found)[:-1])


@given(st.integers(2, 120), st.integers(1, 12))
def test_of_a_whole_text_every_target_counts_once_and_comes_in_order(count, rows):
    found = WindowFeed.whole(Corpus("t.txt", np.arange(count), Vocabulary.of_bytes()), rows)
    targets = found.in_order([each.targets for each in taken(found)])
    assert targets.tolist() == list(range(1, count))
    counts = [
        each.targets.size if each.counts is None else each.counts.sum() for each in taken(found)
    ]
    assert sum(counts) == count - 1


def test_processes_take_their_rows_of_a_window():
    found = windows(np.arange(100), 6, 5)
    batch = list(found.batches())[1]
    whole = found.take(batch)
    part = found.take(batch._replace(indices=np.array([2, 3, 4])))
    np.testing.assert_array_equal(part.x, whole.x[:, 2:5])
    np.testing.assert_array_equal(part.targets, whole.targets[:, 2:5])


def test_a_short_text_gives_a_short_window():
    ((x, y, *_),) = taken(windows(np.arange(5), 2, 30))
    assert (x.tolist(), y.tolist()) == ([[0, 2], [1, 3]], [[1, 3], [2, 4]])
    ((x, y, *_),) = taken(windows(np.arange(2), 1, 30))
    assert (x.tolist(), y.tolist()) == ([[0]], [[1]])


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (20, "t.txt has 20 tokens, and --batch-size 20 needs at least 21, .*--batch-size 19 or"),
        (1, "t.txt has 1 token, and --batch-size 20 needs at least 21, .*: add text"),
    ],
)
def test_a_text_too_short_for_one_window_is_told_with_numbers(count, message):
    with pytest.raises(InputError, match=message):
        windows(np.arange(count), 20, 30)
    windows(np.arange(21), 20, 30)


def test_sizes_below_one_are_refused():
    with pytest.raises(RequestError, match="--batch-size is 0, expected 1 or more"):
        windows(np.arange(9), 0, 3)
    with pytest.raises(RequestError, match="--seq-length is -1, expected 1 or more"):
        windows(np.arange(9), 1, -1)


@given(st.integers(1, 40), st.integers(1, 12), st.data())
def test_what_is_left_over_and_too_little_goes_into_the_batch_before(count, batch_size, data):
    least = data.draw(st.integers(1, batch_size))
    sizes = [len(batch) for batch in batches(count, batch_size, None, least)]
    assert sum(sizes) == count
    assert set(sizes[:-1]) <= {batch_size}
    assert min(least, count) <= sizes[-1] < batch_size + least
