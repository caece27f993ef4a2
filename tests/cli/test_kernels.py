"""`cnntool kernels`: the list and the facts, for people and for programs."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cnntool.cli.main import cli
from cnntool.errors import RequestError
from cnntool.imaging.kernels import CATALOGUE, Filter, parse_kernel


def run(*arguments, stdin=None):
    done = CliRunner().invoke(cli, ["kernels", *arguments], input=stdin)
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


@pytest.mark.parametrize("name", [*CATALOGUE, "gaussian:sigma=3,size=5", "1 2; 3 4"])
def test_what_is_printed_as_json_is_the_kernel_again(tmp_path, name):
    path = tmp_path / "k.json"
    path.write_text(run(name, "--json"))
    kernel, again = parse_kernel(name), parse_kernel(str(path))
    np.testing.assert_array_equal(again.bank, kernel.bank)
    for field in ("combine", "names", "directions", "is_colour", "shown", "bias"):
        assert getattr(again, field) == getattr(kernel, field)


def test_a_filter_for_colour_and_an_offset_are_printed_and_read_again(tmp_path, monkeypatch):
    bank = np.arange(54.0).reshape(6, 3, 3)
    kernel = Filter("k", "k", bank, names=("a", "b-red"), is_colour=True, shown="stretch", bias=-2)
    monkeypatch.setattr("cnntool.cli.kernels.read_learned", lambda path, place: kernel)
    path = tmp_path / "k.json"
    path.write_text(run("model.npz:conv1", "--json"))
    again = parse_kernel(str(path))
    np.testing.assert_array_equal(again.bank, bank)
    assert (again.names, again.count, again.shown, again.bias) == (kernel.names, 2, "stretch", -2)


def test_a_kernel_from_stdin_and_an_offset_are_shown():
    text = run("-", stdin='{"kernel": [[1, 0, -1]], "scale": 2, "offset": 128}')
    assert "1 x 3" in text
    assert "0.5" in text
    assert "then added" in text
    assert "0.5 to 255.5 from pixels 0 to 255" in text  # 128 - 127.5, 128 + 127.5


def test_stdin_is_read_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.txt").write_text("1 2 3")
    for arguments in (
        ["convolve", "-", "-k", "-"],
        ["convolve", "x.png", "-k", "-", "-k", " -"],
        ["convolve1d", "-k", "-"],
        ["explain", "convolve", "-", "-k", "-"],
    ):
        with pytest.raises(RequestError, match="stdin can be read once, and two are to come from"):
            CliRunner().invoke(cli, arguments, input="1 0 -1", catch_exceptions=False)
    done = CliRunner().invoke(cli, ["convolve1d", "x.txt", "-k", "-"], input="[1 0 -1]")
    assert done.stdout.split() == ["1", "2", "1"]  # 2 - 1, 3 - 1, 3 - 2: the ends are repeated


def test_weights_of_which_only_rounding_is_left_are_0():
    assert "e-1" not in run("gabor")
    assert 0 < np.abs(json.loads(run("gabor", "--json"))["kernels"][0]["matrix"]).min() < 1e-15
