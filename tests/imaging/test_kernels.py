"""Every catalogue kernel against its published matrix, a peer library or a theorem."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from cnntool.errors import RequestError
from cnntool.imaging.kernels import CATALOGUE, Filter, build

PUBLISHED = {
    "sobel-x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "sobel-y": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "prewitt-x": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "prewitt-y": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "scharr-x": [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]],
    "scharr-y": [[-3, -10, -3], [0, 0, 0], [3, 10, 3]],
    "roberts-x": [[1, 0], [0, -1]],
    "roberts-y": [[0, 1], [-1, 0]],
    "laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "horizontal-line": [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]],
    "vertical-line": [[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]],
    "diagonal-line": [[-1, -1, 2], [-1, 2, -1], [2, -1, -1]],
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "box": np.full((3, 3), 1 / 9),
    "binomial": np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16,
    "motion": np.full((1, 9), 1 / 9),
}

KIRSCH = [
    [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]],
    [[5, 5, -3], [5, 0, -3], [-3, -3, -3]],
    [[5, -3, -3], [5, 0, -3], [5, -3, -3]],
    [[-3, -3, -3], [5, 0, -3], [5, 5, -3]],
    [[-3, -3, -3], [-3, 0, -3], [5, 5, 5]],
    [[-3, -3, -3], [-3, 0, 5], [-3, 5, 5]],
    [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]],
    [[-3, 5, 5], [-3, 0, 5], [-3, -3, -3]],
]

ROBINSON = [
    [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
    [[2, 1, 0], [1, 0, -1], [0, -1, -2]],
    [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    [[0, -1, -2], [1, 0, -1], [2, 1, 0]],
    [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]],
    [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]],
]


def kernel(name: str, **parameters: float) -> np.ndarray:
    bank = build(name, **parameters).bank
    assert len(bank) == 1
    return bank[0]


def weights_of(correlation, size: int) -> np.ndarray:
    """The kernel that a correlating function applies, read from its response to an impulse."""
    impulse = np.zeros((size, size))
    impulse[size // 2, size // 2] = 1
    return correlation(impulse)[::-1, ::-1]


def screen_ramp(angle: float, size: int) -> np.ndarray:
    """Brightness that grows along `angle`, counterclockwise as seen, by 1 a pixel."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return x * math.cos(math.radians(angle)) - y * math.sin(math.radians(angle))


def variance(weights: np.ndarray) -> float:
    """Of a square kernel's columns about its middle, in square pixels."""
    x = np.arange(len(weights)) - (len(weights) - 1) / 2
    return float((weights * x**2).sum() / weights.sum())


@pytest.mark.parametrize("name", PUBLISHED)
def test_kernel_has_its_published_weights(name):
    assert_allclose(kernel(name), PUBLISHED[name], rtol=0, atol=1e-15)


def test_every_kernel_of_the_catalogue_is_compared_with_something_here():
    banks = {"sobel", "prewitt", "scharr", "roberts", "kirsch", "robinson", "all-lines"}
    formulas = {"gaussian", "log", "dog", "unsharp", "gabor"}
    assert set(PUBLISHED) | banks | formulas == set(CATALOGUE)


@pytest.mark.parametrize("name", ["sobel", "prewitt", "scharr", "roberts"])
def test_gradient_is_the_magnitude_of_its_published_pair(name):
    pair = build(name)
    assert_array_equal(pair.bank, [PUBLISHED[f"{name}-x"], PUBLISHED[f"{name}-y"]])
    assert (pair.combine, pair.names) == ("magnitude", (f"{name}-x", f"{name}-y"))


@pytest.mark.parametrize(("name", "published"), [("kirsch", KIRSCH), ("robinson", ROBINSON)])
def test_compass_is_the_maximum_of_its_eight_published_kernels(name, published):
    compass = build(name)
    assert_array_equal(compass.bank, published)
    assert compass.combine == "maximum"
    points = ["n", "nw", "w", "sw", "s", "se", "e", "ne"]
    assert compass.names == tuple(f"{name}-{point}" for point in points)


def test_compass_kernels_two_steps_apart_are_quarter_turns():
    for name in ("kirsch", "robinson"):
        bank = build(name).bank
        for i in range(8):
            assert_array_equal(np.rot90(bank[i]), bank[(i + 2) % 8])


