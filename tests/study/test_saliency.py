"""What an answer rests on: against differences, PyTorch, and networks whose answer is known."""

from functools import partial

import numpy as np
import pytest

from cnntool.errors import InputError, RequestError
from cnntool.networks.network import Network
from cnntool.networks.spec import parse_layers
from cnntool.study.saliency import (
    activated,
    coarse_grad_cam,
    grad_cam,
    input_gradient,
    occlusion,
    occlusion_places,
    smooth_gradient,
    strength_of,
    token_saliency,
)

MIXED = "conv 4 3x3 pad 1; batch-norm; relu; max 2; dropout 0.5; conv 3 2x2; tanh; dense 3"


def network_of(text, shape=(2, 7, 6), dtype=np.float64, seed=0):
    network = Network(parse_layers(text), shape).initialise(np.random.default_rng(seed))
    network.params = {path: array.astype(dtype) for path, array in network.params.items()}
    network.buffers = {path: array.astype(dtype) for path, array in network.buffers.items()}
    return network


def one_pixel(shape=(1, 6, 5), at=(0, 2, 3), weight=4.0):
    """A network of two classes; the second has the score ``weight * x[at]``, the first 0."""
    network = network_of("flatten; dense 2", shape)
    weights = np.zeros((*shape, 2))
    weights[(*at, 1)] = weight
    network.params["dense1.weight"] = weights.reshape(-1, 2)
    network.params["dense1.bias"] = np.zeros(2)
    return network


@pytest.mark.parametrize("count", [1, 3, 17])
@pytest.mark.parametrize("text", [MIXED, "conv 3 3x3 stride 2; relu; global-average; dense 3"])
def test_the_input_gradient_is_that_of_differences(text, count):
    network, rng = network_of(text), np.random.default_rng(1)
    x = rng.standard_normal((count, 2, 7, 6))
    found, step = input_gradient(network, x, 2), 1e-5
    assert found.shape == x.shape
    for _ in range(20):
        at = tuple(rng.integers(0, size) for size in x.shape)
        shift = np.zeros_like(x)
        shift[at] = step
        higher, lower = (network.predict(x + sign * shift)[at[0], 2] for sign in (1, -1))
        assert found[at] == pytest.approx((higher - lower) / (2 * step), rel=1e-5, abs=1e-8)


def test_the_gradient_and_grad_cam_are_pytorchs():
    torch = pytest.importorskip("torch")
    network = network_of("conv 4 3x3 pad 1; relu; max 2; conv 5 2x2; relu; dense 3")
    x = np.random.default_rng(3).standard_normal((1, 2, 7, 6))
    theirs = {
        path: torch.tensor(array, dtype=torch.float64) for path, array in network.params.items()
    }
    image = torch.tensor(x, requires_grad=True)
    conv = torch.nn.functional.conv2d
    hidden = conv(image, theirs["conv1.weight"], theirs["conv1.bias"], padding=1).relu()
    pooled = torch.nn.functional.max_pool2d(hidden, 2)
    maps = conv(pooled, theirs["conv2.weight"], theirs["conv2.bias"]).relu()
    scores = maps.flatten(1) @ theirs["dense1.weight"] + theirs["dense1.bias"]
    for target in range(3):
        by_image, by_hidden, by_maps = torch.autograd.grad(
            scores[0, target], (image, hidden, maps), retain_graph=True
        )
        np.testing.assert_allclose(input_gradient(network, x, target), by_image, atol=1e-12)
        for layer, values, slopes in (("conv1", hidden, by_hidden), ("conv2", maps, by_maps)):
            weights = slopes.mean(dim=(2, 3), keepdim=True)
            expected = (weights * values).sum(dim=1).relu()
            found = coarse_grad_cam(network, x, target, layer)
            np.testing.assert_allclose(found, expected[0].detach(), atol=1e-12)
            large = torch.nn.functional.interpolate(expected[None], (7, 6), mode="bilinear")
            np.testing.assert_allclose(
                grad_cam(network, x, target, layer), large[0, 0].detach(), atol=1e-12
            )


def test_smoothing_averages_the_gradients_of_noisy_copies_and_is_seeded():
    network = network_of(MIXED)
    x = np.random.default_rng(4).standard_normal((1, 2, 7, 6))
    np.testing.assert_array_equal(
        smooth_gradient(network, x, 1, noise=0), input_gradient(network, x, 1)[0]
    )
    found = smooth_gradient(network, x, 1, samples=5, noise=0.2, seed=7)
    drawn = np.random.default_rng(7).standard_normal((5, 2, 7, 6)) * 0.2 * np.ptp(x)
    each = [input_gradient(network, x + noise, 1)[0] for noise in drawn]
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-12)
    assert (found != smooth_gradient(network, x, 1, samples=5, noise=0.2, seed=8)).any()
    assert strength_of(np.array([[[1.0, -2.0]], [[-3.0, 0.5]]])).tolist() == [[3.0, 2.0]]


def test_many_noisy_copies_go_through_in_batches(monkeypatch):
    network, x = network_of(MIXED), np.ones((1, 2, 7, 6))
    x[0, 0, 0, 0] = 2
    whole = smooth_gradient(network, x, 1, samples=7)
    monkeypatch.setattr("cnntool.study.saliency.batch_size_for", lambda *_: 3)
    calls = []
    parts = smooth_gradient(network, x, 1, samples=7, advance=lambda: calls.append(1))
    np.testing.assert_allclose(parts, whole, atol=1e-12)
    assert len(calls) == 3


