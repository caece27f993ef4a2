"""A model file that is ready to be used: its network, and what goes in and comes out of it.

What a file is a model of stands in its header as ``kind``: images, which are prepared before the
network sees them and get one of some labels; text, whose tokens are the network's vocabulary; or
sequences with their answers, which are labels, tags or texts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, overload

import numpy as np

from cnntool.datasets.images.preprocessing import Preprocessing
from cnntool.datasets.sequences.inputs import Input, TextInput, input_from_json
from cnntool.datasets.texts.corpus import Corpus, load_corpus
from cnntool.datasets.texts.encodings import checked_encoding
from cnntool.datasets.texts.text import Advance, Sources
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.engine.losses import softmax
from cnntool.errors import InputError, RequestError, not_finite
from cnntool.files.streams import damaged
from cnntool.networks.batch_sizes import batch_size_for
from cnntool.networks.joined import Joined, parse_network
from cnntool.networks.layers.embeddings import Embedding
from cnntool.networks.layers.layer import Arrays, Shape, size_text
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.model_file import KINDS, Header, Model, is_count, load_model
from cnntool.networks.network import Network
from cnntool.wording import counted, joined, shape_text


@dataclass(frozen=True, eq=False)
class Trained:
    """A model file, by its name, and its network with copies of all arrays."""

    name: str
    model: Model
    network: Network

    @property
    def header(self) -> Header:
        return self.model.header

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the classes or tags; the tokens of a model that says texts."""
        return self.header.labels

    @property
    def encoding(self) -> str:
        """Of the texts it was trained on."""
        return self.header.preprocessing.get("encoding", "utf-8")

    def scores(self, x: Any, lengths: np.ndarray | None = None) -> np.ndarray:
        """What the network gives for a batch of one; InputError where that is not finite."""
        y, _ = self.network.forward(x, lengths=lengths, keeps_caches=False)
        if not np.isfinite(y).all():
            raise not_finite(f"{self.name}: its network")
        return y

    def trace(self, layer: int, x: Any, lengths: np.ndarray | None = None) -> Arrays:
        """What the units of a recurrent layer, by number, did while a batch of one was read, each
        (T, H); else as :meth:`Recurrent.trace`. InputError where that is not finite."""
        recurrent = self.network.layers[layer]
        assert isinstance(recurrent, Recurrent)
        y, caches = self.network.forward(x, stop=layer + 1, lengths=lengths)
        traced = recurrent.trace(y, caches.of(layer))
        if not all(np.isfinite(values).all() for values in traced.values()):
            raise not_finite(f"{self.name}: its network")
        return {name: values[:, 0] for name, values in traced.items()}


@dataclass(frozen=True, eq=False)
class Classifier(Trained):
    """A model of images.

    preprocessing: images get the size that the network was trained on, also where it takes any.
    """

    preprocessing: Preprocessing

    def with_own_sizes(self) -> Classifier:
        """The same for images in the size that they have; RequestError where all need one."""
        if not self.network.takes_any_size:
            raise RequestError(
                f"the network of {self.name} takes images of "
                f"{shape_text(self.header.input_shape)} only: leave out --own-size"
            )
        return replace(self, preprocessing=replace(self.preprocessing, size=None))

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """(N, K) float32 for prepared images (N, C, H, W).

        InputError where they are too small for the layers of a network of any size.
        """
        if x.shape[1:] != self.network.input_shape:
            try:
                Network(self.network.layers, x.shape[1:])
            except RequestError as error:
                raise InputError(
                    f"the image, {shape_text(x.shape[1:])}, is too small for "
                    f"{str(error).partition(':')[0]}: enlarge it, or leave out --own-size"
                ) from None
        return softmax(self.outputs(x))

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """(N, K) for prepared images, before softmax; InputError where they are not finite."""
        step = batch_size_for(self.network, x.shape[1:])
        parts = [self.network.predict(x[at : at + step]) for at in range(0, len(x), step)]
        logits = np.concatenate(parts)
        if not np.isfinite(logits).all():
            raise not_finite(f"{self.name}: its network")
        return logits


@dataclass(frozen=True, eq=False)
class TrainedText(Trained):
    """A model of text."""

    vocabulary: Vocabulary

    @property
    def seq_length(self) -> int:
        """Tokens of the windows it was trained on."""
        return self.header.input_shape[0]

    @property
    def batch_size(self) -> int | None:
        """Windows side by side in training, where the file says it."""
        size = self.header.training.get("batch_size")
        return size if isinstance(size, int) else None

    def read(
        self, sources: Sources, encoding: str | None = None, advance: Advance | None = None
    ) -> Corpus:
        """A text as the model sees it, in the encoding of its own unless another is given."""
        encoding = self.encoding if encoding is None else encoding
        return load_corpus(sources, encoding=encoding, vocabulary=self.vocabulary, advance=advance)