def test_all_lines_holds_the_four_lines_and_their_maximum():
    lines = build("all-lines")
    assert_array_equal(lines.bank[0], PUBLISHED["horizontal-line"])
    assert_array_equal(lines.bank[1], PUBLISHED["diagonal-line"])
    assert_array_equal(lines.bank[2], PUBLISHED["vertical-line"])
    assert_array_equal(lines.bank[3], [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]])
    assert lines.combine == "maximum"
    expected = ("horizontal-line", "diagonal-line-45", "vertical-line", "diagonal-line-135")
    assert lines.names == expected


def test_diagonal_line_at_135_is_the_backslash():
    assert_array_equal(kernel("diagonal-line", angle=135), [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]])


def test_laplacian_of_eight_neighbours():
    assert_array_equal(kernel("laplacian", neighbours=8), [[1, 1, 1], [1, -8, 1], [1, 1, 1]])


@pytest.mark.parametrize("operator", [ndimage.sobel, ndimage.prewitt])
def test_gradients_are_the_ones_of_scipy(operator):
    name = operator.__name__
    assert_array_equal(weights_of(lambda x: operator(x, axis=1), 3), kernel(f"{name}-x"))
    assert_array_equal(weights_of(lambda x: operator(x, axis=0), 3), kernel(f"{name}-y"))


@pytest.mark.parametrize(
    "name", [n for n, entry in CATALOGUE.items() if entry.directions is not None]
)
def test_a_ramp_in_its_direction_gives_each_kernel_its_largest_response(name):
    filter = build(name)
    assert len(filter.directions) == len(filter.bank)
    angles = np.arange(-180, 180, 15.0)
    for weights, direction in zip(filter.bank, filter.directions, strict=True):
        responses = [(weights * screen_ramp(a, len(weights))).sum() for a in angles]
        assert angles[np.argmax(responses)] == (direction if direction < 180 else -180)
        assert max(responses) > 0


@pytest.mark.parametrize(
    "name",
    [n for n, e in CATALOGUE.items() if e.group in ("edge", "line")],
)
def test_edge_and_line_kernels_sum_to_zero(name):
    assert_allclose(build(name).bank.sum(axis=(1, 2)), 0, atol=1e-14)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.77, 1, 2.5, 10])
def test_laplacian_of_gaussian_and_difference_of_gaussians_sum_to_zero_at_any_sigma(sigma):
    for name in ("log", "dog"):
        weights = kernel(name, sigma=sigma)
        assert abs(weights.sum()) < 1e-13 * np.abs(weights).sum()
        assert np.abs(weights).max() > 0.01 * min(1, sigma**-4)  # no kernel of zeros
        assert np.linalg.matrix_rank(weights, tol=1e-6 * np.abs(weights).max()) == 2


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        *[("box", {"size": s}) for s in (1, 2, 3, 8, 15)],
        *[("binomial", {"size": s}) for s in (1, 2, 5, 40, 1500)],
        *[("gaussian", {"sigma": s}) for s in (0.01, 0.4, 1, 3.7, 30)],
        *[("gaussian", {"sigma": 0.01, "size": s}) for s in (1, 2, 5)],
        *[("gaussian", {"size": s}) for s in (1, 2, 3, 4, 31)],
        *[("motion", {"length": n, "angle": a}) for n in (1, 2, 7, 10) for a in (0, 33, 90, -120)],
    ],
)
def test_blurs_are_positive_sum_to_one_and_are_symmetric(name, parameters):
    weights = kernel(name, **parameters)
    assert weights.min() >= 0
    assert_allclose(weights.sum(), 1, rtol=1e-13)
    assert_allclose(weights, weights[::-1, ::-1], atol=1e-15)


@pytest.mark.parametrize("name", ["box", "gaussian", "binomial"])
def test_a_larger_size_blurs_more(name):
    variances = [variance(kernel(name, size=size)) for size in (1, 2, 3, 4, 5, 9, 16, 31)]
    assert (np.diff(variances) > 0.1).all()
    assert variances[0] == 0


@pytest.mark.parametrize("sigma", [0.4, 1, 1.3, 2, 5.1])
def test_gaussian_is_the_one_of_scipy(sigma):
    weights = kernel("gaussian", sigma=sigma)
    size = len(weights)
    expected = weights_of(lambda x: ndimage.gaussian_filter(x, sigma, mode="constant"), size + 6)
    assert_allclose(weights, expected[3:-3, 3:-3], rtol=1e-12)
    assert expected.sum() == pytest.approx(1)  # nothing of it lies outside our size


