"""The order of a recurrent run, by hand, and that pieces of runs and products make the whole."""

import numpy as np
import pytest

from cnntool.engine.cells.steps import TimeOrder, by_columns, in_pieces

LENGTHS = np.array([2, 5, 0, 3])


def test_spans_are_cut_where_a_sequence_ends():
    order = TimeOrder.of(6, 4, LENGTHS, False)
    assert order.order.tolist() == [1, 3, 0, 2]  # from the longest to the shortest
    cuts = [(slice(0, 2), 3), (slice(2, 3), 2), (slice(3, 5), 1), (slice(5, 6), 0)]
    assert order.spans() == cuts


def test_spans_backward_begin_where_the_longest_sequence_ends():
    order = TimeOrder.of(6, 4, LENGTHS, True)
    cuts = [(slice(0, 1), 0), (slice(1, 3), 1), (slice(3, 4), 2), (slice(4, 6), 3)]
    assert order.spans() == cuts


@pytest.mark.parametrize("most", [1, 2, 3, 100])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_short_spans_are_every_step_once_with_its_rows(most, lengths, is_reversed):
    order = TimeOrder.of(6, 4, lengths, is_reversed)
    spans = order.spans(most)
    assert [step for span, _ in spans for step in range(6)[span]] == list(range(6))
    assert all(span.stop - span.start <= most for span, _ in spans)
    for span, rows in spans:
        for step in range(6)[span]:
            time = 5 - step if is_reversed else step
            wanted = 4 if lengths is None else np.count_nonzero(lengths > time)
            assert rows == wanted


def test_no_steps_are_no_spans():
    assert TimeOrder.of(0, 4, None, False).spans(3) == []


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_what_is_arranged_can_be_restored(lengths, is_reversed):
    order = TimeOrder.of(6, 4, lengths, is_reversed)
    x = np.arange(48).reshape(6, 4, 2)
    np.testing.assert_array_equal(order.restored(order.arranged(x)), x)
    np.testing.assert_array_equal(order.restored_rows(order.arranged_rows(x[0])), x[0])


@pytest.mark.parametrize(("rows", "pieces"), [(1, 1), (16, 1), (31, 2), (50, 4), (1000, 1)])
def test_products_with_columns_in_pieces_are_the_whole_product(rows, pieces):
    rng = np.random.default_rng(rows)
    weight, left = rng.standard_normal((480, 128)), rng.standard_normal((rows, 480))
    columns, product = by_columns(weight, rows), np.empty((rows, 128))
    np.matmul(left, columns, out=in_pieces(product, len(columns)))
    assert columns.shape == (pieces, 480, 128 // pieces)
    np.testing.assert_allclose(product, left @ weight, rtol=1e-12, atol=1e-12)
