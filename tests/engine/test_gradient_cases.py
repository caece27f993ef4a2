"""The table of checks: all operations, all right, and each check able to fail."""

import importlib
import pkgutil
from dataclasses import replace

import numpy as np
import pytest

import cnntool.engine
from cnntool.engine.gradient_cases import CASES, OPERATIONS, check

FIRST_OF_EACH = {case.operation: case for case in reversed(CASES)}


def name_of(case) -> str:
    return f"{case.operation}: {case.geometry}"


def operations_with_a_way_back() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(cnntool.engine.__path__, "cnntool.engine."):
        names = vars(importlib.import_module(module.name))
        found |= {name.removesuffix("_backward") for name in names if name.endswith("_backward")}
    return {name for name in found if not name.startswith("_")}


def test_every_operation_with_a_way_back_is_in_the_table():
    assert operations_with_a_way_back() <= set(OPERATIONS)


def test_every_case_has_a_name_of_its_own():
    assert len(set(map(name_of, CASES))) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_every_gradient_is_right(case):
    for result in check(case, seed=0):
        assert (result.verdict, result.kinks) == ("ok", 0), result
        assert result.checked > 0
        assert result.error < 3e-7, result


@pytest.mark.parametrize("case", FIRST_OF_EACH.values(), ids=name_of)
def test_every_check_notices_one_wrong_element_of_each_gradient(case):
    def backward(dy, cache):
        gradients = case.backward(dy, cache)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        for gradient in (g for g in gradients if g is not None):
            gradient[np.unravel_index(abs(gradient).argmax(), gradient.shape)] *= 1.0001
        return gradients

    for result in check(replace(case, backward=backward), seed=0):
        assert result.verdict == "wrong", result


def test_a_case_gives_the_same_numbers_whatever_ran_before():
    case = FIRST_OF_EACH["dense"]
    first = check(case, seed=5)
    check(FIRST_OF_EACH["relu"], seed=6)
    assert check(case, seed=5) == first
