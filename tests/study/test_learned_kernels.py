"""Banks of learned kernels, and filters over images that are made of them."""

import numpy as np
import pytest
from scipy.signal import correlate2d
from trained_models import darkness_model, run_of_digits

from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.errors import InputError, RequestError
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_plan import Geometry
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.networks.model_file import Header, Model, load_model, save_model
from cnntool.networks.zoo import build
from cnntool.study.learned_kernels import learned_filter, load_banks


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of_digits(tmp_path_factory.mktemp("models") / "m.npz")


def test_a_model_gives_its_convolutions_in_order_and_itself(run):
    banks, model = load_banks(run), load_model(run)
    assert list(banks.layers) == ["conv1", "conv2"]
    for name, bank in banks.layers.items():
        np.testing.assert_array_equal(bank, model.params[f"{name}.weight"])
    assert banks.model.header == model.header
    assert banks.layer_name() == "conv1"
    np.testing.assert_array_equal(banks.bank("conv2"), banks.layers["conv2"])


def test_a_run_gives_its_first_layer_from_the_random_start_on(run):
    banks = load_banks(run)
    assert list(banks.epochs) == [0, 1, 2, 3]
    np.testing.assert_array_equal(banks.epochs[3], banks.bank())
    assert (banks.epochs[0] != banks.epochs[1]).any()


def test_wrong_layers_list_those_there_are(run):
    banks = load_banks(run)
    with pytest.raises(RequestError, match=r"'conv3', only in conv1, conv2: did you mean 'conv2'"):
        banks.bank("conv3")
    with pytest.raises(RequestError, match=r"'dense1', only in conv1, conv2: name one of those"):
        banks.bank("dense1")


def test_of_very_many_layers_some_are_listed(tmp_path):
    np.savez(tmp_path / "w.npz", **{f"layer{n}": np.ones((1, 1, 3, 3)) for n in range(14)})
    with pytest.raises(RequestError, match=r"layer10, layer11, \.\.\.: name one of those"):
        load_banks(tmp_path / "w.npz").bank("nothing")


def test_a_model_without_convolutions_says_so(tmp_path):
    banks = load_banks(darkness_model(tmp_path / "m.npz"))
    assert banks.model is not None
    with pytest.raises(InputError, match=r"m\.npz has no convolution layer, so no filters"):
        banks.bank()


def test_weights_that_are_no_numbers_are_told_of_where_they_are_asked_for(tmp_path):
    good, bad = np.ones((4, 1, 3, 3)), np.ones((4, 1, 3, 3))
    bad[2, 0, 1] = [np.nan, np.inf, 1e300]  # beyond float32
    np.savez(tmp_path / "w.npz", good=good, bad=bad)
    banks = load_banks(tmp_path / "w.npz")
    assert (banks.bank("good") == 1).all()
    with pytest.raises(
        InputError, match="of 36 weights bad holds 3 weights that are NaN or infinite, the"
    ):
        banks.bank("bad")


COLOUR = np.random.default_rng(1).normal(size=(4, 3, 5, 3)).astype(np.float32)
PICTURE = np.random.default_rng(2).random((12, 14, 3)).astype(np.float32)


@pytest.fixture
def colour(tmp_path):
    np.savez(tmp_path / "w.npz", conv1=COLOUR, deep=np.ones((2, 8, 3, 3)))
    return str(tmp_path / "w.npz")


def responses(kernel, pixels, **settings) -> np.ndarray:
    """(F, oh, ow, C) of a float picture, whole windows only."""
    image = Image((Frame(np.ascontiguousarray(pixels, np.float32)),), 1.0, "NPY")
    results = filter_image(image, [kernel], Geometry(padding="valid", **settings), Rendering("raw"))
    return np.stack([result.image.frames[0].pixels for result in results])


def by_scipy(weight, pixels) -> np.ndarray:
    """(F, oh, ow) of weight (F, C, kh, kw) over pixels (H, W, C), whole windows only."""
    return np.stack(
        [
            sum(
                correlate2d(pixels[..., c], kernel[c], mode="valid") for c in range(pixels.shape[2])
            )
            for kernel in weight
        ]
    )


def test_a_bank_over_colour_answers_as_the_layer_does(colour):
    found = responses(learned_filter(colour, "conv1"), PICTURE)
    np.testing.assert_allclose(found[..., 0], by_scipy(COLOUR, PICTURE), rtol=1e-4, atol=1e-5)
    assert found.shape[-1] == 1


def test_one_filter_is_one_of_the_bank(colour):
    kernel = learned_filter(colour, "conv1/2")
    assert (kernel.label, kernel.names, kernel.count) == ("conv1-2", ("conv1-2",), 1)
    expected = by_scipy(COLOUR[2:3], PICTURE)
    np.testing.assert_allclose(responses(kernel, PICTURE)[..., 0], expected, rtol=1e-4, atol=1e-5)


def test_grey_counts_as_red_green_and_blue(colour):
    kernel, grey = learned_filter(colour, "/1"), PICTURE[..., :1]
    expected = by_scipy(COLOUR[1:2], grey.repeat(3, axis=2))
    np.testing.assert_allclose(responses(kernel, grey)[..., 0], expected, rtol=1e-4, atol=1e-5)


