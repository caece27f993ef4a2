"""Neighbours and planes of points whose geometry is known."""

import numpy as np
import pytest

from cnntool.study.embedding_space import nearest, principal_plane


def test_points_in_a_plane_keep_their_distances():
    rng = np.random.default_rng(0)
    flat = rng.standard_normal((30, 2)) * [5, 2]
    turn = np.linalg.qr(rng.standard_normal((7, 7)))[0][:2]
    plane = principal_plane(flat @ turn + rng.standard_normal(7))
    distances = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (flat, plane.points)]
    np.testing.assert_allclose(*distances, atol=1e-9)
    assert sum(plane.shares) == pytest.approx(1)
    assert plane.shares[0] > plane.shares[1]


def test_shares_are_the_variance_along_the_axes():
    table = np.random.default_rng(1).standard_normal((50, 6)) * [6, 5, 1, 1, 1, 1]
    plane = principal_plane(table)
    total = table.var(axis=0).sum()
    np.testing.assert_allclose(plane.points.var(axis=0) / total, plane.shares, rtol=1e-9)
    values = np.linalg.eigvalsh(np.cov(table.T))[::-1]
    np.testing.assert_allclose(plane.shares, values[:2] / values.sum(), rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_farthest_point_is_on_the_positive_side(seed):
    table = np.random.default_rng(seed).standard_normal((9, 3))
    for sign in (1, -1):
        points = principal_plane(sign * table).points
        for axis in range(2):
            assert points[np.abs(points[:, axis]).argmax(), axis] > 0


def test_one_point_one_axis_and_equal_points():
    assert principal_plane(np.ones((1, 4))).points.tolist() == [[0, 0]]
    assert principal_plane(np.ones((5, 4))).shares == (0, 0)
    assert principal_plane(np.arange(4.0)[:, None]).shares == pytest.approx((1, 0))


def test_neighbours_point_in_the_same_direction_whatever_their_length():
    table = np.array([[1.0, 0], [10, 1], [0.1, 0.1], [-1, 0], [0, 0]])
    found = nearest(table, 0, 4)
    assert [index for index, _ in found] == [1, 2, 4, 3]
    cosines = [10 / np.sqrt(101), np.sqrt(0.5), 0, -1]
    np.testing.assert_allclose([cosine for _, cosine in found], cosines)
    assert len(nearest(table, 0, 2)) == 2
    assert [cosine for _, cosine in nearest(table, 4, 2)] == [0, 0]