def test_gaussian_sigma_from_size_is_the_one_of_opencv():
    cv2 = pytest.importorskip("cv2")
    for size in (11, 15, 31):  # OpenCV has a table of its own up to 9
        row = cv2.getGaussianKernel(size, 0, cv2.CV_64F)
        assert_allclose(kernel("gaussian", size=size), row @ row.T, rtol=1e-9)
    row = cv2.getGaussianKernel(5, 1.1, cv2.CV_64F)
    assert_allclose(kernel("gaussian", size=5), row @ row.T, rtol=1e-9)


def test_even_gaussian_is_centred_between_its_middle_weights():
    one, two = math.exp(-(0.5**2) / 2), math.exp(-(1.5**2) / 2)
    row = np.array([two, one, one, two]) / (2 * (one + two))
    assert_allclose(kernel("gaussian", sigma=1, size=4), np.outer(row, row), rtol=1e-13)


def test_gaussian_without_parameters_has_sigma_one():
    assert_array_equal(kernel("gaussian"), kernel("gaussian", sigma=1))
    assert kernel("gaussian").shape == (9, 9)


@pytest.mark.parametrize("sigma", [1.5, 2, 4])
def test_laplacian_of_gaussian_is_the_one_of_scipy_but_for_the_correction_of_its_sum(sigma):
    weights = kernel("log", sigma=sigma)
    expected = weights_of(
        lambda x: ndimage.gaussian_laplace(x, sigma, mode="constant"), len(weights)
    )
    assert_allclose(weights, expected, atol=2e-3 * np.abs(expected).max())
    assert weights[len(weights) // 2, len(weights) // 2] < 0


def test_laplacian_of_gaussian_takes_a_size():
    assert kernel("log", sigma=1.4, size=9).shape == (9, 9)
    centre = kernel("log", sigma=1.4, size=9)[2:-2, 2:-2]
    assert_allclose(centre, kernel("log", sigma=1.4)[4:-4, 4:-4], atol=1e-2)


def test_difference_of_gaussians_is_the_one_of_scikit_image():
    filters = pytest.importorskip("skimage.filters")
    weights = kernel("dog", sigma=2, ratio=1.6)
    expected = weights_of(
        lambda x: filters.difference_of_gaussians(x, 2, 3.2, mode="constant"), len(weights)
    )
    assert_allclose(weights, expected, atol=1e-3 * np.abs(expected).max())
    assert weights[len(weights) // 2, len(weights) // 2] > 0


def test_difference_of_gaussians_is_close_to_minus_the_laplacian_of_gaussian():
    dog = kernel("dog", sigma=3, ratio=1.1).ravel()
    log = kernel("log", sigma=3.15, size=27).ravel()
    assert np.corrcoef(dog, -log)[0, 1] > 0.999


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 135, -60])
@pytest.mark.parametrize(("wavelength", "sigma", "phase"), [(8, 4.48, 0), (5, 2, 90), (6.5, 3, 30)])
def test_gabor_is_the_one_of_scikit_image(angle, wavelength, sigma, phase):
    filters = pytest.importorskip("skimage.filters")
    ours = kernel("gabor", wavelength=wavelength, sigma=sigma, angle=angle, phase=phase)
    # scikit-image turns clockwise as seen, and cuts tighter where the angle is slanted.
    theirs = filters.gabor_kernel(
        1 / wavelength, -math.radians(angle), sigma_x=sigma, sigma_y=sigma,
        offset=math.radians(phase),
    ).real  # fmt: skip
    rows, columns = ((len(ours) - n) // 2 for n in theirs.shape)
    assert min(rows, columns) >= 0
    inside = ours[rows : rows + theirs.shape[0], columns : columns + theirs.shape[1]]
    assert_allclose(inside, theirs, atol=1e-12)
    assert ours.shape == (2 * math.ceil(3 * sigma) + 1,) * 2


def test_gabor_sigma_is_one_octave_by_default():
    expected = kernel("gabor", wavelength=10, sigma=5.6)
    assert_allclose(kernel("gabor", wavelength=10), expected, atol=1e-15)


@pytest.mark.parametrize("angle", [0, 45, 90, 150])
def test_gabor_answers_most_to_a_wave_that_travels_along_its_angle(angle):
    weights = kernel("gabor", wavelength=8, angle=angle)
    angles = np.arange(0, 180, 15)
    waves = [np.cos(2 * math.pi / 8 * screen_ramp(a, len(weights))) for a in angles]
    assert angles[np.argmax([(weights * wave).sum() for wave in waves])] == angle


def test_motion_turned_by_90_degrees_is_its_transpose():
    for length in (1, 4, 9):
        across = kernel("motion", length=length, angle=0)
        assert_array_equal(kernel("motion", length=length, angle=90), across.T)
        assert_array_equal(kernel("motion", length=length, angle=180), across)


def test_motion_at_45_degrees_runs_along_the_slash():
    weights = kernel("motion", length=9, angle=45)
    assert_allclose(weights, weights.T[::-1, ::-1], atol=1e-15)
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]]
    half = (len(weights) - 1) / 2
    assert (weights * (x - half) * (half - y)).sum() > 1  # right goes with up
    assert weights[0, 0] == 0