def test_one_channel_goes_through_every_colour(colour):
    kernel = learned_filter(colour, "conv1/2/1")
    assert kernel.label == "conv1-2-1"
    assert not kernel.is_colour
    found = responses(kernel, PICTURE)
    for c in range(3):
        expected = by_scipy(COLOUR[2:3, 1:2], PICTURE[..., c : c + 1])
        np.testing.assert_allclose(found[..., c], expected, rtol=1e-4, atol=1e-5)


def test_a_chain_goes_on_from_the_sum(colour):
    image = Image((Frame(PICTURE),), 1.0, "NPY")
    chain = [learned_filter(colour, "conv1/0"), learned_filter(colour, "conv1/1/0")]
    result = filter_image(image, chain, Geometry(padding="valid"), Rendering("raw"))
    first = by_scipy(COLOUR[:1], PICTURE).transpose(1, 2, 0)
    expected = by_scipy(COLOUR[1:2, :1], first)
    found = result[0].image.frames[0].pixels[..., 0]
    np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=1e-4)


def test_colour_filters_refuse_other_channels(colour):
    with pytest.raises(InputError, match="conv1-0 is a filter for colour, and the picture has 4"):
        responses(learned_filter(colour, "conv1/0"), np.ones((9, 9, 4)))


def test_transparent_pixels_do_not_count(colour):
    """Where a kernel sees transparent pixels only at one side, they stand for the centre's colour,
    so that a picture of one colour answers as a constant does whatever is hidden."""
    pixels = np.full((9, 9, 3), 100, np.uint8)
    pixels[:, 6:] = 255
    alpha = np.full((9, 9), 255, np.uint8)
    alpha[:, 6:] = 0
    kernel = learned_filter(colour, "conv1/0")
    image = Image((Frame(pixels, alpha),), 255.0, "PNG")
    rendering = Rendering("raw", dtype=np.dtype(np.float32))
    (found,) = filter_image(image, [kernel], Geometry(padding="valid"), rendering)
    expected = 100 * COLOUR[0].sum()
    np.testing.assert_allclose(found.image.frames[0].pixels[:, :5], expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("conv1/4", "conv1 has 4 filters, and '4' is none of them: expected a number from 0 to 3"),
        ("conv1/-1", "conv1 has 4 filters, and '-1' is none of them"),
        ("conv1/seven", "conv1 has 4 filters, and 'seven' is none of them"),
        ("conv1/1/3", "conv1/1 has 3 channels, and '3' is none of them"),
        ("conv1/1/2/3", "'conv1/1/2/3' is no place in "),
        ("conv9/0", "has no filters in a layer 'conv9', only in conv1, deep: did you mean 'conv1'"),
        ("deep", "deep sees 8 maps of the layer before, not an image: name one channel"),
        ("deep/1", "as in deep/1/0"),
    ],
)
def test_a_place_that_is_not_there_is_one_line(colour, place, expected):
    with pytest.raises(RequestError) as raised:
        learned_filter(colour, place)
    assert expected in str(raised.value)


def test_three_maps_of_a_deeper_layer_are_no_colours(tmp_path):
    layers = "conv 3 3x3; relu; conv 2 3x3; flatten; dense 2"
    network = build(layers, (3, 6, 6), 2).initialise(np.random.default_rng(0))
    pixels = {"channels": 3, "size": [6, 6], "mean": [0, 0, 0], "std": [1, 1, 1]}
    header = Header(network.spec, (3, 6, 6), pixels, ("a", "b"), 0)
    path = tmp_path / "m.npz"
    save_model(path, Model(header, network.params))
    assert learned_filter(str(path), "conv1/0").is_colour
    with pytest.raises(RequestError, match="conv2/0 sees 3 maps of the layer before, not an image"):
        learned_filter(str(path), "conv2/0")
    assert not learned_filter(str(path), "conv2/0/2").is_colour


def test_a_layer_whose_name_has_slashes_is_found(tmp_path):
    np.savez(tmp_path / "w.npz", **{"block/3": COLOUR[:, :1]})
    path = str(tmp_path / "w.npz")
    assert learned_filter(path, "block/3").count == 4
    assert learned_filter(path, "block/3/1").names == ("block-3-1",)
    assert learned_filter(path, None).count == 4


def test_a_filter_of_a_model_answers_as_its_layer_does(run):
    """The same kernel over the pixels that the network sees, but for the bias."""
    model = load_model(run)
    preprocessing = Preprocessing.from_json(model.header.preprocessing)
    x = preprocessing.normalized(np.random.default_rng(0).integers(0, 255, (1, 1, 8, 8)), 255.0)
    found = responses(learned_filter(str(run), "conv1/1"), x[0].transpose(1, 2, 0))
    expected = by_scipy(model.params["conv1.weight"][1:2], x[0].transpose(1, 2, 0))
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-4, atol=1e-5)


def test_a_header_that_is_damaged_is_told_as_of_a_model(tmp_path):
    network = build("conv 2 3x3; dense 2", (1, 4, 4), 2).initialise(np.random.default_rng(0))
    header = Header(network.spec, (1, 4, 4), {}, ("a", "b"), 0)
    save_model(tmp_path / "m.npz", Model(header, network.params))
    with pytest.raises(InputError, match="its preprocessing needs 'channels'"):
        load_banks(tmp_path / "m.npz")
