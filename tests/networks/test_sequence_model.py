"""Model files of sequences, and what is noticed when they are not as they were."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sequence_models import write_sequence_models

from cnntool.errors import InputError, RequestError
from cnntool.networks.joined import parse_network
from cnntool.networks.model import load_sequence_model, sequence_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_sequence_models(folder)
    return folder


def changed(folder, name, change):
    """A model with another header; change: of what goes in and comes out."""
    with np.load(folder / f"{name}.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    header = json.loads(arrays["header"].tobytes())
    change(header["preprocessing"])
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(folder / "changed.npz", **arrays)
    return folder / "changed.npz"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("classifier", lambda how: how["tokens"].append("new"), "embedding 10 x 6 is not one"),
        ("classifier", lambda how: how["tokens"].pop(), "10 x 6 is not one of 9 tokens"),
        ("classifier", lambda how: how.update(form="words"), "no classifier reads the form 'words"),
        ("tagger", lambda how: how.update(form="text"), "no tagger reads the form 'text'"),
        ("tagger", lambda how: how.update(letters=None), "does not read no letters"),
        ("tagger", lambda how: how["letters"].pop(1), r"does not read \d+ letters"),
        ("translator", lambda how: how.update(letters=["<unk>", "\n", "a"]), "not read 3 letters"),
        ("translator", lambda how: how.update(longest=10**12), "does not say what texts it gives"),
        ("translator", lambda how: how["target"].update(form="words"), "not say what texts"),
        ("captioner", lambda how: how.update(form="frames"), "no captioner reads the form 'frames"),
    ],
)
def test_a_file_that_was_tampered_with_is_one_line(folder, name, change, message):
    with pytest.raises(InputError, match=message) as raised:
        load_sequence_model(changed(folder, name, change))
    assert "changed.npz is damaged: " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_most_that_is_said_takes_no_memory_before_it_is_said(folder):
    path = changed(folder, "translator", lambda how: how.update(longest=1 << 21))
    assert load_sequence_model(path).longest == 1 << 21


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "embedding 99 x 3; gru 3 => embedding {1} x 3; gru 3; dense {1}",
            "embedding 99 x",
        ),
        (
            "embedding {0} x 3; gru 3 => embedding 99 x 3; gru 3; dense {1}",
            "decoder's emb",
        ),
        (
            "embedding {0} x 3 letters 3 x 2; gru 3 => embedding {1} x 3; gru 3; dense {1}",
            "no lett",
        ),
    ],
)
def test_a_network_of_other_numbers_of_tokens_is_not_trained(folder, spec, message):
    model = load_sequence_model(folder / "translator.npz")
    sizes = len(model.reader.vocabulary), len(model.labels)
    network = parse_network(spec.format(*sizes), (None,))
    with pytest.raises(RequestError, match=message):
        sequence_model("translator", network, model.facts, model.reader, model.writer, 9)
