"""Facts of filters, against gratings and patterns whose facts are known."""

import numpy as np
import pytest

from cnntool.imaging.kernels import build
from cnntool.study.filter_statistics import (
    colour_shares,
    direction_of,
    filter_facts,
    orientation_strengths,
    principal_patterns,
    share_by_chance,
)
from cnntool.study.gabor import spectral_peaks

ANGLES = range(0, 180, 15)


def grating(size, angle, frequency, phase=0.0):
    """Brightness that changes along an angle, counterclockwise: array rows grow downward."""
    rows, columns = np.mgrid[:size, :size]
    x, y = columns - (size - 1) / 2, (size - 1) / 2 - rows
    along = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    return np.cos(2 * np.pi * frequency * along + phase)


def apart(one, other):
    """Degrees between two lines."""
    return abs((one - other + 90) % 180 - 90)


@pytest.mark.parametrize("phase", [0, 0.7, np.pi / 2])
@pytest.mark.parametrize(
    ("size", "frequency"), [(7, 0.2), (7, 0.3), (9, 0.15), (11, 0.1), (11, 0.25), (11, 0.4)]
)
def test_gratings_give_their_angle_and_frequency(size, frequency, phase):
    patterns = np.stack([grating(size, angle, frequency, phase) for angle in ANGLES])
    for scale in (1, -3):
        angles, frequencies = spectral_peaks(scale * patterns + 0.2)
        for angle, found in zip(ANGLES, angles, strict=True):
            assert 0 <= found < 180
            assert apart(found, angle) < 0.1, angle
        np.testing.assert_allclose(frequencies, frequency, rtol=0.001)


def test_noisy_gratings_give_nearly_theirs():
    rng = np.random.default_rng(6)
    noise = 0.4 * rng.standard_normal((len(ANGLES), 9, 9))
    patterns = np.stack([grating(9, angle, 0.2, 1.0) for angle in ANGLES]) + noise
    angles, frequencies = spectral_peaks(patterns)
    assert max(map(apart, angles, ANGLES)) < 4
    np.testing.assert_allclose(frequencies, 0.2, rtol=0.12)


def test_a_slope_is_answered_by_a_grating_that_has_half_a_cycle_in_the_kernel():
    slope = np.tile(np.arange(5.0), (5, 1))
    (angle,), (frequency,) = spectral_peaks(slope[None])
    waves = np.exp(-2j * np.pi * np.outer(np.arange(2000) / 4000, np.arange(5)))
    best = np.abs(waves @ (slope[0] - 2)).argmax() / 4000
    assert (angle, frequency) == (pytest.approx(0), pytest.approx(best, abs=0.0005))


def test_the_peak_is_where_the_discrete_spectrum_of_a_longer_signal_has_it():
    """A kernel padded to 1,024 samples, transformed by NumPy."""
    rng = np.random.default_rng(0)
    for shape in ((5, 5), (3, 7), (6, 4)):
        pattern = rng.standard_normal((1, *shape))
        (angle,), (frequency,) = spectral_peaks(pattern)
        spectrum = np.abs(np.fft.fft2(pattern[0] - pattern.mean(), (1024, 1024)))
        row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
        u, v = np.fft.fftfreq(1024)[column], -np.fft.fftfreq(1024)[row]
        assert frequency == pytest.approx(np.hypot(u, v), abs=0.001)
        assert apart(angle, np.degrees(np.arctan2(v, u))) < 0.3


@pytest.mark.parametrize(
    ("spec", "angle"),
    [("sobel-x", 0), ("sobel-y", 90), ("vertical-line", 0), ("horizontal-line", 90)],
)
def test_kernels_of_the_catalogue_have_the_angle_that_they_answer_to(spec, angle):
    (facts,) = filter_facts(build(spec).bank[:, None])
    assert facts.orientation == pytest.approx(angle, abs=1e-6)
    assert facts.strength > 0.7
    assert facts.is_oriented
    assert (facts.nearest.name, facts.nearest.similarity) == (spec, pytest.approx(1))


