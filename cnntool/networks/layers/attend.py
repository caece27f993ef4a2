"""The layer of a decoder that looks back at what the encoder read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnntool.engine.attention import (
    additive_attention,
    additive_attention_backward,
    general_attention,
    general_attention_backward,
)
from cnntool.engine.linear import dense, dense_backward
from cnntool.networks.initialisation import Fans
from cnntool.networks.layers.layer import (
    Arrays,
    Gradients,
    Layer,
    Output,
    Parameter,
    Pass,
    Shape,
    Words,
    is_steps,
    shape_text,
)

SCORES = "general", "additive"


@dataclass(frozen=True)
class Attend(Layer):
    """Steps h (T, B, H), with a weighted mean of the encoder's steps put to each, as steps (T, B,
    H): ``tanh([context_t, h_t] W + b)``, the context by
    :func:`~cnntool.engine.attention.general_attention` or ``additive_attention``.

    What it looks at is a state that it carries: ``keys`` (B, S, D), and ``lengths`` (B,) of those.

    keys: D, of the encoder it stands behind; None without one.

    Luong, Pham, Manning, Effective approaches to attention-based neural machine translation,
    EMNLP 2015, section 3.
    """

    score: str = "general"
    keys: int | None = None

    kind = "attend"
    sees_all = True

    @classmethod
    def read(cls, name: str, words: Words) -> Attend:
        """``attend``, or ``attend additive``."""
        return cls(words.setting(SCORES) or "general")

    def __str__(self) -> str:
        return "attend" + (f" {self.score}" if self.score != "general" else "")

    def output_shape(self, shape: Shape) -> Shape:
        if self.keys is None:
            raise ValueError("it looks back at the steps of an encoder: put one before it, with =>")
        if not is_steps(shape):
            raise ValueError(f"it takes steps, not {shape_text(shape)}: put it behind a recurrence")
        return shape

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        units, keys = shape[-1], self.keys or 0
        if self.score == "general":
            scoring = {"weight": Parameter((keys, units), Fans(keys, units))}
        else:
            scoring = {
                "w_query": Parameter((units, units), Fans(units, units)),
                "w_keys": Parameter((keys, units), Fans(keys, units)),
                "v": Parameter((units,), Fans(units, 1)),
            }
        output = Parameter((keys + units, units), Fans(keys + units, units))
        return scoring | {"w_output": output, "bias": Parameter((units,))}

    def state(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        return {"keys": (0, self.keys or 0), "lengths": ()}

    def multiply_adds(self, shape: Shape) -> int:
        units, keys = shape[-1], self.keys or 0
        scoring = keys * units if self.score == "general" else units * (units + keys)
        return scoring + (keys + units) * units

    def connections(self, shape: Shape) -> int:
        return (self.multiply_adds(shape) + shape[-1]) * (shape[0] or 1)

    def forward(self, x: np.ndarray, params: Arrays, buffers: Arrays, way: Pass) -> Output:
        keys, lengths = buffers["keys"].swapaxes(0, 1), buffers["lengths"].astype(np.intp)
        if self.score == "general":
            context, attention = general_attention(x, keys, params["weight"], lengths=lengths)
        else:
            scoring = (params[name] for name in ("w_query", "w_keys", "v"))
            context, attention = additive_attention(x, keys, *scoring, lengths=lengths)
        both = np.concatenate([context, x], axis=-1)
        y, output = dense(both, params["w_output"], params["bias"])
        y = np.tanh(y, out=y)
        return y, (attention, output, y)

    def backward(
        self,
        dy: np.ndarray,
        cache: Any,
        *,
        need_dx: bool = True,
        dstate: Arrays | None = None,
    ) -> Gradients:
        """Also by the keys, (B, S, D)."""
        attention, output, y = cache
        dboth, dweight, dbias = dense_backward(dy * (1 - y * y), output)
        assert dboth is not None  # as it is needed
        width = attention.keys.shape[-1]
        found = {"w_output": dweight, "bias": dbias}
        if self.score == "general":
            dquery, dkeys, found["weight"] = general_attention_backward(
                dboth[..., :width], attention
            )
        else:
            dquery, dkeys, *scoring = additive_attention_backward(dboth[..., :width], attention)
            found |= dict(zip(("w_query", "w_keys", "v"), scoring, strict=True))
        found["keys"] = dkeys.swapaxes(0, 1)
        return dquery + dboth[..., width:], found
