"""Pages of captioners: the words and where they looked are the engine's, in a browser."""

import base64

import numpy as np
from browser import computed, needs_browser

from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.datasets.sequences.feeds import Pair
from cnntool.datasets.sequences.inputs import PixelInput, TextInput
from cnntool.networks.decoding import greedy
from cnntool.networks.joined import attention_of, parse_network
from cnntool.networks.model import sequence_facts, sequence_model
from cnntool.page.models import Shown, caption_page

ENCODERS = (
    "conv 4 3x3 pad 1; relu; max 2; batch-norm; places => ",
    "conv 4 3x3; relu; columns; lstm 3 both => ",
    "conv 4 3x3; relu; max 2; dense 7; tanh => ",
)
DECODER = "embedding {w} x 5; lstm 6; {attend}dense {w}"


def captioner(encoder, writer):
    attend = "" if "dense 7" in encoder else "attend; "
    spec = encoder + DECODER.format(w=len(writer.vocabulary), attend=attend)
    network = parse_network(spec, (3, 9, 8)).initialise(np.random.default_rng(5))
    reader = PixelInput("picture", Preprocessing(3, (9, 8), (0.4,) * 3, (0.3,) * 3))
    facts = sequence_facts(reader, (), writer, 8)
    return sequence_model("captioner", network, facts, reader, writer, 8)


@needs_browser
def test_a_captioner_says_and_looks_as_the_engine_does(tmp_path):
    writer = TextInput.of(["a red square", "two blue discs, left"], "text", "word", folds=False)
    models = [captioner(encoder, writer) for encoder in ENCODERS]
    x = np.random.default_rng(6).normal(0, 1, (3, 1, 3, 9, 8)).astype("f")
    shown = [Shown(f"{n}.png", each) for n, each in enumerate(x)]
    found = computed(tmp_path, *(caption_page(model, shown) for model in models))
    for model, page in zip(models, found, strict=True):
        for each, run in zip(x, page["runs"], strict=True):
            (said,) = greedy(model.joined, each, None, writer.end, 8)
            assert run["said"][: len(said.ids)] == list(said.ids)
            given = np.array([[writer.end, *run["said"][:-1]]]).T
            pair = Pair(each, given, np.array([len(given)]))
            expected = model.network.outputs(pair)
            for text, maps in zip(run["outputs"], expected, strict=True):
                values = np.frombuffer(base64.b64decode(text), "<f4")
                limit = 1e-5 * max(1, np.abs(maps).max())
                assert np.abs(values - maps.ravel()).max() <= limit
            if model.joined.attending is not None:
                odds = attention_of(model.joined, pair)[0]
                np.testing.assert_allclose(run["odds"], odds, atol=1e-5)
