"""The order of a recurrent run, by hand, and that pieces of runs and products make the whole."""

import numpy as np
import pytest

from cnntool.engine.cells.steps import TimeOrder, by_columns, fitted

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


@pytest.mark.parametrize(
    ("rows", "hidden", "parts", "pieces"),
    [
        (0, 128, 1, 1),
        (16, 128, 1, 1),
        (31, 128, 1, 2),
        (50, 128, 1, 4),
        (64, 100, 4, 1),
        (80, 128, 4, 2),
        (83, 128, 1, 2),
        (1000, 128, 40, 2),
        (1000, 100, 50, 1),
        (96, 96, 6, 1),
    ],
)
def test_products_in_pieces_are_the_whole_product(rows, hidden, parts, pieces):
    rng = np.random.default_rng(rows)
    weight, left = rng.standard_normal((480, hidden)), rng.standard_normal((3, rows, 480))
    columns, product = by_columns(weight, rows), np.empty((rows, hidden))
    lefts, out = fitted(left, columns, product)
    assert columns.shape == (1, pieces, 480, hidden // pieces)
    assert lefts.shape == (3, parts, 1, rows // parts, 480)
    for step in range(3):
        np.matmul(lefts[step], columns, out=out)
        np.testing.assert_allclose(product, left[step] @ weight, rtol=1e-12, atol=1e-12)


def test_few_rows_of_a_long_sum_are_not_cut():
    columns = by_columns(np.ones((2048, 512)), 32)
    assert columns.shape == (1, 1, 2048, 512)
    lefts, _ = fitted(np.ones((1, 32, 2048)), columns, np.empty((32, 512)))
    assert lefts.shape == (1, 1, 1, 32, 2048)
