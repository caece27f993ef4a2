"""Every image once an epoch, in an order that the generator decides."""

import numpy as np
import pytest

from cnntool.datasets.feeds import batches


def test_every_index_comes_once_and_the_last_batch_is_what_is_left():
    epoch = list(batches(10, 4, np.random.default_rng(0)))
    assert [len(batch) for batch in epoch] == [4, 4, 2]
    assert sorted(np.concatenate(epoch)) == list(range(10))
    assert [len(batch) for batch in batches(10, 4, drop_last=True)] == [4, 4]
    assert [len(batch) for batch in batches(8, 4, drop_last=True)] == [4, 4]


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
