"""What is called broken, and where."""

from types import SimpleNamespace

import numpy as np
import pytest

from cnntool.datasets.feeds import Batch
from cnntool.networks.objective import Lesson
from cnntool.training.settings import Settings
from cnntool.training.task import Diverged, diverged, is_finite

BATCH = Batch(3, np.arange(2), 2)


def check(loss=1.0, gradient=(1.0, 2.0), weight=(0.5,), output=None, rate=0.1, decay=0.0, clip=0.0):
    """Check a step whose network has one weight, and whose layers give what ``output`` says."""
    network = SimpleNamespace(params={"dense1.weight": np.array(weight, np.float32)})
    settings = Settings(optimizer="sgd", learning_rate=rate, weight_decay=decay, clip=clip)
    task = SimpleNamespace(
        name="cnn", settings=settings, network=network, first_broken=lambda batch: output
    )
    lesson = Lesson(loss, 1, {})
    if not is_finite(lesson, np.array(gradient, np.float32)):
        raise diverged(lesson, task, BATCH, "epoch 1")


def test_numbers_are_fine_even_where_their_squares_are_too_large():
    check()
    check(gradient=(1e30, -1e30))
    check(gradient=(0, 0))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"loss": np.nan}, "the loss is nan"),
        ({"loss": np.inf}, "the loss is inf"),
        ({"gradient": (1, np.nan)}, "the gradient is not finite though the loss is"),
        ({"gradient": (np.inf, 1)}, "the gradient is not finite though the loss is"),
        ({"gradient": (np.nan, 1), "output": "the output of relu1"}, "the output of relu1 is not"),
        ({"loss": np.nan, "weight": (np.inf,), "output": "x"}, "dense1.weight is not finite"),
    ],
)
def test_what_broke_first_is_named(broken, words):
    with pytest.raises(Diverged, match=f"^epoch 1, step 3: {words}.*--learning-rate"):
        check(**broken)


@pytest.mark.parametrize(("rate", "better"), [(9e11, "0.1"), (0.3, "0.1"), (0.1, "0.01")])
def test_a_rate_to_try_is_named(rate, better):
    """The one that the optimizer usually has; where it was that, a tenth."""
    with pytest.raises(Diverged, match=f"--learning-rate {better},"):
        check(loss=np.nan, rate=rate)


@pytest.mark.parametrize(
    ("rate", "decay", "words"),
    [
        (
            0.1,
            1e9,
            "--weight-decay 1000000000 times the learning rate of 0.1 is 1 or more.* try --wei",
        ),
        (0.001, 1000, "try --weight-decay 0$"),
        (9e11, 0.3, "--learning-rate 0.1,"),  # at the usual rate that decay is harmless
        (0.1, 9, "--learning-rate 0.01,"),
    ],
)
def test_a_decay_that_takes_all_of_a_parameter_is_the_cause(rate, decay, words):
    with pytest.raises(Diverged, match=words):
        check(loss=np.nan, rate=rate, decay=decay)


@pytest.mark.parametrize(("clip", "is_advised"), [(0.0, True), (5.0, True), (1.0, False)])
def test_to_clip_is_advised_where_gradients_are_not_clipped_so_far(clip, is_advised):
    with pytest.raises(Diverged) as raised:
        check(loss=np.nan, clip=clip)
    assert ("--clip 1" in str(raised.value)) is is_advised