def test_occlusion_finds_the_one_pixel_that_counts():
    network, x = one_pixel(), np.full((1, 1, 6, 5), 0.5)
    found = occlusion(network, x, 1, patch=1, stride=1)
    expected = np.zeros((6, 5))
    expected[2, 3] = 1 / (1 + np.exp(-4 * 0.5)) - 0.5
    np.testing.assert_allclose(found, expected, atol=1e-12)
    against = occlusion(network, x, 0, patch=1, stride=1)
    np.testing.assert_allclose(against, -expected, atol=1e-12)
    assert not occlusion(network, x, 1, patch=1, stride=1, fill=0.5).any()


def test_a_pixel_has_the_mean_of_the_squares_that_cover_it():
    network, x = one_pixel(), np.full((1, 1, 6, 5), 0.5)
    fall = 1 / (1 + np.exp(-4 * 0.5)) - 0.5
    found = occlusion(network, x, 1, patch=3, stride=2)
    total, count = np.zeros((6, 5)), np.zeros((6, 5))
    for top in (0, 2, 3):
        for left in (0, 2):
            square = np.zeros((6, 5))
            square[top : top + 3, left : left + 3] = 1
            count += square
            total += square * fall * square[2, 3]
    np.testing.assert_allclose(found, total / count, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "patch", "stride"), [((7, 6), 3, 2), ((8, 8), 8, 1), ((5, 9), 2, 2)]
)
def test_squares_reach_every_pixel(size, patch, stride):
    covered = np.zeros(size, int)
    for top, left in occlusion_places(size, patch, stride):
        assert top + patch <= size[0]
        assert left + patch <= size[1]
        covered[top : top + patch, left : left + patch] += 1
    assert covered.min() >= 1


@pytest.mark.parametrize(
    ("patch", "stride", "words"), [(7, 1, "larger than the image of 6 x 9"), (2, 3, "pixels out")]
)
def test_squares_that_cannot_be_are_refused(patch, stride, words):
    with pytest.raises(RequestError, match=words):
        occlusion_places((6, 9), patch, stride)


def test_nothing_is_written_into_the_image():
    network, x = network_of(MIXED), np.random.default_rng(5).standard_normal((1, 2, 7, 6))
    before = x.copy()
    input_gradient(network, x, 0)
    smooth_gradient(network, x, 0, samples=2)
    grad_cam(network, x, 0, "conv2")
    occlusion(network, x, 0, 2, 1)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    "find",
    [
        input_gradient,
        partial(grad_cam, layer="conv1"),
        partial(occlusion, patch=2, stride=1, fill=1.0),
    ],
)
@pytest.mark.filterwarnings("error")
def test_numbers_that_are_not_finite_are_one_line_though_the_scores_are(find):
    """A black image has the score 0 whatever the weights, and its gradient is their product."""
    network = network_of("conv 2 3x3 pad 1; conv 2 3x3 pad 1; dense 2", (1, 6, 5), np.float32)
    for path, array in network.params.items():
        array[...] = 0 if path.endswith("bias") else 1e38
    x = np.zeros((1, 1, 6, 5), np.float32)
    assert (network.predict(x) == 0).all()
    with pytest.raises(InputError, match="not finite: the network's parameters are too large"):
        find(network, x, 1)


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("conv 2 3x3; max 2; dense 2", 1),
        ("conv 2 3x3; relu; max 2; dense 2", 2),
        ("conv 2 3x3; batch-norm; relu; batch-norm; tanh; dense 2", 3),
        ("conv 2 3x3; relu; tanh; dense 2", 2),
    ],
)
def test_grad_cam_takes_the_maps_after_the_first_activation(text, stop):
    assert activated(network_of(text), 0) == stop


@pytest.mark.parametrize("pool", ["last", "mean-steps", "max-steps"])
def test_what_a_token_says_is_how_the_score_changes_with_the_size_of_its_vector(pool):
    network = network_of(f"embedding 9 x 3; gru 4 both; {pool}; dense 2", (None,))
    ids, lengths = np.array([[3], [1], [8], [1]]), np.array([4])
    found = token_saliency(network, ids, lengths, 1)
    vectors, _ = network.forward(ids, stop=1)

    def score(step, factor):
        scaled = vectors.copy()
        scaled[step] *= factor
        return network.forward(scaled, start=1, lengths=lengths)[0][0, 1]

    expected = [(score(t, 1 + 1e-6) - score(t, 1 - 1e-6)) / 2e-6 for t in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("step", [0, 2])
def test_what_a_token_says_for_the_tag_of_another(step):
    network = network_of("embedding 9 x 3; lstm 4 both; dense 3", (None,))
    ids, lengths = np.array([[3], [1], [8], [1]]), np.array([4])
    vectors, _ = network.forward(ids, stop=1)

    def score(at, factor):
        scaled = vectors.copy()
        scaled[at] *= factor
        return network.forward(scaled, start=1, lengths=lengths)[0][step, 0, 2]

    expected = [(score(t, 1 + 1e-6) - score(t, 1 - 1e-6)) / 2e-6 for t in range(4)]
    found = token_saliency(network, ids, lengths, 2, step)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-10)


def test_what_tokens_say_to_a_network_without_bends_is_the_score():
    network = network_of("embedding 9 x 3; mean-steps; dense 2", (None,))
    network.params["dense1.bias"][:] = 0
    ids = np.array([[3], [1], [8]])
    found = token_saliency(network, ids, np.array([3]), 0)
    assert found.sum() == pytest.approx(network.predict(ids)[0, 0])
