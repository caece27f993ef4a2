"""How the learning rate changes: pure functions from a step to a factor of the base rate."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from cnntool.errors import RequestError
from cnntool.imaging.kernel_spec import read_number
from cnntool.imaging.kernels import number_text
from cnntool.wording import did_you_mean, suggestion

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


@dataclass(frozen=True)
class Parameter:
    """What a number of a spec may be; a default of None must be given."""

    default: float | None
    least: float
    most: float
    expected: str
    whole: bool = False


WARMUP = Parameter(0, 0, 10**9, "whole steps from 0", whole=True)

SCHEDULES: dict[str, tuple[Callable[..., float], dict[str, Parameter]]] = {
    "constant": (constant, {}),
    "cosine": (cosine, {"floor": Parameter(0, 0, 1, "a fraction from 0 to 1")}),
    "step": (
        steps,
        {
            "every": Parameter(None, 1, 10**6, "whole epochs from 1", whole=True),
            "factor": Parameter(0.1, 1e-6, 1, "a factor above 0, up to 1"),
        },
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

    def __str__(self) -> str:
        numbers = [*self.numbers, *([("warmup", self.warmup)] if self.warmup else [])]
        settings = ",".join(f"{key}={number_text(value)}" for key, value in numbers)
        return f"{self.name}:{settings}" if settings else self.name


def parse_schedule(spec: str) -> Schedule:
    """The schedule of a spec: a name, and numbers behind a colon, separated by commas.

    ``constant``; ``cosine:floor=0``; ``step:every=EPOCHS,factor=0.1``; and ``warmup=STEPS`` with
    any of them. Every mistake raises RequestError with one line that says what was found, what was
    expected and the remedy.

    >>> str(parse_schedule("step:every=5, warmup=200"))
    'step:every=5,factor=0.1,warmup=200'
    """
    name, *rest = re.split("[:,]", spec.strip(), maxsplit=1)
    name = name.strip()
    if name not in SCHEDULES:
        raise RequestError(_unknown_schedule(name))
    parameters = SCHEDULES[name][1] | {"warmup": WARMUP}
    given: dict[str, float] = {}
    for setting in rest[0].split(",") if rest else []:
        key, _, number = (part.strip() for part in setting.partition("="))
        if key not in parameters:
            raise RequestError(_unknown_key(key, name, spec, list(parameters)))
        if key in given:
            raise RequestError(f"schedule: {key} is given twice in '{spec}': keep one")
        given[key] = _read(number, key, parameters[key])
    for key, parameter in parameters.items():
        if key not in given and parameter.default is None:
            raise RequestError(
                f"schedule '{spec.strip()}' does not say {key}: write '{name}:{key}=NUMBER', in "
                f"{parameter.expected}"
            )
    values = {key: given.get(key, parameter.default) for key, parameter in parameters.items()}
    return Schedule(name, warmup=int(values.pop("warmup")), numbers=tuple(values.items()))


def _read(text: str, key: str, parameter: Parameter) -> float:
    value = read_number(text, f"schedule: {key}") if text else math.nan
    sound = parameter.least <= value <= parameter.most
    if not sound or (parameter.whole and value != int(value)):
        found = f"is {number_text(value)}" if text else "has no value"
        raise RequestError(f"schedule: {key} {found}, expected {parameter.expected}")
    return value


def _unknown_schedule(name: str) -> str:
    if not name:
        return f"the schedule has no name: write it like '{EXAMPLE}'"
    shown = name if len(name) <= 40 else name[:37] + "..."
    return f"unknown schedule '{shown}'{suggestion(name, SCHEDULES)}"


def _unknown_key(key: str, name: str, spec: str, known: list[str]) -> str:
    if not key:
        return f"schedule '{spec.strip()}' has an empty place: write it like '{EXAMPLE}'"
    shown = key if len(key) <= 40 else key[:37] + "..."
    remedy = did_you_mean(key, known) or f"it takes {', '.join(known)}"
    return f"schedule: {name} has no '{shown}': {remedy}"
