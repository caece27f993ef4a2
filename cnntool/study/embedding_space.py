"""What an embedding has learned: which tokens lie near each other, and the plane they spread in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane in which points spread most.

    points: (N, 2). shares: of the variance of all points, along each of the two axes.
    """

    points: np.ndarray
    shares: tuple[float, float]


def principal_plane(table: np.ndarray) -> Plane:
    """Points (N, E) in the plane of their first two principal components.

    With the centred points ``X = U S V^T``, they are ``U S`` of the two largest singular values;
    the shares are ``s^2 / sum of s^2``. Signs are chosen so that on each axis the point that is
    farthest from 0 is on its positive side. Source: Pearson, On lines and planes of closest fit to
    systems of points in space, Philosophical Magazine 2, 1901.
    """
    centred = np.asarray(table, np.float64)
    centred = centred - centred.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(centred), 2))
    count = min(2, len(s))
    points[:, :count] = u[:, :count] * s[:count]
    for axis in range(2):
        if points[np.abs(points[:, axis]).argmax(), axis] < 0:
            points[:, axis] *= -1
    total = float(np.square(s).sum())
    shares = [float(value) ** 2 / total if total else 0.0 for value in (*s[:2], 0.0, 0.0)[:2]]
    return Plane(points, (shares[0], shares[1]))


def nearest(table: np.ndarray, index: int, count: int) -> list[tuple[int, float]]:
    """The rows of a table (N, E) that point most in the direction of one of them, and the cosines
    of the angles between, the largest first; the row itself is left out. 0 for a row of zeros."""
    rows = np.asarray(table, np.float64)
    norms = np.linalg.norm(rows, axis=1)
    products = rows @ rows[index]
    cosines = products / np.where(norms > 0, norms, 1) / (norms[index] or 1)
    order = np.argsort(-cosines, kind="stable")
    return [(int(i), float(cosines[i])) for i in order if i != index][:count]
