"""Pages of networks of images: they compute what the engine computes, in a browser."""

import base64
import re

import numpy as np
import pytest
from browser import computed, needs_browser
from layer_texts import EVERY_LAYER

from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.errors import RequestError
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.layers.steps import TimePool
from cnntool.networks.model import Classifier
from cnntool.networks.model_file import Header, Model
from cnntool.networks.zoo import LEAST_SIZE, ZOO, build
from cnntool.page import models
from cnntool.page.models import Shown, image_page
from cnntool.study.saliency import input_gradient

CHAINS = (
    "conv 4 3x3 pad same dilation 2 no-bias; batch-norm; relu; conv 4 3x2 stride 2x1 pad 1x0; "
    "tanh; conv 4 3x3 pad 1 groups 2; max 3 stride 2 pad 1; scaled-tanh; conv 2 2x2 connections "
    "1101/0110; sigmoid; local 3 3x3 stride 2 pad 1; dropout 0.4; flatten; dense 5",
    "max 2x3 stride 1x2; average 3 stride 1 pad 1; gaussian 3 stride 1 sigma 0.7; lp 3 stride 2 "
    "p 3; adaptive-gaussian 3x2; pyramid 1,2; batch-norm; dense 4",
    "lp 2 p inf; gaussian 2; subsample 2; adaptive-max 3x2; adaptive-average 5; pyramid 1,3 "
    "average; dense 3",
    "local 2 2x3 dilation 2x1; adaptive-gaussian 9x8; lp 2; adaptive-max 7x3; global-gaussian; "
    "dense 3",
    "conv 2 3x3; relu; columns; lstm 5 both; last; relu; dense 3",
    "max 2; places; gru 4; tanh; dense 5; dropout 0.2; max-steps; dense 3",
    "columns; rnn 4; mean-steps; dense 3",
    "conv 3 2x2; adaptive-average 7x3; adaptive-max 5x2; global-max; global-average; dense 3",
)


def classifier(layers, shape, classes, width=None):
    """A model with weights, statistics and biases drawn at random."""
    rng = np.random.default_rng(7)
    network = build(layers, shape, classes, width).initialise(rng)
    for path, array in network.params.items():
        if path.endswith("bias"):
            array[...] = rng.normal(0, 0.3, array.shape)
    for path, array in network.buffers.items():
        array[...] = rng.uniform(0.5, 2, array.shape) if path.endswith("var") else 0.1
    labels = tuple(f"class <{index}>" for index in range(classes))
    header = Header(network.spec, shape, {}, labels, 0)
    preparing = Preprocessing(shape[0], shape[1:], (0.4,) * shape[0], (0.3,) * shape[0])
    model = Model(header, network.params, network.buffers)
    return Classifier("drawn.npz", model, network, preparing)


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def check(models, folder):
    """Every map of every layer, the gradient of a class by the input, and every story's sum."""
    rng = np.random.default_rng(1)
    inputs, pages = [], []
    for model in models:
        x = rng.normal(0, 1, (2, 1, *model.network.input_shape)).astype("f")
        inputs.append([Shown(f"<i>{n}</i>.png", each) for n, each in enumerate(x)])
        pages.append(image_page(model, inputs[-1]))
    for model, given, found in zip(models, inputs, computed(folder, *pages), strict=True):
        assert found["stories"]["worst"] < 1e-5
        assert found["stories"]["count"] > len(model.network.layers)
        for each, run in zip(given, found["runs"], strict=True):
            compare(model.network, each.x, run)


def compare(network, x, run):
    names = "input", *network.names
    for name, maps, text in zip(names, [x, *network.outputs(x)], run["outputs"], strict=True):
        limit = 1e-5 * max(1, np.abs(maps).max())
        assert np.abs(floats(text) - maps.ravel()).max() <= limit, (network.spec, name)
    if any(isinstance(layer, Recurrent | TimePool) for layer in network.layers):
        assert run["gradients"] == []
        return
    gradient = input_gradient(network, x, 0).ravel()
    limit = 1e-5 * max(1, np.abs(gradient).max())
    assert np.abs(floats(run["gradients"][0]) - gradient).max() <= limit, network.spec


@needs_browser
def test_a_page_of_every_network_of_the_zoo_computes_what_the_engine_computes(tmp_path):
    models = []
    for name in ZOO:
        side, channels = LEAST_SIZE[name], 1 if name == "lenet5" else 3
        width = 0.05 if name == "alexnet" else None
        models.append(classifier(name, (channels, side, side), 4, width))
    check(models, tmp_path)


@needs_browser
def test_a_page_of_every_layer_computes_what_the_engine_computes(tmp_path):
    check([classifier(each, (2, 13, 12), int(each.split()[-1])) for each in CHAINS], tmp_path)


def test_the_networks_that_are_compared_have_every_layer_of_images():
    tried = {layer.split()[0] for chain in CHAINS for layer in chain.split("; ")}
    assert {text.split()[0] for text in EVERY_LAYER} <= tried


def test_only_the_script_and_the_style_of_the_page_may_run(tmp_path):
    text = image_page(classifier("conv 2 3x3; dense 3", (1, 6, 6), 3), []).decode()
    policy = re.search(r'Security-Policy" content="([^"]*)"', text).group(1)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert " style=" not in text
    assert "<0>" not in text  # a label ends no element


def test_a_network_of_too_many_weights_is_refused_with_the_layers_that_fit(monkeypatch):
    model = classifier("conv 2 3x3; relu; dense 3", (1, 6, 6), 3)
    monkeypatch.setattr(models, "MOST_BYTES", 100)
    with pytest.raises(RequestError, match=r"476 bytes of weights.*100 bytes: --layers relu1 "):
        image_page(model, [])
    assert image_page(model, [], "relu1")
    with pytest.raises(RequestError, match="has no layer 'relu9', only conv1, relu1, dense1"):
        image_page(model, [], "relu9")
