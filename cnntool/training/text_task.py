"""Learning to predict a text: a batch is a window of it, and the state goes on to the next one.

The text is cut into ``batch_size`` rows that are read side by side, a window of ``seq_length``
tokens at a time; the gradient goes back through one window (truncated backpropagation through
time), the state forward through all of them. Each epoch begins with a state of 0.

Williams, Peng, An efficient gradient-based algorithm for on-line training of recurrent network
trajectories, Neural Computation 2, 1990.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.datasets.texts.corpus import Windows, windows
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.engine.cells.stack import recurrent
from cnntool.networks.language_model import LanguageModel, States
from cnntool.training.settings import Settings
from cnntool.training.shards import shared_array
from cnntool.training.task import Batch, Lesson
from cnntool.training.text_evaluation import judge_text


@dataclass(frozen=True, eq=False)
class TextParts:
    """A text as ids: what is learned from, and what is held out, (N,) each."""

    train: np.ndarray
    validation: np.ndarray | None = None
    test: np.ndarray | None = None


class TextTask:
    """A :class:`~cnntool.training.task.Task`: a language model, and a text.

    vocabulary, encoding, name: what the ids stand for, what the text was written in, and what to
        call it.
    """

    def __init__(
        self,
        network: LanguageModel,
        parts: TextParts,
        seq_length: int,
        settings: Settings,
        vocabulary: Vocabulary,
        encoding: str = "utf-8",
        name: str = "the text",
    ) -> None:
        self.network, self.parts, self.settings = network, parts, settings
        self.vocabulary, self.encoding, self.name = vocabulary, encoding, name
        self.windows = windows(parts.train, settings.batch_size, seq_length, name)
        starts = network.start(settings.batch_size)
        self._states: States = [
            (tuple(shared_array(state.shape, state.dtype) for state in layer),)
            for (layer,) in starts
        ]
        self.carried = {
            path: state
            for paths, (layer,) in zip(network.architecture.state_paths, self._states, strict=True)
            for path, state in zip(paths, layer, strict=True)
        }

    @property
    def samples(self) -> int:
        return self.windows.tokens

    @property
    def steps(self) -> int:
        return len(self.windows)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """The windows in their order; the last may be shorter."""
        rows, left = np.arange(self.settings.batch_size), self.windows.steps
        for number in range(1, self.steps + 1):
            length = min(left, self.windows.seq_length)
            yield Batch(number, rows, length * len(rows))
            left -= length

    def learner(self, grads: dict[str, np.ndarray]) -> TextLearner:
        return TextLearner(self.network, self.windows, self._states, grads)

    def judge(self) -> tuple[float, float] | None:
        """Cross-entropy in nats a token, and accuracy, on what is held out."""
        if self.parts.validation is None:
            return None
        judged = judge_text(self.network, self.parts.validation)
        return judged.loss, judged.accuracy

    def first_broken(self, batch: Batch) -> str | None:
        ids, _ = self.windows.window(batch.number - 1)
        architecture = self.network.architecture
        x = self.network.params["embedding.weight"][ids]
        layers = zip(architecture.recurrent_names, self.network.layers(), self._states, strict=True)
        with np.errstate(all="ignore"):
            for name, weights, states in layers:
                (x, _), _ = recurrent(x, [states], [weights], cell=architecture.cell)
                if not np.isfinite(x).all():
                    return f"the output of {name} ({architecture.cell} {architecture.hidden_size})"
        return None

    def header(self) -> dict[str, Any]:
        return {
            "kind": "rnn",
            "spec": self.network.spec,
            "input_shape": (self.windows.seq_length,),
            "preprocessing": {"level": self.vocabulary.level, "encoding": self.encoding},
            "labels": self.vocabulary.to_labels(),
        }


@dataclass(frozen=True)
class TextLearner:
    """A language model with the text, the states of all rows, and where gradients go, by path."""

    network: LanguageModel
    windows: Windows
    states: States
    grads: dict[str, np.ndarray]

    def learn(self, batch: Batch, share: float, seed: tuple[int, ...]) -> Lesson:
        """Put ``share`` times the gradient of the mean loss of some rows into ``grads``, and carry
        their states over."""
        rng = np.random.Generator(np.random.PCG64(seed))
        rows = slice(batch.indices[0], batch.indices[-1] + 1)  # side by side
        ids, targets = self.windows.window(batch.number - 1, rows)
        if batch.number == 1:
            starts = self.network.start(len(batch.indices))
        else:
            starts = [(tuple(state[rows].copy() for state in layer),) for (layer,) in self.states]
        with np.errstate(all="ignore"):  # what is not finite is found and said by the loop
            loss, states, read = self.network.forward(ids, targets, starts, rng=rng)
            self.network.backward(share, read, self.grads)
        for (layer,), (new,) in zip(self.states, states, strict=True):
            for carried, state in zip(layer, new, strict=True):
                carried[rows] = state
        return Lesson(loss, read.output.correct, bool(np.isfinite(loss)))