def test_motion_has_the_spread_of_its_samples_in_every_direction():
    # Samples one apart along a line have variance (n² - 1) / 12; tents add at most 1/4 an axis.
    for angle in (0, 20, 45, 77):
        weights = kernel("motion", length=21, angle=angle)
        along = screen_ramp(angle, max(weights.shape))
        rows, columns = ((len(along) - n) // 2 for n in weights.shape)
        along = along[rows : rows + weights.shape[0], columns : columns + weights.shape[1]]
        assert (weights * along**2).sum() == pytest.approx((21**2 - 1) / 12, abs=0.5)


def test_even_motion_shares_its_ends():
    assert_allclose(kernel("motion", length=4), [[0.125, 0.25, 0.25, 0.25, 0.125]])


def test_motion_has_no_border_of_zeros():
    for angle in (0, 10, 45, 60, 90, 123):
        weights = kernel("motion", length=8, angle=angle)
        assert weights[0].any()
        assert weights[:, 0].any()


def test_sharpen_and_unsharp_leave_a_constant_alone_and_grow_with_the_amount():
    for name in ("sharpen", "unsharp"):
        assert kernel(name, amount=2.5).sum() == pytest.approx(1)
        weak, strong = kernel(name, amount=0.5), kernel(name, amount=3)
        assert strong[len(strong) // 2, len(strong) // 2] > weak[len(weak) // 2, len(weak) // 2] > 1
        zero = kernel(name, amount=0)
        assert zero[len(zero) // 2, len(zero) // 2] == 1
        assert np.count_nonzero(zero) == 1


def test_sharpen_takes_the_laplacian_times_the_amount_away():
    assert_allclose(kernel("sharpen", amount=0.5), [[0, -0.5, 0], [-0.5, 3, -0.5], [0, -0.5, 0]])


def test_unsharp_adds_what_the_blur_takes_away():
    image = np.random.default_rng(0).random((40, 40))
    expected = image + 1.5 * (image - ndimage.gaussian_filter(image, 2))
    ours = ndimage.correlate(image, kernel("unsharp", sigma=2, amount=1.5))
    assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("angle", [0, 45, 90, 135, 180, -45, 20])
def test_emboss_lights_the_slope_that_faces_the_light(angle):
    weights = kernel("emboss", angle=angle)
    assert weights.sum() == pytest.approx(1)
    angles = np.arange(-180, 180, 5)
    responses = [(weights * screen_ramp(a, 3)).sum() for a in angles]
    away = (angle + 360) % 360 - 180  # brightness rises away from the light: it faces the light
    assert angles[np.argmax(responses)] == away


def test_emboss_from_the_lower_right_is_the_upper_left_mirrored():
    assert_array_equal(kernel("emboss", angle=-45), [[2, 1, 0], [1, 1, -1], [0, -1, -2]])


def test_bank_is_float64_and_cannot_be_written_to():
    for name in CATALOGUE:
        filter = build(name)
        assert filter.bank.dtype == np.float64
        assert filter.bank.ndim == 3
        assert len(filter.names) == len(filter.bank)
        assert not np.signbit(filter.bank[filter.bank == 0]).any()
        with pytest.raises(ValueError, match="read-only"):
            filter.bank[0, 0, 0] = 1


def test_filter_keeps_a_copy_of_the_weights():
    weights = np.ones((1, 2, 2))
    filter = Filter("ones", "1 1; 1 1", weights, "none", ("ones",))
    weights[:] = 0
    assert filter.bank.sum() == 4


def test_building_twice_gives_equal_weights():
    for name in CATALOGUE:
        assert_array_equal(build(name).bank, build(name).bank)


@pytest.mark.parametrize(
    ("name", "parameters", "label", "spec"),
    [
        ("sobel", {}, "sobel", "sobel"),
        ("gaussian", {"sigma": 2}, "gaussian-sigma2", "gaussian:sigma=2"),
        ("gaussian", {"size": 5.0}, "gaussian-size5", "gaussian:size=5"),
        ("gaussian", {"size": 5, "sigma": 1.5}, "gaussian-sigma1.5-size5",
         "gaussian:sigma=1.5,size=5"),
        ("gaussian", {"sigma": 1 / 3}, "gaussian-sigma0.333333",
         "gaussian:sigma=0.3333333333333333"),
        ("gaussian", {"sigma": None}, "gaussian", "gaussian"),
        ("diagonal-line", {"angle": 135}, "diagonal-line-angle135", "diagonal-line:angle=135"),
        ("diagonal-line", {"angle": 45}, "diagonal-line", "diagonal-line"),
        ("box", {"size": np.int64(7)}, "box-size7", "box:size=7"),
        ("laplacian", {"neighbours": 8}, "laplacian-neighbours8", "laplacian:neighbours=8"),
    ],
)  # fmt: skip
def test_label_and_spec_name_the_parameters_that_are_not_the_default(name, parameters, label, spec):
    filter = build(name, **parameters)
    assert (filter.label, filter.spec) == (label, spec)
    if len(filter.bank) == 1:
        assert filter.names == (label,)


def test_every_entry_says_what_it_is():
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert entry.group in ("edge", "blur", "line", "other")
        for text in (entry.summary, entry.formula, entry.source):
            assert text
            assert "\n" not in text
        for parameter in entry.parameters:
            assert parameter.help
            assert parameter.expected


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("sobl", {}, "unknown kernel 'sobl': did you mean 'sobel'? "
         "'cnntool kernels' lists them all"),
        ("Gaussian", {}, "unknown kernel 'Gaussian': did you mean 'gaussian'? "
         "'cnntool kernels' lists them all"),
        ("xyzzy", {}, "unknown kernel 'xyzzy': give a name that 'cnntool kernels' lists, a matrix "
         "such as '1 0 -1; 2 0 -2; 1 0 -1', or a file (.txt, .csv, .json, .npy)"),
        ("sobel", {"size": 3},
         "sobel takes no parameters, and 'size' was given: write just 'sobel'"),
        ("gaussian", {"sgma": 2},
         "gaussian has no parameter 'sgma': did you mean 'sigma'? it takes sigma and size"),
        ("gabor", {"x": 2},
         "gabor has no parameter 'x': it takes wavelength, angle, sigma and phase"),
        ("box", {"q": 2}, "box has no parameter 'q': it takes size"),
        ("box", {"size": 0},
         "box: size is 0, but must be a whole number from 1 to 2047: for example box:size=3"),
        ("box", {"size": 2048},
         "box: size is 2048, but must be a whole number from 1 to 2047: for example box:size=3"),
        ("box", {"size": 2.5},
         "box: size is 2.5, but must be a whole number from 1 to 2047: for example box:size=3"),
        ("gaussian", {"sigma": -1},
         "gaussian: sigma is -1, but must be a number from 0.01 to 250: for example "
         "gaussian:sigma=1"),
        ("laplacian", {"neighbours": 6},
         "laplacian: neighbours is 6, but must be 4 or 8: for example laplacian:neighbours=4"),
        ("diagonal-line", {"angle": 90},
         "diagonal-line: angle is 90, but must be 45 or 135: for example diagonal-line:angle=45"),
        ("dog", {"ratio": 1}, "dog: ratio is 1, but must be a number above 1 and at most 10: "
         "for example dog:ratio=1.6"),
        ("dog", {"sigma": 200, "ratio": 2}, "a Gaussian of sigma 400 needs 3201 weights on a side, "
         "and at most 2047 are allowed: use a smaller sigma or ratio (at most 255 multiplied)"),
    ],
)  # fmt: skip
def test_error_names_the_value_and_the_remedy(name, parameters, message):
    with pytest.raises(RequestError) as raised:
        build(name, **parameters)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 10**400, "3", True, np.float64("nan"), [3], 1j]
)
def test_what_is_no_finite_number_is_refused_by_every_parameter(value):
    for name, entry in CATALOGUE.items():
        for parameter in entry.parameters:
            with pytest.raises(RequestError, match=f"^{name}: {parameter.name} is .*[^\n]*$"):
                build(name, **{parameter.name: value})


def test_limits_themselves_are_allowed():
    assert kernel("motion", length=2047).shape == (1, 2047)
    assert kernel("gaussian", sigma=0.01).shape == (1, 1)
    assert kernel("log", sigma=0.3).shape == (3, 3)