@pytest.mark.parametrize("angle", [0, 30, 67, 90, 120, 179])
def test_the_gabor_of_the_catalogue_keeps_its_angle(angle):
    wave = build("gabor", angle=angle, wavelength=5, phase=40).bank
    (facts,) = filter_facts(wave[:, None])
    assert apart(facts.orientation, angle) < 1
    assert facts.frequency == pytest.approx(1 / 5, rel=0.05)
    assert facts.gabor.r_squared > 0.999
    assert apart(facts.gabor.orientation, angle) < 0.1
    assert facts.gabor.frequency == pytest.approx(1 / 5, rel=1e-3)


def test_strength_is_one_for_stripes_and_low_for_noise_and_spots():
    stripes = np.stack([np.tile(np.sin(np.arange(7)), (7, 1)), np.eye(7)[::-1] * 0 + np.arange(7)])
    np.testing.assert_allclose(orientation_strengths(stripes), 1)
    np.testing.assert_allclose(orientation_strengths(stripes.swapaxes(1, 2)), 1)
    noise = np.random.default_rng(0).standard_normal((200, 7, 7))
    assert np.median(orientation_strengths(noise)) < 0.25
    spot = np.exp(-(grating(9, 0, 0) * 0 + np.hypot(*np.mgrid[-4:5, -4:5]) ** 2 / 6))
    assert orientation_strengths(spot[None])[0] < 1e-9
    chequers = np.indices((5, 5)).sum(axis=0) % 2
    assert orientation_strengths(chequers[None] * 1.0)[0] == 0
    assert orientation_strengths(np.arange(5.0).reshape(1, 1, 5))[0] == 1


def test_strength_does_not_depend_on_the_angle_of_a_fine_pattern():
    blurred = np.exp(-(np.hypot(*np.mgrid[-7:8, -7:8]) ** 2) / 12)
    patterns = np.stack([grating(15, angle, 0.1) * blurred for angle in ANGLES])
    found = orientation_strengths(patterns)
    assert np.ptp(found) < 0.06
    assert found.min() > 0.6


def test_noise_is_no_oriented_edge_and_small_noise_passes_more_often():
    facts = filter_facts(np.random.default_rng(1).standard_normal((64, 1, 7, 7)))
    assert sum(each.is_oriented for each in facts) <= 1
    assert share_by_chance((64, 1, 7, 7)) < 0.05
    assert share_by_chance((64, 1, 3, 3)) > 0.2


def test_the_pattern_of_several_channels_is_the_one_they_share():
    rng = np.random.default_rng(2)
    pattern, weights = grating(7, 30, 0.2), np.array([0.2, -1.0, 0.5])
    bank = (weights[:, None, None] * pattern)[None]
    (found,), (share,) = principal_patterns(bank)
    assert share == pytest.approx(1)
    cosine = (found * pattern).sum() / np.linalg.norm(found) / np.linalg.norm(pattern)
    assert abs(cosine) == pytest.approx(1)
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(bank))
    noise = rng.standard_normal((3, 16, 3, 3))
    _, shares = principal_patterns(noise)
    singular = np.linalg.svd(noise.reshape(3, 16, 9), compute_uv=False)
    np.testing.assert_allclose(shares, singular[:, 0] ** 2 / (singular**2).sum(axis=1))
    grey = rng.standard_normal((1, 1, 5, 5)).repeat(3, axis=1)
    same, _ = principal_patterns(grey)
    np.testing.assert_allclose(same[0] / np.sqrt(3), grey[0, 0], atol=1e-12)  # sign kept


def test_an_edge_between_colours_is_an_edge_though_its_channels_cancel():
    pattern = grating(7, 45, 0.2)
    bank = np.stack([pattern, -pattern, 0 * pattern])[None]
    (facts,) = filter_facts(bank)
    assert apart(facts.orientation, 45) < 3
    assert facts.is_oriented
    assert facts.colour == pytest.approx(1)


