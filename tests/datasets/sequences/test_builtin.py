"""Sets by name: each for its own task, the same for the same seed, mistakes in one line."""

import re
import subprocess
import sys

import pytest

from cnntool.choices import SAMPLE_FORMATS
from cnntool.datasets.sequences.builtin import BUILT_IN, load_built_in
from cnntool.datasets.sequences.reading import load_samples
from cnntool.errors import InputError, RequestError

FORMS = {
    "classifier": ("text", "steps"),
    "tagger": ("words", "steps", "frames"),
    "translator": ("text",),
    "captioner": ("picture",),
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_set_is_for_its_task_and_says_what_it_is(name):
    kind = BUILT_IN[name]
    spec = f"{name}:count=30" if kind.parameters else name
    parts = load_samples(spec, kind.task)
    assert next(iter(parts)) == "train"
    for part in parts.values():
        assert part.form in FORMS[kind.task]
        assert len(part) == len(part.inputs) == len(part.answers) > 0
        assert part.format == kind.line
        assert type(part.answers[0]) is (str if kind.task == "classifier" else tuple)
    assert len(kind.line) < 100


@pytest.mark.parametrize("name", BUILT_IN)
def test_another_task_is_told_which_command_it_is_for(name):
    task = BUILT_IN[name].task
    other = next(each for each in SAMPLE_FORMATS if each != task)
    with pytest.raises(InputError, match=f"^{name} is a set for train-{task}, not for train-"):
        load_samples(name, other)


def test_settings_that_a_set_does_not_take_are_refused():
    with pytest.raises(RequestError, match=re.escape("names takes no parameters, and 'count'")):
        load_built_in("names:count=3")


def test_the_list_of_sets_needs_no_numpy():
    code = "import sys, cnntool.datasets.sequences.builtin; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
