"""Optimizers: chains of transformations, by the names and with the rules that PyTorch has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np

from cnntool.choices import OPTIMIZERS
from cnntool.engine.fast.threads import available_cores, parallel_for
from cnntool.errors import InputError, RequestError
from cnntool.specs import number_text
from cnntool.training import update_rules
from cnntool.training.update_rules import State, Step, Transformation, Update
from cnntool.wording import shortened, suggestion

BLOCK_BYTES = 1 << 19
"""Of every vector, at a time: so much that calls are few, little enough for the cache."""

CACHE_LINE = 64
"""Bytes."""

WORTH_SHARING = 1 << 18
"""Parameters from which on a second thread is worth its start."""


class Optimizer:
    """A chain of transformations, and the work vectors that it needs.

    ``learning_rate`` is what :meth:`step` takes when it is given none. The chain is gone through
    block by block, so that one link finds in the cache what the one before it wrote there.
    """

    def __init__(self, name: str, learning_rate: float, chain: tuple[Transformation, ...]) -> None:
        self.name, self.learning_rate, self.chain = name, learning_rate, chain
        self._at_first = [link for link in chain if link.looks_at_all]
        self._in_blocks = [link for link in chain if not link.looks_at_all]
        if chain != (*self._at_first, *self._in_blocks):
            raise ValueError(f"{name}: what looks at all of an update comes first in the chain")
        self._work: list[tuple[np.ndarray, np.ndarray]] = []
        self._work_is: tuple[int, int, np.dtype] | None = None

    def __repr__(self) -> str:
        return f"<{self.name}, learning rate {self.learning_rate:g}>"

    def start(self, params: np.ndarray) -> State:
        """The state before the first step, for parameters (n,)."""
        slots = {name: np.zeros(params.size, params.dtype) for name in self.slots}
        return {"step": np.zeros((), np.int64), **slots}

    def restore(self, saved: Mapping[str, np.ndarray], params: np.ndarray) -> State:
        """A copy of a state that was saved, with which training goes on bit for bit.

        InputError where it is that of another optimizer, or of other parameters.
        """
        state = self.start(params)
        if state.keys() != saved.keys():
            raise InputError(
                f"the saved state has {', '.join(sorted(saved)) or 'nothing'}, {self.name} needs "
                f"{', '.join(sorted(state))}: go on with the optimizer that it was saved from"
            )
        for name, array in state.items():
            if (saved[name].shape, saved[name].dtype) != (array.shape, array.dtype):
                raise InputError(
                    f"the saved state's {name} is {saved[name].dtype} {saved[name].shape}, expected"
                    f" {array.dtype} {array.shape}: it belongs to another network"
                )
            array[...] = saved[name]
        return state

    def step(
        self,
        params: np.ndarray,
        grads: np.ndarray,
        state: State,
        learning_rate: float | None = None,
    ) -> None:
        """One step: params (n,) and state change in place, grads (n,) stay as they are.

        Where a gradient is not finite, the parameters are not finite after it.
        """
        if not params.shape == grads.shape == (params.size,) or params.dtype != grads.dtype:
            raise ValueError(
                f"params are {params.dtype} {params.shape} and grads {grads.dtype} {grads.shape}: "
                "expected two vectors of one length and dtype"
            )
        rate = float(self.learning_rate if learning_rate is None else learning_rate)
        state["step"] += 1
        whole = Step(params, state, int(state["step"]), rate, (params[:0], params[:0]))
        update = grads, 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            for link in self._at_first:
                update = link.apply(update, whole)
        threads = available_cores() if params.size >= WORTH_SHARING else 1
        length = _block_length(params, threads)
        blocks = [slice(start, start + length) for start in range(0, params.size, length)]
        work = iter(self._work_for(threads, length, params.dtype))
        parallel_for(blocks, lambda: partial(self._change, update, whole, next(work)), threads)

    def _change(
        self, update: Update, whole: Step, work: tuple[np.ndarray, np.ndarray], block: slice
    ) -> None:
        """Go through the chain with a block of all vectors."""
        params = whole.params[block]
        part = Step(
            params,
            {name: vector[block] for name, vector in whole.state.items() if vector.ndim},
            whole.number,
            whole.learning_rate,
            (work[0][: params.size], work[1][: params.size]),
        )
        update = update[0][block], update[1]
        with np.errstate(over="ignore", invalid="ignore"):
            for link in self._in_blocks:
                update = link.apply(update, part)

    @property
    def slots(self) -> list[str]:
        """The names of its vectors, each of all parameters."""
        return [slot for link in self.chain for slot in link.slots]

    def _work_for(
        self, threads: int, length: int, dtype: np.dtype
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Two vectors a thread, the same ones in every step."""
        needed = threads, length, dtype
        if self._work_is != needed:
            make = partial(np.zeros, length, dtype)
            self._work = [(make(), make()) for _ in range(threads)]
            self._work_is = needed
        return self._work


