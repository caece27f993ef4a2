"""What may be typed for a signal's kernel: SciPy's weights, closed forms, and clear errors."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import norm

from cnntool.errors import InputError, RequestError
from cnntool.signals.kernels import (
    LARGEST_KERNEL,
    NAMES,
    Kernel,
    catalogue,
    parse_signal_kernel,
    scaled,
)


def weights(spec: str, dt: float | None = None) -> np.ndarray:
    (row,) = parse_signal_kernel(spec, dt).weights
    return row


def message_of(spec: str, dt: float | None = None) -> str:
    with pytest.raises(RequestError) as raised:
        parse_signal_kernel(spec, dt)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_the_catalogue_is_as_listed():
    assert tuple(catalogue()) == NAMES


@pytest.mark.parametrize("name", ["box", "gaussian", "exponential", "identity"])
def test_smoothing_kernels_sum_to_one_with_any_dt(name):
    for dt in (None, 0.1, 7):
        assert weights(name, dt).sum() == pytest.approx(1, abs=1e-14)


def test_gaussian_has_scipys_weights():
    impulse = np.zeros(41)
    impulse[20] = 1
    expected = gaussian_filter1d(impulse, 2)[12:29]
    np.testing.assert_allclose(weights("gaussian:sigma=2"), expected, atol=1e-16)


def test_sigma_is_in_the_units_of_dt():
    row = weights("gaussian:sigma=0.5", dt=0.01)
    t = 0.01 * (np.arange(len(row)) - len(row) // 2)
    np.testing.assert_allclose(row, 0.01 * norm.pdf(t, scale=0.5), rtol=1e-4)


def test_exponential_falls_by_e_in_tau_and_begins_at_its_anchor():
    kernel = parse_signal_kernel("exponential:tau=4")
    (row,) = kernel.weights
    assert kernel.anchor == 0
    np.testing.assert_allclose(row[4:] / row[:-4], np.exp(-1))
    assert len(row) == 41
    seconds = weights("exponential:tau=0.4", dt=0.1)
    np.testing.assert_allclose(seconds, row)


def test_derivatives_are_exact_on_a_parabola():
    t = 0.25 * np.arange(20)
    f = 3 * t**2 - 5 * t + 1
    first = np.convolve(f, weights("derivative", dt=0.25), "valid")
    second = np.convolve(f, weights("derivative:order=2", dt=0.25), "valid")
    np.testing.assert_allclose(first, (6 * t - 5)[1:-1], atol=1e-12)
    np.testing.assert_allclose(second, 6, atol=1e-11)


@pytest.mark.parametrize("spec", ["1 0 -2", "1,0,-2", " 1, 0 , -2 ", "1 0 −2"])
def test_numbers_are_taken_as_they_stand_and_multiplied_by_dt(spec):
    np.testing.assert_array_equal(weights(spec), [1, 0, -2])
    np.testing.assert_array_equal(weights(spec, dt=0.5), [0.5, 0, -1])


def test_fractions_are_numbers():
    np.testing.assert_array_equal(weights("1/3 -1/4"), [1 / 3, -1 / 4])


@pytest.mark.parametrize(
    ("name", "content"),
    [("k.txt", "1\n2\n# middle\n3\n"), ("k.csv", "1,2,3\n"), ("k.json", "[1, 2, 3]")],
)
def test_a_file_holds_a_row_or_a_column(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    kernel = parse_signal_kernel(str(path))
    assert kernel.label == "k"
    np.testing.assert_array_equal(kernel.weights, [[1, 2, 3]])


def test_a_kernel_may_be_longer_than_one_for_images(tmp_path):
    np.save(tmp_path / "long.npy", np.ones(5000))
    assert weights(str(tmp_path / "long.npy")).shape == (5000,)


def test_long_kernels_are_named_by_every_digit_of_their_size():
    assert parse_signal_kernel("box:size=1234567").label == "box-size1234567"
    with pytest.raises(RequestError, match=r"size is 10000000, but .* from 1 to 8388608: "):
        parse_signal_kernel("box:size=10000000")


def test_scaling_and_normalizing_go_by_row():
    kernel = Kernel("k", np.array([[1.0, 3.0], [1.0, -1.0], [0.0, 0.0]]))
    normal = scaled(kernel, normalize=True, scale=2)
    np.testing.assert_array_equal(normal.weights, [[0.5, 1.5], [2, -2], [0, 0]])
    assert kernel.weights[0, 0] == 1


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("", ["empty", "box"]),
        ("gausian:sigma=2", ["unknown kernel 'gausian'", "did you mean 'gaussian'"]),
        ("nothing-like-it", ["unknown kernel", *NAMES, ".npy"]),
        ("box:width=3", ["box has no parameter 'width'", "size"]),
        ("box:size=2.5", ["box: size is 2.5", "a whole number from 1"]),
        ("box:size", ["'size'", "no setting", "box:size=NUMBER"]),
        ("gaussian:sigma=0", ["sigma is 0", "above 0"]),
        ("gaussian:sigma=2e6", ["sigma is 2e+06", "samples", "--dt"]),
        ("exponential:tau=0.001", ["tau is 0.001", "0.01 to 1e+06 samples"]),
        ("derivative:order=3", ["order is 3", "1 or 2"]),
        ("1 2; 3 4", ["2 rows of 2 numbers", "one row"]),
        ("1 x 3", ["number 2, 'x', is not a number"]),
        ("1 nan", ["finite"]),
        (f"box:size={LARGEST_KERNEL + 1}", ["size is", "a whole number from 1"]),
    ],
)
def test_mistakes_get_one_line_that_says_what_helps(spec, parts):
    message = message_of(spec)
    for part in parts:
        assert part in message


def test_a_kernel_file_that_is_not_there_is_missing_data():
    with pytest.raises(InputError, match=r"'missing.txt' does not exist"):
        parse_signal_kernel("missing.txt")


def test_a_sound_file_is_no_kernel_file(tmp_path):
    path = tmp_path / "hall.wav"
    path.write_bytes(b"RIFF")
    assert "--with" in message_of(str(path))
