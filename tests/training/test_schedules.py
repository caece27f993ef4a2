"""Schedules by hand and against PyTorch, and the one line that answers each mistake."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntool.errors import RequestError
from cnntool.training.schedules import SCHEDULES, Schedule, parse_schedule


def factors(spec, total_steps, epoch_steps=1):
    schedule = parse_schedule(spec)
    return [schedule(step, total_steps, epoch_steps) for step in range(total_steps)]


def torch_factors(make, total_steps):
    """What PyTorch's scheduler makes of a rate of 1, a step at a time."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, rates = make(torch.optim.lr_scheduler, optimizer), []
    for _ in range(total_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_constant_is_one():
    assert factors("constant", 3) == [1, 1, 1]


def test_cosine_by_hand():
    half = math.sqrt(0.5)
    np.testing.assert_allclose(
        factors("cosine", 4), [1, (1 + half) / 2, 0.5, (1 - half) / 2], rtol=1e-14
    )
    assert parse_schedule("cosine")(4, 4) == parse_schedule("cosine")(9, 4) == 0
    assert parse_schedule("cosine:floor=0.2")(2, 4) == pytest.approx(0.6)
    assert parse_schedule("cosine:floor=0.2")(4, 4) == 0.2


def test_step_drops_after_so_many_epochs():
    expected = [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert factors("step:every=2,factor=0.5", 7) == expected
    in_epochs = factors("step:every=2,factor=0.5", 21, epoch_steps=3)
    assert in_epochs == [factor for factor in expected for _ in range(3)]


def test_a_warm_up_is_linear_and_meets_the_schedule_at_one():
    assert factors("constant:warmup=3", 5) == [0.25, 0.5, 0.75, 1, 1]
    assert factors("cosine:warmup=3", 13)[3:] == factors("cosine", 10)
    assert factors("step:every=2,warmup=3", 9)[3:] == factors("step:every=2", 6)


def test_a_warm_up_longer_than_the_training_still_rises():
    assert factors("cosine:warmup=9", 3) == [0.1, 0.2, 0.3]
    assert parse_schedule("cosine:warmup=3")(3, 3) == 0


def test_schedules_are_those_of_pytorch():
    cosine = lambda rules, optimizer: rules.CosineAnnealingLR(optimizer, 50, eta_min=0.05)
    np.testing.assert_allclose(factors("cosine:floor=0.05", 50), torch_factors(cosine, 50), 1e-12)
    step = lambda rules, optimizer: rules.StepLR(optimizer, 7, gamma=0.3)
    np.testing.assert_allclose(
        factors("step:every=7,factor=0.3", 50), torch_factors(step, 50), 1e-12
    )
    warm = lambda rules, optimizer: rules.LinearLR(optimizer, 1 / 11, total_iters=10)
    np.testing.assert_allclose(
        factors("constant:warmup=10", 20), torch_factors(warm, 20), rtol=1e-12
    )


@given(
    st.sampled_from(["constant", "cosine", "cosine:floor=0.1", "step:every=3,factor=0.5"]),
    st.integers(0, 30),
    st.integers(1, 60),
)
def test_factors_are_above_zero_rise_in_the_warm_up_and_fall_after_it(spec, warmup, total):
    values = factors(f"{spec},warmup={warmup}", total)
    assert all(0 < value <= 1 for value in values)
    assert np.all(np.diff(values[: warmup + 1]) > 0)
    assert np.all(np.diff(values[warmup:]) <= 0)


@pytest.mark.parametrize(
    ("spec", "canonical"),
    [
        ("constant", "constant"),
        (" cosine ", "cosine:floor=0"),
        ("cosine,warmup=1e2", "cosine:floor=0,warmup=100"),
        ("step: every = 5", "step:every=5,factor=0.1"),
        ("step:warmup=2,factor=1/4,every=5", "step:every=5,factor=0.25,warmup=2"),
    ],
)
def test_specs_are_read_in_any_order_and_spacing_and_written_in_one(spec, canonical):
    schedule = parse_schedule(spec)
    assert str(schedule) == canonical
    assert parse_schedule(canonical) == schedule
    assert isinstance(schedule, Schedule)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cosin", "unknown schedule 'cosin': did you mean 'cosine'?"),
        ("plateau", "unknown schedule 'plateau': expected constant, cosine, step"),
        ("", "the schedule has no name: write it like 'cosine:warmup=200'"),
        ("warmup=200", "unknown schedule 'warmup=200': expected constant, cosine, step"),
        ("step", "schedule step does not say every: write 'step:every=NUMBER', whole epochs"),
        ("step:evry=5", "schedule step has no parameter 'evry': did you mean 'every'?"),
        ("cosine:gamma=5", "schedule cosine has no parameter 'gamma': it takes floor and warmup"),
        ("constant:floor=0", "schedule constant has no parameter 'floor': it takes warmup"),
        ("step:every=2,", "schedule step: 'step:every=2,' has an empty place: write it like 'cos"),
        ("cosine:", "schedule cosine: 'cosine:' has an empty place: write it like 'cosine:warmup="),
        ("cosine,", "schedule cosine: 'cosine,' has an empty place: write it like 'cosine:warmup="),
        ("step:every=x", "schedule step: every is 'x', but must be whole epochs from 1 to 1000000"),
        ("step:every=2,every=3", "schedule step: every is given twice in 'step:every=2,every=3'"),
        ("step:every", "'every' in 'step:every' is no setting: write 'step:every=NUMBER', whole"),
        ("step:every=0", "schedule step: every is 0, but must be whole epochs from 1"),
        ("step:every=1.5", "schedule step: every is 1.5, but must be whole epochs from 1"),
        ("step:every=2,factor=0", "schedule step: factor is 0, but must be a factor from 1e-06"),
        ("cosine:warmup=-1", "schedule cosine: warmup is -1, but must be whole steps from 0"),
        ("cosine:floor=2", "schedule cosine: floor is 2, but must be a fraction from 0 to 1"),
        ("cosine:floor=low", "schedule cosine: floor, 'low', is not a number: write 0.5"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line_with_the_remedy(spec, message):
    with pytest.raises(RequestError) as raised:
        parse_schedule(spec)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_a_warm_up_is_cut_to_a_tenth_of_a_short_run():
    long = parse_schedule("cosine:floor=0.1,warmup=20")
    assert str(long.within(199)) == "cosine:floor=0.1,warmup=19"
    assert str(long.within(9)) == "cosine:floor=0.1"
    assert long.within(200) == long.within(10_000) == long


def test_every_schedule_says_what_it_does():
    for rule, _ in SCHEDULES.values():
        assert rule.__doc__
