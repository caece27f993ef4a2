"""Layers drawn at random, and one text of every kind: what several tests of networks need."""

from hypothesis import strategies as st

from cnntool.networks.layers.attend import SCORES, Attend
from cnntool.networks.layers.convolutions import (
    LENET5_TABLE,
    Convolution,
    LocallyConnected,
    Window,
)
from cnntool.networks.layers.core import ACTIVATIONS, Activation, BatchNorm, Dense, Dropout, Flatten
from cnntool.networks.layers.embeddings import Embedding
from cnntool.networks.layers.layer import LARGEST
from cnntool.networks.layers.pools import (
    POOLS,
    AdaptivePool,
    PyramidPool,
    SlidingPool,
    Subsampling,
)
from cnntool.networks.layers.recurrent import GATES, Recurrent
from cnntool.networks.layers.steps import TIME_POOLS, Columns, Each, Places, TimePool

counts = st.one_of(st.integers(1, 12), st.integers(1, LARGEST))
pairs = st.tuples(counts, counts)
paddings = st.tuples(st.integers(0, LARGEST), st.integers(0, 9))
modes = st.sampled_from(("max", "average"))
windows = st.builds(Window, pairs, pairs, st.one_of(paddings, st.just("same")), pairs)
tables = st.one_of(
    st.just(LENET5_TABLE),
    st.integers(1, 5).flatmap(
        lambda maps: st.lists(st.tuples(*[st.booleans()] * maps), min_size=1, max_size=6).map(tuple)
    ),
)

LAYERS = st.one_of(
    st.builds(
        Convolution, counts, windows, counts, st.one_of(st.none(), tables), has_bias=st.booleans()
    ),
    st.builds(LocallyConnected, counts, windows),
    st.builds(
        SlidingPool,
        st.sampled_from(sorted(set(POOLS) - {"lp", "gaussian"})),
        pairs,
        st.one_of(st.none(), pairs),
        paddings,
    ),
    st.builds(SlidingPool, st.just("lp"), pairs, p=st.floats(1, float("inf"))),
    st.builds(
        SlidingPool, st.just("gaussian"), pairs, sigma=st.one_of(st.none(), st.floats(1e-3, 1e6))
    ),
    st.builds(AdaptivePool, modes, pairs),
    st.builds(PyramidPool, st.lists(st.integers(1, 999), min_size=1, max_size=9).map(tuple), modes),
    st.builds(Subsampling, pairs),
    st.builds(Flatten),
    st.builds(Dense, counts, st.booleans()),
    st.builds(Embedding, counts, counts, st.one_of(st.none(), pairs)),
    st.builds(Attend, st.sampled_from(SCORES)),
    st.builds(Recurrent, st.sampled_from(sorted(GATES)), counts, st.booleans()),
    st.builds(TimePool, st.sampled_from(sorted(TIME_POOLS))),
    st.builds(Columns),
    st.builds(Places),
    st.builds(Each, st.builds(Dense, counts)),
    st.builds(Activation, st.sampled_from(sorted(ACTIVATIONS))),
    st.builds(Dropout, st.floats(0, 1, exclude_max=True)),
    st.builds(BatchNorm),
)
"""Any layer, with settings that its text can have."""

EVERY_LAYER = (
    "conv 4 3x3",
    "conv 4 3x2 stride 2x1 pad 1x0",
    "conv 4 3x3 pad same dilation 2 no-bias",
    "conv 4 3x3 pad 1 groups 2",
    "conv 3 3x3 connections 11/10/01",
    "local 3 3x3 stride 2 pad 1",
    "local 2 2x3 dilation 2x1",
    "max 2",
    "max 3 stride 2 pad 1",
    "max 2x3 stride 1x2",
    "average 2",
    "average 3 stride 1 pad 1",
    "lp 2",
    "lp 3 stride 2 p 3",
    "gaussian 3",
    "gaussian 3 stride 1 sigma 0.7",
    "subsample 2",
    "adaptive-max 3x2",
    "adaptive-average 4",
    "adaptive-gaussian 3x2",
    "global-max",
    "global-average",
    "global-gaussian",
    "pyramid 1,2",
    "pyramid 1,3 average",
    "flatten",
    "dense 5",
    "relu",
    "tanh",
    "scaled-tanh",
    "sigmoid",
    "dropout 0.4",
    "batch-norm",
    "columns",
    "places",
)
"""Over 2 maps of 7 x 6."""

OF_SEQUENCES = (
    "embedding 9 x 4",
    "embedding 9 x 4 letters 7 x 3",
    "attend",
    "attend additive",
    "lstm 5",
    "gru 5",
    "rnn 5",
    "lstm 5 both",
    "dense 9 tied",
    "last",
    "mean-steps",
    "max-steps",
    "each relu",
)
"""The first over tokens, the others over steps of features."""
