"""A language model as a model file holds it, with its vocabulary."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.datasets.texts.corpus import Corpus, load_corpus
from cnntool.datasets.texts.text import Advance, Sources, checked_encoding
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError, RequestError
from cnntool.networks.language_model import LanguageModel
from cnntool.networks.language_spec import parse_architecture
from cnntool.networks.model_file import Model, load_model
from cnntool.networks.model_header import Header
from cnntool.wording import counted


@dataclass(frozen=True, eq=False)
class TrainedText:
    """A model file of text that is ready to be used."""

    name: str
    model: Model
    network: LanguageModel
    vocabulary: Vocabulary

    @property
    def header(self) -> Header:
        return self.model.header

    @property
    def encoding(self) -> str:
        """Of the texts it was trained on."""
        return self.header.preprocessing["encoding"]

    @property
    def seq_length(self) -> int:
        """Tokens of the windows it was trained on."""
        return self.header.input_shape[0]

    def read(
        self, sources: Sources, encoding: str | None = None, advance: Advance | None = None
    ) -> Corpus:
        """A text as the model sees it, in the encoding of its own unless another is given."""
        encoding = self.encoding if encoding is None else encoding
        return load_corpus(sources, encoding=encoding, vocabulary=self.vocabulary, advance=advance)


def load_text_model(path: str | os.PathLike) -> TrainedText:
    """A model file of text; InputError, one line, whatever is wrong with it."""
    name = os.fspath(path)
    model = load_model(path, needs, "rnn")
    header = model.header
    level, encoding = (header.preprocessing.get(key) for key in ("level", "encoding"))
    if not isinstance(level, str) or not isinstance(encoding, str) or len(header.input_shape) != 1:
        raise InputError(f"{name} is damaged: it does not say what text it takes")
    try:
        checked_encoding(encoding)
    except RequestError:
        raise InputError(f"{name} is damaged: its encoding is {encoding[:40]!r}") from None
    vocabulary = Vocabulary.from_labels(level, header.labels, name)
    return TrainedText(name, model, language_model_of(model), vocabulary)


def language_model_of(model: Model) -> LanguageModel:
    """The network of a model, with copies of its parameters."""
    network = LanguageModel(parse_architecture(model.header.spec))
    network.params = {path: array.copy() for path, array in model.params.items()}
    return network


def needs(header: Header) -> dict[str, tuple[tuple[int, ...], Any]]:
    """The shape and dtype of every ``params/<path>`` of an architecture."""
    architecture = parse_architecture(header.spec)
    if architecture.vocabulary_size != len(header.labels):
        raise InputError(
            f"its network gives {architecture.vocabulary_size:,} outputs, and it names "
            f"{counted(len(header.labels), 'token')}"
        )
    return {
        f"params/{path}": (parameter.shape, np.float32)
        for path, parameter in architecture.parameters().items()
    }
