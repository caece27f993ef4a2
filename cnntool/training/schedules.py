"""How the learning rate changes: pure functions from a step to a factor of the base rate."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cnntool.errors import RequestError
from cnntool.specs import Form, Parameter
from cnntool.wording import shortened, suggestion

EXAMPLE = "cosine:warmup=200"


def constant(step: int, total_steps: int, epoch_steps: int) -> float:
    """Always 1."""
    return 1.0


def cosine(step: int, total_steps: int, epoch_steps: int, *, floor: float) -> float:
    """``floor + (1 - floor) (1 + cos(pi step / total_steps)) / 2``, from 1 down to the floor.

    Loshchilov and Hutter 2017, SGDR: stochastic gradient descent with warm restarts, equation 5,
    in one period without restarts, moving with every step and not only with every epoch.
    """
    done = min(1.0, step / total_steps) if total_steps > 0 else 1.0
    return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2


def steps(step: int, total_steps: int, epoch_steps: int, *, every: float, factor: float) -> float:
    """``factor ** (epochs done // every)``: a drop after so many epochs (PyTorch's StepLR)."""
    return factor ** (step // (int(every) * epoch_steps))


WARMUP = Parameter("warmup", 0, maximum=10**9, minimum=0, kind=int, noun="whole steps")

SCHEDULES: dict[str, tuple[Callable[..., float], tuple[Parameter, ...]]] = {
    "constant": (constant, ()),
    "cosine": (cosine, (Parameter("floor", 0, minimum=0, maximum=1, noun="a fraction"),)),
    "step": (
        steps,
        (
            Parameter(
                "every",
                None,
                minimum=1,
                maximum=10**6,
                kind=int,
                noun="whole epochs",
                is_required=True,
            ),
            Parameter("factor", 0.1, minimum=1e-6, maximum=1, noun="a factor"),
        ),
    ),
}
"""The rules, each with the numbers that it takes beside ``warmup``."""


@dataclass(frozen=True)
class Schedule:
    """A rule with its numbers, behind a warm-up; ``str()`` of it is a spec that parses to it.

    warmup: steps in which the factor grows linearly to 1 (Goyal et al. 2017, Accurate, large
    minibatch SGD, section 2.2). The rule starts where they end, and has the steps that are left.
    """

    name: str
    numbers: tuple[tuple[str, float], ...] = ()
    warmup: int = 0

    def __call__(self, step: int, total_steps: int, epoch_steps: int = 1) -> float:
        """The factor of the learning rate in ``step``, counted from 0.

        total_steps: of the whole training. epoch_steps: steps of one epoch, for rules that count
        in epochs; with 1, they count in steps.

        During the warm-up it is ``(step + 1) / (warmup + 1)``: never 0, and 1 right behind it.
        """
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        rule, _ = SCHEDULES[self.name]
        left = step - self.warmup, total_steps - self.warmup, epoch_steps
        return rule(*left, **dict(self.numbers))

    def within(self, total_steps: int) -> Schedule:
        """The same with a warm-up of at most a tenth of so many steps."""
        return replace(self, warmup=min(self.warmup, total_steps // 10))

    def __str__(self) -> str:
        numbers = [*self.numbers, *([("warmup", self.warmup)] if self.warmup else [])]
        return Form(self.name, ()).text(dict(numbers))


def parse_schedule(spec: str) -> Schedule:
    """The schedule of a spec: a name, and numbers behind a colon, separated by commas.

    ``constant``; ``cosine:floor=0``; ``step:every=EPOCHS,factor=0.1``; and ``warmup=STEPS`` with
    any of them. Every mistake raises RequestError with one line that says what was found, what was
    expected and the remedy.

    >>> str(parse_schedule("step:every=5, warmup=200"))
    'step:every=5,factor=0.1,warmup=200'
    """
    name, *settings = re.split("[:,]", spec.strip(), maxsplit=1)
    name = name.strip()
    if not name:
        raise RequestError(f"the schedule has no name: write it like '{EXAMPLE}'")
    if name not in SCHEDULES:
        raise RequestError(f"unknown schedule '{shortened(name, 40)}'{suggestion(name, SCHEDULES)}")
    form = Form(name, (*SCHEDULES[name][1], WARMUP), f"schedule {name}", EXAMPLE)
    given = form.read(settings[0] if settings else None, spec.strip())
    values: dict[str, Any] = form.filled(given)
    return Schedule(name, warmup=values.pop("warmup"), numbers=tuple(values.items()))
