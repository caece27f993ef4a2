"""How weights start: He's, Glorot's and LeCun's rules, drawn from a generator.

========== =========================== ====================================================
name       variance of a weight        source
========== =========================== ====================================================
``he``     ``2 / fan_in``              He, Zhang, Ren, Sun, ICCV 2015: for relu
``glorot`` ``2 / (fan_in + fan_out)``  Glorot, Bengio, AISTATS 2010: for tanh and sigmoid
``lecun``  ``1 / fan_in``              LeCun, Bottou, Orr, Müller, Efficient BackProp, 1998
========== =========================== ====================================================

All are drawn uniformly, from ``-sqrt(3 v)`` to ``sqrt(3 v)`` for the variance v. Biases start at 0.
"""

from __future__ import annotations

import numpy as np

from cnntool.networks.layers.layer import Parameter

RULES = ("he", "glorot", "lecun")


def variance(rule: str, fan_in: int, fan_out: int) -> float:
    """Of each weight, by the rule's name; KeyError for another."""
    return {"he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out), "lecun": 1 / fan_in}[rule]


def initial(parameter: Parameter, rule: str, rng: np.random.Generator) -> np.ndarray:
    """The float32 array that a parameter starts as."""
    if not parameter.fan_in:
        return np.full(parameter.shape, parameter.start, np.float32)
    bound = (3 * variance(rule, parameter.fan_in, parameter.fan_out)) ** 0.5
    return rng.uniform(-bound, bound, parameter.shape).astype(np.float32)
