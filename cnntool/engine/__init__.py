"""Arrays in, arrays out: the one im2col engine behind every command. NumPy only.

Every operation with a way back is a pair: ``y, cache = f(x, ...)`` and ``dx = f_backward(dy,
cache)``. Modules are imported when the first of their functions is asked for.
"""

from __future__ import annotations

import importlib

_PAIRS = {
    "convolution": "conv1d conv2d",
    "local_convolution": "local_conv2d",
    "max_pooling": "max_pool2d",
    "pooling": (
        "average_pool2d gaussian_pool2d lp_pool2d subsample2d average_pool1d lp_pool1d max_pool1d"
    ),
    "bin_pooling": "adaptive_pool2d global_pool2d pyramid_pool2d",
    "normalization": "batch_norm",
    "linear": "dense embedding",
    "attention": "additive_attention general_attention",
    "time_pooling": "time_pool",
    "cells.rnn": "rnn",
    "cells.gru": "gru reset_first_gru",
    "cells.lstm": "lstm",
    "cells.stack": "recurrent",
    "activations": "dropout relu scaled_tanh sigmoid tanh",
    "losses": "softmax_cross_entropy vocabulary_cross_entropy",
}
"""Operations, each with its ``_backward``."""

_OTHERS = {
    "filters.banks": "filter_bank",
    "max_pooling": "max_pool2d_indices",
    "pooling": "max_pool1d_indices",
    "image_pooling": "median_pool2d min_pool2d pool_image",
    "bin_pooling": "pool_image_to_size pyramid_pool_image",
    "linear": "embedding_backward_rows",
    "cells.stack": "from_onnx from_torch recurrent_step",
    "losses": "log_softmax softmax",
    "gradient_check": "GradientCheck gradcheck",
    "fast": "textbook",
}

_HOME = {name: module for module, names in _OTHERS.items() for name in names.split()}
for _module, _names in _PAIRS.items():
    for _name in _names.split():
        _HOME |= {_name: _module, f"{_name}_backward": _module}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
