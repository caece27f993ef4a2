"""How parameters start, drawn from a generator.

Weights between layers start by one of three rules, which differ in their variance:

========== =========================== ====================================================
name       variance of a weight        source
========== =========================== ====================================================
``he``     ``2 / fan_in``              He, Zhang, Ren, Sun, ICCV 2015: for relu
``glorot`` ``2 / (fan_in + fan_out)``  Glorot, Bengio, AISTATS 2010: for tanh and sigmoid
``lecun``  ``1 / fan_in``              LeCun, Bottou, Orr, Müller, Efficient BackProp, 1998
========== =========================== ====================================================

All are drawn uniformly, from ``-sqrt(3 v)`` to ``sqrt(3 v)`` for the variance v.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Constant:
    """``value``; but ``other`` in the second of ``parts`` equal parts, where there are parts."""

    value: float = 0.0
    other: float = 0.0
    parts: int = 0

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator, rule: str) -> np.ndarray:
        array = np.full(shape, self.value)
        if self.parts:
            size = shape[0] // self.parts
            array[size : 2 * size] = self.other
        return array


@dataclass(frozen=True)
class Uniform:
    """From ``-bound`` to ``bound``."""

    bound: float

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator, rule: str) -> np.ndarray:
        return rng.uniform(-self.bound, self.bound, shape)


@dataclass(frozen=True)
class Fans:
    """By the numbers of inputs that reach each output, and of outputs that each input reaches.

    rule: ``he``, ``glorot`` or ``lecun``; None for the network's choice, which goes by the
    activation behind.
    """

    inputs: int
    outputs: int
    rule: str | None = None

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator, rule: str) -> np.ndarray:
        bound = (3 * variance(self.rule or rule, self.inputs, self.outputs)) ** 0.5
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class Orthogonal:
    """Square matrices side by side, each orthogonal, all of those alike likely: nothing that goes
    through one grows or vanishes.

    Sources: Saxe, McClelland, Ganguli, ICLR 2014; Mezzadri, Notices of the AMS 54, 2007.
    """

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator, rule: str) -> np.ndarray:
        size = shape[0]
        squares = []
        for _ in range(shape[1] // size):
            q, r = np.linalg.qr(rng.standard_normal((size, size)))
            squares.append(q * np.sign(np.diagonal(r)))
        return np.concatenate(squares, axis=1)


Start = Constant | Uniform | Fans | Orthogonal
"""How a parameter starts: ``draw`` gives an array of its shape, by a rule where weights name none
themselves."""


def variance(rule: str, fan_in: int, fan_out: int) -> float:
    """Of each weight, by the rule's name; KeyError for another."""
    return {"he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out), "lecun": 1 / fan_in}[rule]
