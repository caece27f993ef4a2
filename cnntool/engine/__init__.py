"""Arrays in, arrays out: the one im2col engine behind every command. NumPy only.

Every operation with a way back is a pair: ``y, cache = f(x, ...)`` and ``dx = f_backward(dy,
cache)``. Modules are imported when the first of their functions is asked for.
"""

from __future__ import annotations

import importlib

_HOMES = {
    "filters.banks": ("filter_bank",),
    "convolution": ("conv1d", "conv1d_backward", "conv2d", "conv2d_backward"),
    "max_pooling": ("max_pool2d", "max_pool2d_backward", "max_pool2d_indices"),
    "pooling": (
        "average_pool2d",
        "average_pool2d_backward",
        "gaussian_pool2d",
        "gaussian_pool2d_backward",
        "lp_pool2d",
        "lp_pool2d_backward",
        "subsample2d",
        "subsample2d_backward",
        "average_pool1d",
        "average_pool1d_backward",
        "lp_pool1d",
        "lp_pool1d_backward",
        "max_pool1d",
        "max_pool1d_backward",
        "max_pool1d_indices",
    ),
    "image_pooling": ("median_pool2d", "min_pool2d", "pool_image"),
    "bin_pooling": (
        "adaptive_pool2d",
        "adaptive_pool2d_backward",
        "global_pool2d",
        "global_pool2d_backward",
        "pyramid_pool2d",
        "pyramid_pool2d_backward",
        "pool_image_to_size",
        "pyramid_pool_image",
    ),
    "local_convolution": ("local_conv2d", "local_conv2d_backward"),
    "normalization": ("batch_norm", "batch_norm_backward"),
    "linear": (
        "dense",
        "dense_backward",
        "embedding",
        "embedding_backward",
        "embedding_backward_rows",
    ),
    "cells.rnn": ("rnn", "rnn_backward"),
    "cells.gru": ("gru", "gru_backward", "reset_first_gru", "reset_first_gru_backward"),
    "cells.lstm": ("lstm", "lstm_backward"),
    "cells.stack": (
        "from_onnx",
        "from_torch",
        "recurrent",
        "recurrent_backward",
        "recurrent_step",
    ),
    "activations": (
        "dropout",
        "dropout_backward",
        "relu",
        "relu_backward",
        "scaled_tanh",
        "scaled_tanh_backward",
        "sigmoid",
        "sigmoid_backward",
        "tanh",
        "tanh_backward",
    ),
    "losses": (
        "log_softmax",
        "softmax",
        "softmax_cross_entropy",
        "softmax_cross_entropy_backward",
        "vocabulary_cross_entropy",
        "vocabulary_cross_entropy_backward",
    ),
    "gradient_check": ("GradientCheck", "gradcheck"),
    "fast": ("textbook",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