def _block_length(params: np.ndarray, threads: int) -> int:
    """How many parameters are changed at a time: whole cache lines, as many blocks a thread."""
    rounds = max(1, math.ceil(params.nbytes / (BLOCK_BYTES * threads)))
    lines = max(1, math.ceil(params.nbytes / (rounds * threads * CACHE_LINE)))
    return lines * CACHE_LINE // params.itemsize


def make_optimizer(
    name: str,
    learning_rate: float | None = None,
    *,
    momentum: float | None = None,
    weight_decay: float | None = None,
    clip: float | None = None,
) -> Optimizer:
    """An optimizer of :data:`~cnntool.choices.OPTIMIZERS`; None takes its default there.

    momentum: of momentum, nesterov and rmsprop, from 0 to below 1.
    weight_decay: added to the gradient; in adamw decoupled from it.
    clip: the largest norm of the whole gradient, before all else; None for no limit.

    RequestError for an unknown name, and for numbers out of range.
    """
    if name not in OPTIMIZERS:
        hint = suggestion(name, OPTIMIZERS)
        raise RequestError(f"unknown optimizer '{shortened(name, 40)}'{hint}")
    defaults = OPTIMIZERS[name]
    if momentum is not None and defaults.momentum is None:
        raise RequestError(f"{name} has no momentum: leave it out, or take momentum or nesterov")
    learning_rate = defaults.learning_rate if learning_rate is None else learning_rate
    momentum = defaults.momentum if momentum is None else momentum
    weight_decay = defaults.weight_decay if weight_decay is None else weight_decay
    _check("learning rate", learning_rate, 0 < learning_rate < math.inf, "a number above 0")
    _check("weight decay", weight_decay, 0 <= weight_decay < math.inf, "a number from 0")
    if clip is not None:
        _check("clip", clip, 0 < clip < math.inf, "the largest norm of the gradient, above 0")
    if momentum is not None:
        _check("momentum", momentum, 0 <= momentum < 1, "a number from 0 to below 1")

    traces = [update_rules.trace(momentum, nesterov=name == "nesterov")] if momentum else []
    rules = {
        "sgd": [],
        "momentum": traces,
        "nesterov": traces,
        "rmsprop": [update_rules.scale_by_rms(), *traces],
        "adam": [update_rules.scale_by_adam()],
        "adamw": [update_rules.scale_by_adam()],
    }
    decay = update_rules.shrink_weights if name == "adamw" else update_rules.add_weight_decay
    decays = [decay(weight_decay)] if weight_decay else []
    clips = [] if clip is None else [update_rules.clip_by_global_norm(clip)]
    chain = [*rules[name], *decays] if name == "adamw" else [*decays, *rules[name]]
    return Optimizer(name, learning_rate, (*clips, *chain, update_rules.descend()))


def _check(what: str, value: float, sound: bool, expected: str) -> None:
    if not sound:
        raise RequestError(f"the {what} is {number_text(value)}, expected {expected}")
