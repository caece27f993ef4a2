"""`cnntool gradcheck`: the table, the verdicts and the exit codes."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from text_models import write_text_models
from trained_models import train_digits

from cnntool.cli.gradcheck import Proof
from cnntool.cli.main import cli
from cnntool.engine import gradient_cases
from cnntool.engine.gradient_cases import CASES, OPERATIONS, Case
from cnntool.engine.gradient_check import GradientCheck
from cnntool.errors import RequestError

RELU = next(case for case in CASES if case.operation == "relu")


def run(*arguments):
    """The exit code, stdout and stderr."""
    done = CliRunner().invoke(cli, ["gradcheck", *arguments], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.stdout, done.stderr


@pytest.fixture
def instead(monkeypatch):
    """Have the table hold these cases instead."""

    def put(*cases):
        monkeypatch.setattr(gradient_cases, "CASES", cases)

    return put


def doubled(dy, y):
    return 2 * RELU.backward(dy, y)


def test_checks_past_kinks_are_counted():
    checks = [
        GradientCheck("x", "directions", 8, 0, passed, 1e-9, None, 1.0, 1.0, "ok")
        for passed in (2, 1, 0)
    ]
    assert Proof(CASES[0], tuple(checks)).checked == "24 directions, 3 past kinks"
    assert Proof(CASES[0], tuple(checks[2:])).checked == "8 directions"


def test_every_operation_is_checked_and_right():
    code, text, errors = run()
    header, *rows = text.splitlines()
    assert header.split() == ["operation", "geometry", "checked", "largest", "error", "verdict"]
    assert [row.split()[0] for row in rows] == [case.operation for case in CASES]
    assert all(row.endswith("  ok") for row in rows)
    assert (code, errors) == (0, "")


def test_only_those_that_are_named():
    _, text, _ = run("sigmoid", "dense")
    assert {row.split()[0] for row in text.splitlines()[1:]} == {"sigmoid", "dense"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("convd2", "no operation 'convd2': did you mean 'conv2d'?"),
        ("xyz", f"no operation 'xyz': expected {', '.join(OPERATIONS)}"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(name, message):
    with pytest.raises(RequestError) as raised:
        run("dense", name)
    assert str(raised.value) == message


def test_as_json():
    code, text, _ = run("dense", "--json")
    entries = json.loads(text)
    assert code == 0
    assert [entry["geometry"] for entry in entries] == [
        case.geometry for case in CASES if case.operation == "dense"
    ]
    for entry in entries:
        assert (entry["operation"], entry["verdict"]) == ("dense", "ok")
        assert [found["input"] for found in entry["inputs"]] == ["x", "weight", "bias"]
        assert entry["error"] == max(found["error"] for found in entry["inputs"]) < 1e-6


def test_the_seed_chooses_the_inputs():
    assert run("dense", "--json") == run("dense", "--json", "--seed", "0")
    assert run("dense", "--json") != run("dense", "--json", "--seed", "1")


def test_a_wrong_gradient_fails_and_is_named_on_stderr(instead):
    instead(RELU, replace(RELU, backward=doubled, geometry="wrong on purpose"))
    code, text, errors = run("relu")
    assert code == 1
    assert [row.split()[-1] for row in text.splitlines()[1:]] == ["ok", "wrong"]
    (line,) = errors.splitlines()
    assert line.startswith("relu, wrong on purpose: dx[")
    assert "on the way back" in line
    assert line.endswith("and the largest relative error is 5.0e-01")


def test_a_kink_is_no_failure(instead):
    instead(replace(RELU, inputs=lambda rng: {"x": np.array([1.0, 0, -1])}))
    code, text, errors = run()
    assert (code, errors) == (0, "")
    assert text.splitlines()[1].endswith("  kink")


def test_the_tolerance_decides(instead):
    def almost(dy, y):
        return 1.0001 * RELU.backward(dy, y)

    instead(replace(RELU, backward=almost))
    assert run()[0] == 1
    assert run("--tolerance", "1e-3")[0] == 0


def test_what_is_wrong_by_rounding_alone_is_said_to_be_so():
    code, _, errors = run("conv1d", "--tolerance", "1e-30")
    *lines, note = errors.splitlines()
    assert code == 1
    assert note.startswith("--tolerance 1e-30 is finer than differences are good to, about 1e-08")
    for line in lines:
        one, other = re.search(r" is (\S+) on the way back, (\S+) by differences", line).groups()
        assert one != other


def test_not_a_number_is_wrong_and_json_all_the_same(instead):
    instead(replace(RELU, backward=lambda dy, y: np.nan * dy))
    code, text, _ = run("--json")
    entry = json.loads(text, parse_constant=pytest.fail)
    assert (code, entry[0]["verdict"], entry[0]["error"]) == (1, "wrong", None)


def test_brackets_in_a_geometry_are_no_markup(instead):
    instead(Case("relu", "[bold]x[/]", RELU.inputs, RELU.forward, RELU.backward))
    assert "[bold]x[/]" in run()[1]


def test_the_process_exits_with_2_on_a_misspelt_name(cnntool):
    done = cnntool("gradcheck", "tanhh")
    assert (done.code, done.out) == (2, b"")
    assert done.err == "cnntool: no operation 'tanhh': did you mean 'tanh'?\n"


def test_the_process_exits_with_1_where_it_is_wrong(cnntool):
    done = cnntool("gradcheck", "sigmoid", "--tolerance", "1e-15")
    assert done.code == 1
    assert done.lines[1].endswith("wrong")
    assert done.err.startswith("sigmoid, ")


def test_a_model_file_is_checked_layer_by_layer_and_whole(cnntool, folder):
    train_digits(folder / "d.npz")
    done = cnntool("gradcheck", "d.npz")
    names = ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "dense1"]
    names += ["network", "training"]
    assert [line.split()[0] for line in done.lines[1:]] == names
    assert all(line.endswith("  ok") for line in done.lines[1:])
    assert (done.code, done.err) == (0, "")
    entries = json.loads(cnntool("gradcheck", "d.npz", "sigmoid", "--json").out)
    by_name = {entry["operation"]: entry for entry in entries}
    assert [found["input"] for found in by_name["conv2"]["inputs"]] == ["x", "weight", "bias"]
    assert "conv1.weight" in [found["input"] for found in by_name["network"]["inputs"]]
    assert "sigmoid" in by_name


def test_a_model_of_text_is_checked_layer_by_layer_and_whole(cnntool, folder):
    write_text_models(folder)
    done = cnntool("gradcheck", "chars.npz")
    assert [line.split()[0] for line in done.lines[1:]] == [
        *("embedding", "lstm1", "dense1", "network", "training")
    ]
    assert all(line.endswith("  ok") for line in done.lines[1:])
    assert (done.code, done.err) == (0, "")
    entries = json.loads(cnntool("gradcheck", "words.npz", "--json").out)
    assert [found["input"] for found in entries[1]["inputs"]] == [
        *("x", "h", "c", "w_input", "w_hidden", "bias")
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.npz", "none.npz does not exist: name a model file\n"),
        (
            "grey.png",
            "grey.png is no model file: it is not an .npz archive; name a file that cnntool "
            "trained\n",
        ),
    ],
)
def test_what_is_no_model_file_is_named(cnntool, name, message):
    done = cnntool("gradcheck", name)
    assert (done.code, done.out, done.err) == (1, b"", message)


def test_a_file_that_is_no_model_does_not_stop_the_others(cnntool):
    done = cnntool("gradcheck", "relu", "nope.npz")
    assert done.code == 1
    assert b"relu" in done.out
    assert "nope.npz" in done.err
