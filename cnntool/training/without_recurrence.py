"""What the network of a tagger tells of each frame or row by itself: the same without recurrence.

What a recurrent network has over it is what the steps before and behind a step tell of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from cnntool.datasets.sequences.feeds import SequenceFeed
from cnntool.datasets.sequences.inputs import TextInput
from cnntool.networks.joined import parse_network
from cnntool.networks.layers.recurrent import Recurrent
from cnntool.networks.model import SequenceModel
from cnntool.networks.network import Network
from cnntool.networks.objective import begin_at_frequencies
from cnntool.networks.sequence_answers import tag_odds
from cnntool.training.baselines import Unigram
from cnntool.training.divergence import Diverged
from cnntool.training.loop import Trainer
from cnntool.training.sequence_feeds import target_counts
from cnntool.training.settings import Streams
from cnntool.training.task import Task

PART = 2
"""It has as many steps, each of a half of the sequences: the run takes at most half as long again,
where whole ones take nearly as long. Of the frames of moving digits it tells 74 % then, not 76 %.
"""


def is_compared(model: SequenceModel) -> bool:
    """Whether a model is a tagger of frames or rows with a recurrence."""
    has_recurrence = any(isinstance(layer, Recurrent) for layer in model.network.layers)
    is_tagger = model.header.kind == "tagger" and not isinstance(model.reader, TextInput)
    return is_tagger and has_recurrence


def without_recurrence(network: Network) -> Network:
    """The layers of a tagger that look at one step alone; parameters not drawn yet."""
    layers = [str(layer) for layer in network.layers if not isinstance(layer, Recurrent)]
    return parse_network("; ".join(layers), network.input_shape)


@dataclass(frozen=True, eq=False)
class WithoutRecurrence:
    """A baseline as in :mod:`sequence_baselines`."""

    model: SequenceModel

    @classmethod
    def fit(cls, model: SequenceModel, task: Task) -> WithoutRecurrence:
        """Trained as the model was, on the same, with what stands at the end."""
        feed, settings = task.feed, task.settings
        assert isinstance(feed, SequenceFeed)  # that of a tagger
        feed = replace(feed, batch_size=-(-feed.batch_size // PART))
        settings = replace(settings, epochs=-(-settings.epochs // PART), patience=0)
        streams, network = Streams(settings.seed), without_recurrence(model.network)
        network.initialise(streams["start"])
        if len(network.layers) == 1:  # linear: from 0 it comes to the same, and sooner
            for array in network.params.values():
                array[...] = 0
        if feed.class_weights is None:
            counts = target_counts(feed, len(model.labels))
            begin_at_frequencies(network, Unigram(counts).distribution)
        own = Task(task.name, network, feed, None, settings, task.measure)
        with Trainer(own, streams) as trainer, suppress(Diverged):
            for _ in trainer.run():
                pass
        return cls(replace(model, network=network))

    def answers(self, inputs: Sequence[Any]) -> list[tuple[str, ...]]:
        model = self.model
        odds = tag_odds(model.network, model.reader.rows(inputs))
        return [
            tuple(model.labels[k] for k in odds[index].argmax(axis=1))
            for index in range(len(inputs))
        ]
