"""`cnntool kernels`: the list and the facts, for people and for programs."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from cnntool.cli.main import cli
from cnntool.errors import RequestError
from cnntool.imaging.kernels import CATALOGUE


def run(*arguments):
    done = CliRunner().invoke(cli, ["kernels", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_the_list_names_every_kernel():
    lines = [line.split()[0] for line in run().splitlines() if line.strip()]
    assert set(CATALOGUE) <= set(lines)


def test_the_list_as_json():
    entries = json.loads(run("--json"))
    assert [entry["name"] for entry in entries] == list(CATALOGUE)
    assert all(entry["formula"] and entry["source"] for entry in entries)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_kernel_is_shown_with_its_facts(name):
    text = run(name)
    for fact in ("size", "sum", "rank", "symmetric", "worst case, 8 bit", "formula", "source"):
        assert fact in text
    details = json.loads(run(name, "--json"))
    assert np.shape(details["kernels"][0]["matrix"]) == tuple(details["size"])


def test_the_facts_of_sobel_by_hand():
    details = json.loads(run("sobel", "--json"))
    assert details["kernels"][0]["matrix"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert details["rank"] == [1, 1]
    assert details["sum"] == [0, 0]
    assert details["combine"] == "magnitude"


def test_a_matrix_of_ones_own():
    details = json.loads(run("1 2; 3 4", "--json"))
    assert details["sum"] == [10]
    assert details["rank"] == [2]
    assert details["anchor"] == [1, 1]
    assert details["worst_case"] == [0, 2550]


def test_a_matrix_may_begin_with_a_minus():
    assert json.loads(run("-1 0 1", "--json"))["kernels"][0]["matrix"] == [[-1, 0, 1]]


def test_into_a_pipe_every_kernel_is_one_line_without_trailing_blanks():
    lines = run().splitlines()
    assert not any(line.endswith(" ") for line in lines)
    assert any(line.startswith("sobel-x") and "right" in line for line in lines)


def test_shortcuts():
    assert json.loads(run("gaussian", "--sigma", "2", "--json"))["size"] == [17, 17]
    with pytest.raises(RequestError, match="--sigma needs a kernel"):
        run("--sigma", "2")


def test_a_large_kernel_is_shown_by_its_middle():
    text = run("gaussian:sigma=10")
    assert "the middle of 81 x 81" in text
    assert max(map(len, text.splitlines())) <= 200