@dataclass(frozen=True, eq=False)
class SequenceModel(Trained):
    """A classifier of sequences, a tagger, a translator or a captioner.

    reader: how inputs become what the network takes. writer: of a translator or a captioner, how
    what it says becomes a text; else None, and ``labels`` are those of classes or tags.
    longest: tokens that it says at most.
    """

    reader: Input
    writer: TextInput | None
    longest: int

    @property
    def facts(self) -> dict[str, Any]:
        """What its header says of what goes in and comes out."""
        header = self.header
        return {
            "input_shape": header.input_shape,
            "preprocessing": header.preprocessing,
            "labels": header.labels,
        }

    @property
    def joined(self) -> Joined:
        """The network of a translator or a captioner."""
        assert isinstance(self.network, Joined)
        return self.network


def sequence_facts(
    reader: Input,
    labels: Sequence[str] = (),
    writer: TextInput | None = None,
    longest: int = 0,
    encoding: str = "utf-8",
) -> dict[str, Any]:
    """What the header of a :class:`SequenceModel` says of what goes in and comes out; labels: of
    classes or tags, where no ``writer`` has a vocabulary."""
    how = reader.to_json() | {"encoding": encoding}
    if writer is not None:
        target = writer.to_json()
        labels = target.pop("tokens")
        how |= {"target": target, "longest": longest}
    return {"input_shape": reader.shape, "preprocessing": how, "labels": tuple(labels)}


AnyModel = Classifier | TrainedText | SequenceModel

FORMS = {
    "classifier": ("text", "steps"),
    "tagger": ("words", "steps", "frames"),
    "translator": ("text",),
    "captioner": ("picture",),
}
"""Of what comes in, by the kind of model."""

LARGEST_LONGEST = 2 * (1 << 20) + 10
"""Tokens that a model may say at most: of texts of 2^20, the longest that are learned from."""

Sequenced = Literal["classifier", "tagger", "translator", "captioner"]
KINDS_OF_SEQUENCES = get_args(Sequenced)
KINDS_THAT_SAY = "translator", "captioner"


@overload
def load_trained(path: str | os.PathLike, kind: Sequenced) -> SequenceModel: ...
@overload
def load_trained(path: str | os.PathLike, kind: Literal["cnn"]) -> Classifier: ...
@overload
def load_trained(path: str | os.PathLike, kind: Literal["rnn"]) -> TrainedText: ...
@overload
def load_trained(path: str | os.PathLike, kind: str | None = None) -> AnyModel: ...


def load_trained(path: str | os.PathLike, kind: str | None = None) -> AnyModel:
    """A model file of this kind, None for any; InputError, one line, whatever is wrong with it."""
    model, name = load_model(path, needs, kind), os.fspath(path)
    network = network_of(model)
    if model.header.kind == "cnn":
        return _classifier(model, network, name)
    if model.header.kind == "rnn":
        return _text_model(model, network, name)
    return _sequence_model(model, network, name)


def load_sequence_model(
    path: str | os.PathLike, expected: Sequence[str] = KINDS_OF_SEQUENCES
) -> SequenceModel:
    """A model file of any kind of sequences; InputError, one line, whatever is wrong with it.

    expected: the kinds that are named where it is none of sequences.
    """
    found = load_trained(path)
    if not isinstance(found, SequenceModel):
        kinds = joined(expected, "or")
        raise InputError(f"{found.name} is {KINDS[found.header.kind]}: expected a {kinds}")
    return found


def _classifier(model: Model, network: Network, name: str) -> Classifier:
    header = model.header
    preprocessing = Preprocessing.from_json(header.preprocessing, name)
    channels, height, width = header.input_shape
    size = height, width
    fits = preprocessing.size in (size, None if network.takes_any_size else size)
    if preprocessing.channels != channels or not fits:
        made = "any size" if preprocessing.size is None else size_text(preprocessing.size)
        raise InputError(
            f"{name}: its preprocessing gives images of {preprocessing.channels} x {made}, its "
            f"network takes {shape_text(header.input_shape)}: the file is damaged, train it again"
        )
    return Classifier(name, model, network, replace(preprocessing, size=size))


def _text_model(model: Model, network: Network, name: str) -> TrainedText:
    header = model.header
    level, encoding = (header.preprocessing.get(key) for key in ("level", "encoding"))
    if not isinstance(level, str) or not isinstance(encoding, str) or len(header.input_shape) != 1:
        raise InputError(f"{name} is damaged: it does not say what text it takes")
    _check_encoding(encoding, name)
    return TrainedText(name, model, network, Vocabulary.from_labels(level, header.labels, name))


