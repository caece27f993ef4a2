import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cnntool.datasets.sequences.ragged import Ragged

LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=6)


def sequences(lengths: list[int], *shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, 9, (length, *shape)) for length in lengths]


@given(LENGTHS, st.data())
def test_a_sequence_is_what_it_was_alone_in_part_and_side_by_side(lengths, data):
    parts = sequences(lengths, 2)
    ragged = Ragged.of(parts)
    chosen = data.draw(st.lists(st.integers(0, len(parts) - 1), min_size=1, max_size=6))
    found, counts = ragged.padded(chosen)
    part = ragged.at(np.array(chosen))
    assert found.shape == (max(lengths[i] for i in chosen), len(chosen), 2)
    for column, index in enumerate(chosen):
        assert_array_equal(ragged[index], parts[index])
        assert_array_equal(part[column], parts[index])
        assert_array_equal(found[: counts[column], column], parts[index])
        assert not found[counts[column] :, column].any()


def test_a_dtype_is_kept_or_taken():
    assert Ragged.of(sequences([2, 1]), np.uint8).values.dtype == np.uint8
    assert Ragged.of(sequences([2, 1])).padded([0])[0].dtype == np.int64
