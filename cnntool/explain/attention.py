"""What a translator or a captioner looked at while it said its tokens: in all steps, or in one the
scores, their softmax, the mean that they weigh, and what is said from it; and how a beam went from
its beginnings to the best text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.datasets.sequences.feeds import Pair
from cnntool.engine.attention import AdditiveAttentionCache, AttentionCache
from cnntool.engine.fast import textbook
from cnntool.engine.losses import softmax
from cnntool.errors import InputError, RequestError, not_finite
from cnntool.networks.decoding import BeamStep, Candidate, Said, beams, greedy
from cnntool.networks.joined import Joined, attention_of
from cnntool.networks.model import SequenceModel
from cnntool.wording import counted, span


@dataclass(frozen=True, eq=False)
class Looked:
    """What was said, and how much each of its tokens, the end among them, looked at each step of
    what was read, (T, S); those of a token are 1 together."""

    said: Said
    weights: np.ndarray


def looked_at(model: SequenceModel, source: Any, lengths: np.ndarray | None) -> Looked:
    """What is said greedily to a source, a batch of one, and what was looked at.

    InputError where the network's numbers are not finite.
    """
    network, end = model.joined, end_of(model)
    said = greedy(network, source, lengths, end, model.longest)[0]
    given = np.array([end, *said.ids][: len(said.log_odds)])[:, None]
    weights = attention_of(network, Pair(source, given), lengths)[0]
    return Looked(said, weights)


def grid_of(model: SequenceModel) -> tuple[int, int] | None:
    """How the steps that a captioner looks at lie over a picture, (rows, columns): places of maps,
    or one row of bands; None where nothing makes steps of maps."""
    network = model.joined
    for index in reversed(range(network.joint)):
        kind = network.layers[index].kind
        if kind in ("places", "columns"):
            _, height, width = network.shapes[index]
            return (int(height or 1) if kind == "places" else 1), int(width or 1)
    return None


def place_names(model: SequenceModel, count: int) -> tuple[str, ...]:
    """What the steps are called that a captioner looks at: ``row 1, column 3``, or ``band 3``."""
    rows, columns = grid_of(model) or (1, count)
    if rows == 1:
        return tuple(f"band {number}" for number in range(1, count + 1))
    places = np.ndindex(rows, columns)
    return tuple(f"row {row + 1}, column {column + 1}" for row, column in places)


@dataclass(frozen=True, eq=False)
class AttentionStep:
    """One step of the last layer that attends, of what is said to one source.

    score: general or additive. said: all that is said, and the number of the ``step`` from 1.
    query: h (H,), which looks back. projected_query: additive alone, h U (A,). keys: k (S, D).
    projected: k W, (S, H) or (S, A). scores, weights: (S,). context: c (D,). mixed: (H,). odds of
    what comes next: (V,).
    """

    score: str
    said: Said
    step: int
    query: np.ndarray
    projected_query: np.ndarray | None
    keys: np.ndarray
    projected: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    context: np.ndarray
    mixed: np.ndarray
    odds: np.ndarray
    w_output: np.ndarray
    bias: np.ndarray

    def differences(self) -> dict[str, float]:
        """How far what the layer found is, at most, from what its formula gives in float64 for the
        numbers before it."""
        exps = np.exp(np.float64(self.scores) - self.scores.max())
        both = np.concatenate([self.context, self.query]).astype(np.float64)
        found = {
            "softmax": self.weights - exps / exps.sum(),
            "context": self.context - np.float64(self.weights) @ self.keys,
            "mix": self.mixed - np.tanh(both @ self.w_output + self.bias),
        }
        return {name: float(np.abs(each).max()) for name, each in found.items()}


def attention_step(
    model: SequenceModel, source: Any, lengths: np.ndarray | None, step: int
) -> AttentionStep:
    """The numbers of a step, from 1, of what is said greedily to a source, a batch of one.

    RequestError where it says less than so many tokens; InputError where it does not attend, or
    where its numbers are not finite.
    """
    network, end, layer = model.joined, end_of(model), attending(model)
    said = greedy(network, source, lengths, end, model.longest)[0]
    if step > len(said.log_odds):
        raise RequestError(
            f"--step {step}: {model.name} says {counted(len(said.log_odds), 'token')}, the end "
            f"among them: expected {span(1, len(said.log_odds))}"
        )
    given = np.array([end, *said.ids][:step])[:, None]
    with textbook():  # which has the keys by their weights
        logits, caches = network.forward(Pair(source, given), lengths=lengths)
    attention, output, y = caches.of(layer)
    params, t = network.params_of(layer), step - 1
    found = AttentionStep(
        score="additive" if isinstance(attention, AdditiveAttentionCache) else "general",
        said=said,
        step=step,
        query=attention.query[t, 0],
        projected_query=getattr(attention, "projected_query", attention.query)[t, 0],
        keys=attention.keys[:, 0],
        projected=attention.projected[:, 0],
        scores=_scores(attention, t),
        weights=attention.odds[0, t],
        context=output.x[t, 0, : attention.keys.shape[2]],
        mixed=y[t, 0],
        odds=softmax(logits[t, 0]),
        w_output=params["w_output"],
        bias=params["bias"],
    )
    if not all(np.isfinite(each).all() for each in (found.scores, found.mixed, found.odds)):
        raise not_finite(f"{model.name}: its network")
    return found


def _scores(attention: AttentionCache, t: int) -> np.ndarray:
    """(S,): of one step of one sequence, by the formula of the layer."""
    if isinstance(attention, AdditiveAttentionCache):
        return np.tanh(attention.projected[:, 0] + attention.projected_query[t, 0]) @ attention.v
    return attention.projected[:, 0] @ attention.query[t, 0]


def attending(model: SequenceModel) -> int:
    """The last layer that attends, by number; InputError where none does."""
    network = model.network
    index = network.attending if isinstance(network, Joined) else None
    if index is None:
        says = isinstance(network, Joined)
        remedy = "train it with --attention general" if says else "name a translator or a captioner"
        raise InputError(f"{model.name} attends to nothing: {remedy}")
    return index


def end_of(model: SequenceModel) -> int:
    """The token that ends what a model says; InputError where it says nothing."""
    if model.writer is None:
        raise InputError(
            f"{model.name} is a {model.header.kind}, which says no text: name a translator or a "
            "captioner"
        )
    return model.writer.end


@dataclass(frozen=True, eq=False)
class BeamTree:
    """Steps of a beam of a width over one source, the texts that it found, the best first, and what
    a beam of 1 says; ``end``: the token that ends a text."""

    width: int
    end: int
    steps: Sequence[BeamStep]
    found: Sequence[Said]
    greedy: Said

    def path(self, step: BeamStep, candidate: Candidate) -> tuple[int, ...]:
        """The ids of a candidate, from the first on."""
        return (*step.beginnings[candidate.beginning], candidate.token)

    def sums(self, step: BeamStep) -> list[float]:
        """The log probability of each beginning of a step."""
        number = len(step.beginnings[0])
        if not number:
            return [0.0]
        before = self.steps[number - 1]
        found = {self.path(before, each): each.log_probability for each in before.candidates}
        return [found[ids] for ids in step.beginnings]

    def leads_to_best(self, step: BeamStep, candidate: Candidate) -> bool:
        """Whether the best text goes through it."""
        ids, best = self.path(step, candidate), self.found[0].tokens(self.end)
        return candidate.became != "dropped" and ids == best[: len(ids)]

    def why(self, step: BeamStep, candidate: Candidate) -> str:
        """What a candidate became, and of one that is dropped, why: as many likelier ones as the
        beam is wide go on, the last of them with this log probability, or an end came behind as
        many."""
        if candidate.became != "dropped":
            return candidate.became
        if candidate.token == self.end:
            return f"dropped, {self.width} come before"
        last = min(each.log_probability for each in step.candidates if each.became == "kept")
        return f"dropped, below {last:.3f}"


def beam_tree(
    model: SequenceModel, source: Any, lengths: np.ndarray | None, width: int
) -> BeamTree:
    """How a beam goes over a source, a batch of one; errors as of :func:`attention_step`."""
    end, steps = end_of(model), list[BeamStep]()
    network, most = model.joined, model.longest
    found = beams(network, source, lengths, end, most, width, watch=steps.append)[0]
    greedily = greedy(network, source, lengths, end, most)[0]
    return BeamTree(width, end, steps, found, greedily)