def _check_encoding(encoding: Any, name: str) -> None:
    try:
        checked_encoding(encoding if isinstance(encoding, str) else "")
    except RequestError:
        raise InputError(f"{name} is damaged: its encoding is {str(encoding)[:40]!r}") from None


def sequence_model(
    kind: str,
    network: Network,
    facts: dict[str, Any],
    reader: Input,
    writer: TextInput | None = None,
    longest: int = 0,
) -> SequenceModel:
    """One that has not been trained yet; facts: those of :func:`sequence_facts`. RequestError for a
    network that does not read what the ``reader`` gives, or say what the ``writer`` spells."""
    if reason := _misfit(network, reader, writer):
        raise RequestError(f"{reason}: write ? for these numbers")
    header = Header(network.spec, seed=0, kind=kind, **facts)
    model = Model(header, network.params, network.buffers)
    return SequenceModel("the model", model, network, reader, writer, longest)


def _sequence_model(model: Model, network: Network, name: str) -> SequenceModel:
    header, how = model.header, model.header.preprocessing
    reader = input_from_json(how, name)
    _check_encoding(how.get("encoding", "utf-8"), name)
    if reader.form not in FORMS[header.kind]:
        raise damaged(name, f"no {header.kind} reads the form {reader.form!r}")
    if tuple(reader.shape) != tuple(header.input_shape):
        raise damaged(name, "its network takes other inputs than it describes")
    writer: TextInput | None = None
    longest: Any = 0
    if isinstance(network, Joined):
        target, longest = how.get("target"), how.get("longest")
        if not isinstance(target, dict) or not is_count(longest, 1) or longest > LARGEST_LONGEST:
            raise damaged(name, "it does not say what texts it gives")
        said = input_from_json({**target, "tokens": list(header.labels)}, name)
        if not isinstance(said, TextInput) or said.form != "text" or said.letters is not None:
            raise damaged(name, "it does not say what texts it gives")
        writer = said
    if reason := _misfit(network, reader, writer):
        raise damaged(name, reason)
    return SequenceModel(name, model, network, reader, writer, longest)


def _misfit(network: Network, reader: Input, writer: TextInput | None) -> str | None:
    """Where the network has other numbers of tokens or of their letters; None if nowhere."""
    first = network.layers[0]
    if isinstance(reader, TextInput):
        if not isinstance(first, Embedding):
            return f"its network begins with {first}, and tokens take an embedding"
        if first.words != len(reader.vocabulary):
            return f"its {first} is not one of {counted(len(reader.vocabulary), 'token')}"
        letters = 0 if reader.letters is None else len(reader.letters)
        if (first.letters or (0, 0))[0] != letters:
            return f"its {first} does not read {letters or 'no'} letters"
    if writer is not None and isinstance(network, Joined):
        said = network.layers[network.joint]
        if not isinstance(said, Embedding) or said.words != len(writer.vocabulary):
            return f"its decoder's {said} is not one of {counted(len(writer.vocabulary), 'token')}"
    return None


def network_of(model: Model) -> Network:
    """The network of a model, with copies of its parameters and buffers."""
    network = _untrained(model.header)
    shapes = network.parameters()  # files of format 1 may have weights where no connection is
    network.params = {name: shapes[name].cut(array) for name, array in model.params.items()}
    network.buffers = {name: array.copy() for name, array in model.buffers.items()}
    return network


def needs(header: Header) -> dict[str, tuple[tuple[int, ...], Any]]:
    """The shape and dtype of every ``params/<path>`` and ``buffers/<path>`` of an architecture."""
    network, count = _untrained(header), len(header.labels)
    is_one = header.kind in ("cnn", "classifier")
    wanted = (count,) if is_one else (None, count)
    noun = "label" if is_one else "tag" if header.kind == "tagger" else "token"
    given = network.output_shape
    if (header.kind in ("translator", "captioner")) != isinstance(network, Joined):
        raise InputError(f"its network, {header.spec[:60]}, is none of {KINDS[header.kind]}")
    if given != wanted:
        outputs = shape_text(given) if len(given) == 3 else counted(given[-1] or 0, "output")
        raise InputError(f"its network gives {outputs}, and it names {counted(count, noun)}")
    kinds = {f"params/{path}": p.shape for path, p in network.parameters().items()}
    kinds |= {f"buffers/{path}": b.shape for path, b in network.buffers.items()}
    return {name: (shape, np.float32) for name, shape in kinds.items()}


def _untrained(header: Header) -> Network:
    """The header of a text has the length of the windows that were trained on."""
    if header.kind in ("cnn", "captioner"):
        shape: Shape = header.input_shape
    else:
        shape = (None,) if header.kind == "rnn" else (None, *header.input_shape)
    return parse_network(header.spec, shape)