def test_the_share_of_colour_is_what_grey_images_do_not_meet():
    pattern = grating(5, 0, 0.2)
    grey, red = np.stack([pattern] * 3), np.stack([pattern, 0 * pattern, 0 * pattern])
    opponent = np.stack([pattern, -pattern, 0 * pattern])
    np.testing.assert_allclose(
        colour_shares(np.stack([grey, red, opponent])), [0, 2 / 3, 1], atol=1e-12
    )
    (facts,) = filter_facts(np.ones((1, 2, 3, 3)) * np.arange(3))
    assert facts.colour is None


def test_dead_filters_are_told_and_have_no_further_facts():
    bank = np.random.default_rng(3).standard_normal((6, 1, 5, 5))
    bank[1] *= 0.02
    bank[2] = 0.7
    bank[3] = 0
    bank[4, 0, 2, 2] = np.nan
    facts = filter_facts(bank)
    states = ["alive", "faint", "constant", "faint", "not finite", "alive"]
    assert [each.state for each in facts] == states
    assert [each.is_dead for each in facts] == [state != "alive" for state in states]
    assert facts[1].orientation is None
    assert not facts[2].is_oriented
    assert facts[0].norm == pytest.approx(np.linalg.norm(bank[0]))
    assert np.isnan(facts[4].norm)
    assert [each.is_dead for each in filter_facts(np.zeros((2, 3, 3, 3)))] == [True, True]


def test_scale_changes_no_fact_but_the_norm():
    bank = np.random.default_rng(4).standard_normal((3, 3, 5, 5))
    for one, other in zip(filter_facts(bank), filter_facts(1e-6 * bank), strict=True):
        assert other.norm == pytest.approx(1e-6 * one.norm)
        assert other.orientation == pytest.approx(one.orientation)
        assert other.gabor.r_squared == pytest.approx(one.gabor.r_squared, rel=1e-3)
        assert other.gabor.amplitude == pytest.approx(one.gabor.amplitude / one.norm * other.norm)
        assert (other.nearest.name, other.state) == (one.nearest.name, one.state)


def test_directions_are_sectors_about_their_middles():
    assert [direction_of(angle) for angle in (0, 5.6, 5.7, 90, 174.3, 174.5)] == [0, 0, 1, 8, 15, 0]


@pytest.mark.parametrize("shape", [(4, 1, 1, 7), (4, 2, 7, 1), (4, 3, 2, 2)])
def test_small_and_flat_kernels_are_measured_too(shape):
    for facts in filter_facts(np.random.default_rng(5).standard_normal(shape)):
        assert facts.state in ("alive", "faint")
        assert facts.is_dead or np.isfinite([facts.orientation, facts.frequency]).all()
        if shape[3] == 7:
            assert facts.orientation == 0


def test_single_weights_have_a_norm_and_no_pattern():
    (facts,) = filter_facts(np.full((1, 2, 1, 1), 3.0))
    assert (facts.state, facts.orientation, facts.gabor) == ("alive", None, None)
    assert facts.norm == pytest.approx(np.sqrt(18))


def test_a_filter_that_is_nearly_constant_lives():
    bank = 0.7 + 0.03 * np.random.default_rng(7).standard_normal((2, 1, 5, 5))
    assert [facts.state for facts in filter_facts(bank)] == ["alive", "alive"]


@pytest.mark.parametrize("shape", [(3, 1), (1, 3)])
def test_no_frequency_is_beyond_nyquists(shape):
    _, frequencies = spectral_peaks(np.random.default_rng(8).standard_normal((500, *shape)))
    assert frequencies.max() <= 0.5


def test_an_angle_a_hair_below_half_a_turn_is_0():
    (angle,), _ = spectral_peaks(grating(7, 180 - 1e-4, 0.2)[None])
    assert angle == 0
