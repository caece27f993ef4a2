"""Model files of text: what is read from them, and what is noticed when it is not as it was."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from text_models import write_text_models

from cnntool.errors import InputError
from cnntool.networks.model import load_trained, network_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_text_models(folder)
    return folder


def changed(folder, change):
    """The model of words with another header."""
    with np.load(folder / "words.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays["header"].tobytes())
    change(header)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(folder / "changed.npz", **arrays)
    return folder / "changed.npz"


def test_a_text_is_read_in_the_encoding_that_the_model_learned_from(folder):
    path = changed(folder, lambda header: header["preprocessing"].update(encoding="utf-16"))
    trained, text = load_trained(path, "rnn"), "the cat saw the zebra\n"
    own = trained.read(io.BytesIO(text.encode("utf-16")))
    other = trained.read(io.BytesIO(text.encode("latin-1")), "latin-1")
    np.testing.assert_array_equal(own.ids, trained.vocabulary.encode(text))
    np.testing.assert_array_equal(own.ids, other.ids)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: header["preprocessing"].update(encoding="zz"), "its encoding is 'zz'"),
        (lambda header: header["preprocessing"].pop("level"), "does not say what text it takes"),
        (lambda header: header.update(input_shape=[1, 8, 8]), "does not say what text it takes"),
        (lambda header: header["labels"].pop(), r"gives \d+ outputs, and it names \d+ tokens"),
        (lambda header: header["labels"].insert(0, header["labels"].pop()), "is not <unk>"),
    ],
)
def test_a_file_that_was_tampered_with_is_one_line(folder, change, message):
    with pytest.raises(InputError, match=message) as raised:
        load_trained(changed(folder, change), "rnn")
    assert "changed.npz" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_network_has_parameters_of_its_own(folder):
    model = load_trained(folder / "words.npz", "rnn").model
    before = model.params["dense1.bias"].copy()
    network_of(model).params["dense1.bias"] += 1
    np.testing.assert_array_equal(model.params["dense1.bias"], before)
