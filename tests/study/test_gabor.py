"""Gabor functions are found again from their values."""

import numpy as np
import pytest

from cnntool.study.gabor import fit_gabor


def places(height, width):
    rows, columns = np.mgrid[:height, :width]
    return columns - (width - 1) / 2, (height - 1) / 2 - rows


def gabor(size, amplitude, centre, sigma, tau, angle, frequency, phase):
    """From the formula, in degrees, y upward."""
    x, y = places(*size)
    x, y, angle = x - centre[0], y - centre[1], np.radians(angle)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    wave = np.cos(2 * np.pi * frequency * along + np.radians(phase))
    return amplitude * wave * np.exp(-0.5 * ((along / sigma) ** 2 + (across / tau) ** 2))


def random_gabors(count, size, seed):
    rng = np.random.default_rng(seed)
    side = min(size)
    for _ in range(count):
        centre = rng.uniform(-0.25, 0.25, 2) * side
        widths = rng.uniform(0.12, 0.5, 2) * side
        frequency = rng.uniform(0.5 / side, 0.4)
        yield gabor(
            size, 2.5, centre, *widths, rng.uniform(0, 180), frequency, rng.uniform(-180, 180)
        )


@pytest.mark.parametrize("size", [(5, 5), (7, 7), (8, 6), (11, 11)])
def test_gabors_of_random_parameters_are_fitted(size):
    patterns = np.stack(list(random_gabors(100, size, seed=sum(size))))
    assert min(fit.r_squared for fit in fit_gabor(patterns)) > 0.99


def test_what_is_described_gives_the_pattern_again():
    patterns = np.stack(list(random_gabors(40, (9, 9), seed=1)))
    for pattern, fit in zip(patterns, fit_gabor(patterns), strict=True):
        again = gabor(
            (9, 9),
            fit.amplitude,
            fit.centre,
            fit.sigma,
            fit.tau,
            fit.orientation,
            fit.frequency,
            fit.phase,
        )
        residual = np.square(again - pattern).sum()
        spread = np.square(pattern - pattern.mean()).sum()
        assert 1 - residual / spread == pytest.approx(fit.r_squared, abs=1e-9)
        assert 0 <= fit.orientation < 180
        assert fit.frequency >= 0


def test_the_parameters_are_found_where_they_are_determined():
    truth = 1.5, (0.5, -0.8), 1.9, 2.6, 130.0, 0.21, 50.0
    (fit,) = fit_gabor(gabor((11, 11), *truth)[None])
    found = fit.amplitude, fit.centre, fit.sigma, fit.tau, fit.orientation, fit.frequency, fit.phase
    for value, expected in zip(found, truth, strict=True):
        assert value == pytest.approx(expected, rel=1e-3)


def test_noise_is_fitted_less_well_the_larger_it_is():
    rng = np.random.default_rng(2)
    shares = []
    for size in (3, 5, 9):
        fits = fit_gabor(rng.standard_normal((60, size, size)))
        shares.append(np.median([fit.r_squared for fit in fits]))
    assert shares[0] > 0.7  # eight numbers for nine weights
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.5


def test_a_fit_is_no_worse_than_scipys_from_the_truth():
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(3)
    size = 7, 7
    for _ in range(10):
        start = [1.0, 0.3, -0.4, 1.2, 1.8, rng.uniform(0, 180), 0.2, rng.uniform(-180, 180)]
        noisy = gabor(size, start[0], start[1:3], *start[3:])
        noisy = noisy + 0.1 * rng.standard_normal(size)

        def residuals(p, noisy=noisy):
            return (gabor(size, p[0], p[1:3], *p[3:]) - noisy).ravel()

        theirs = (
            2 * optimize.least_squares(residuals, start, x_scale=[1, 1, 1, 1, 1, 30, 0.1, 30]).cost
        )
        (fit,) = fit_gabor(noisy[None])
        ours = (1 - fit.r_squared) * np.square(noisy - noisy.mean()).sum()
        assert ours < theirs * 1.001


def test_nothing_is_fitted_to_nothing():
    assert fit_gabor(np.empty((0, 5, 5))) == ()


def test_chequers_are_the_finest_wave_along_a_diagonal():
    chequers = 1 - 2.0 * (np.indices((7, 7)).sum(axis=0) % 2)
    (fit,) = fit_gabor(chequers[None])
    assert fit.r_squared > 0.99
    assert fit.frequency == pytest.approx(np.sqrt(0.5), rel=1e-2)


def test_the_centre_may_lie_at_the_very_edge_of_the_corner_weight():
    (fit,) = fit_gabor(gabor((7, 7), 1, (-3.4, 3.3), 1.5, 2, 30, 0.2, 0)[None])
    assert fit.r_squared > 0.9999
    assert fit.centre == pytest.approx((-3.4, 3.3), abs=1e-3)


def test_no_width_is_narrower_than_what_weights_can_tell():
    for neighbour in (0, -1):
        pattern = np.zeros((5, 5))
        pattern[2, 2:4] = 1, neighbour
        (fit,) = fit_gabor(pattern[None])
        assert min(fit.sigma, fit.tau) > 0.299


def test_patterns_of_many_blocks_are_fitted_as_alone(monkeypatch):
    patterns = np.stack(list(random_gabors(3, (5, 5), seed=4))) * np.arange(1, 4)[:, None, None]
    together = fit_gabor(patterns)
    monkeypatch.setattr("cnntool.study.gabor.BLOCK_VALUES", 1)
    for one, other in zip(fit_gabor(patterns), together, strict=True):
        assert one.amplitude == pytest.approx(other.amplitude, rel=1e-3)
        assert one.r_squared == pytest.approx(other.r_squared, abs=1e-6)
