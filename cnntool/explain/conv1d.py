"""Every product of a small one-dimensional convolution, forward and backward, and its proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cnntool.engine.convolution import conv1d, conv1d_backward
from cnntool.engine.gradient_check import STEP
from cnntool.engine.windows import Axis, Padding, im2col, plan_axis

Term = tuple[float, float | None]
"""Two factors; the second is None for a zero of the padding."""


@dataclass(frozen=True, eq=False)
class Conv1dSteps:
    """One signal under one kernel, all float64: what each sum is made of, and what it gives.

    ``y[i] = bias + sum over k of weight[k] * x[reads[i, k]]``, and by the chain rule

        dweight[k] = sum over i of dy[i] * x[reads[i, k]]
        dx[j] = sum over the i, k with reads[i, k] == j of dy[i] * weight[k]
        dbias = sum over i of dy[i]

    Gradients are by name: of ``x``, of ``weight`` and, where there is one, of ``bias`` (1,). The
    numeric ones are central differences of ``L = sum over i of dy[i] * y[i]``.
    """

    x: np.ndarray  # (L,)
    weight: np.ndarray  # (k,)
    bias: float | None
    axis: Axis
    reads: np.ndarray  # (outputs, k) the input under weight k, -1 in the padding
    y: np.ndarray  # (outputs,)
    dy: np.ndarray  # (outputs,)
    gradients: dict[str, np.ndarray]
    numeric: dict[str, np.ndarray]

    @property
    def largest_difference(self) -> float:
        """Between the gradients and the numeric ones."""
        return max(
            float(np.abs(gradient - self.numeric[name]).max())
            for name, gradient in self.gradients.items()
        )

    def terms_of_y(self, output: int) -> list[Term]:
        """Each weight with the input that it meets."""
        reads = self.reads[output].tolist()
        return [(w, self._input(j)) for w, j in zip(self.weight.tolist(), reads, strict=True)]

    def terms_of_dweight(self, tap: int) -> list[Term]:
        """Each dy with the input that the weight meets for that output."""
        reads = self.reads[:, tap].tolist()
        return [(dy, self._input(j)) for dy, j in zip(self.dy.tolist(), reads, strict=True)]

    def terms_of_dx(self, place: int) -> dict[int, Term]:
        """By the output that reads the input, its dy with the weight that meets the input."""
        outputs, taps = np.nonzero(self.reads == place)
        pairs = zip(self.dy[outputs].tolist(), self.weight[taps].tolist(), strict=True)
        return dict(zip(outputs.tolist(), pairs, strict=True))

    def _input(self, place: int) -> float | None:
        return None if place < 0 else float(self.x[place])


def conv1d_steps(
    signal: Sequence[float],
    kernel: Sequence[float],
    bias: float | None = None,
    grad: Sequence[float] | float = 1.0,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    *,
    flip: bool = False,
) -> Conv1dSteps:
    """Run conv1d and its way back over a signal x (L,) and a kernel, its weight (k,).

    ``grad`` is dy, (outputs,) or one number. ``flip`` turns the kernel round: true convolution,
    with ``weight[k]`` read from the window's end. Raises ValueError where the kernel does not fit,
    or dy has another length than y.
    """
    x, weight = np.array(signal, np.float64), np.array(kernel, np.float64)
    axis = plan_axis(len(x), len(weight), stride, dilation, padding, flipped=flip)
    dy = np.array(grad, np.float64)
    if dy.size not in (1, axis.output_size):
        raise ValueError(f"dy has {dy.size} values: expected 1, or {axis.output_size} as y")
    dy = np.broadcast_to(dy, axis.output_size).copy()
    order = slice(None, None, -1 if flip else 1)

    inputs = {"x": x, "weight": weight}
    if bias is not None:
        inputs["bias"] = np.array([bias], np.float64)

    def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None):
        pads = axis.before, axis.after
        return conv1d(x[None, None], weight[None, None, order], bias, stride, pads, dilation)

    def loss(name: str, value: np.ndarray) -> float:
        return float(dy @ forward(**{**inputs, name: value})[0][0, 0])

    y, cache = forward(**inputs)
    dx, dweight, dbias = conv1d_backward(dy[None, None], cache)
    assert dx is not None
    gradients = {"x": dx[0, 0], "weight": dweight[0, 0, order]}
    if dbias is not None:
        gradients["bias"] = dbias

    return Conv1dSteps(
        x=x,
        weight=weight,
        bias=bias,
        axis=axis,
        reads=inputs_read(axis)[:, order],
        y=y[0, 0],
        dy=dy,
        gradients=gradients,
        numeric={
            name: central_differences(partial(loss, name), value) for name, value in inputs.items()
        },
    )


def inputs_read(axis: Axis) -> np.ndarray:
    """Which input each tap of each output reads, (outputs, taps), -1 in the padding.

    The places of the inputs themselves go through im2col.
    """
    places = np.arange(1, axis.size + 1, dtype=np.intp)  # im2col puts 0 into the padding
    one_row = plan_axis(1, 1)
    windows = im2col(places[None, None, None], one_row, axis)  # (1, 1, 1, k, 1, outputs)
    return windows.reshape(axis.kernel_size, -1).T - 1


def central_differences(loss: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    """The gradient of a loss at x (n,): ``(loss(x + h e_i) - loss(x - h e_i)) / 2h`` for every i.

    ``h = eps^(1/3) * max(1, |x_1|, ..., |x_n|)``: the loss is linear in x, so that no step is too
    long, and a short one would drown in the rounding of a large loss.
    """
    step = STEP * max(1.0, np.abs(x).max())
    return np.array(
        [(loss(x + move) - loss(x - move)) / (2 * step) for move in step * np.eye(len(x))]
    )
