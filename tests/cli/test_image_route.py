"""Which way an image goes: whole, in strips, or not at all, by what is known before its pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnntool.cli.files import Source, Targets
from cnntool.cli.image_route import Needs, choose_route
from cnntool.cli.options import Batch
from cnntool.errors import InputError

BATCH = Batch(images=("photo.npy",))
BYTES = 100_000_000


def route(needs=Needs(), to="out.npy", **options):  # noqa: B008 (it is frozen)
    source, target = Source(Path("photo.npy")), Targets((Path(to),))
    return choose_route(source, target, replace(BATCH, **options), needs)


@pytest.fixture
def photo(folder):
    """110 MB as a whole: the program, the pixels twice, and a result of floats twice."""
    np.save("photo.npy", np.zeros((1000, 1000, 1), np.uint8))


def test_what_fits_goes_whole(photo):
    assert route().file is None
    assert route(memory=3 * BYTES).file is None


@pytest.mark.parametrize(
    ("shape", "options", "in_strips"),
    [
        ((3000, 4500, 1), {}, True),
        ((3000, 4500, 1), {"memory": 3 * BYTES}, False),
        ((3000, 4500, 1), {"cluster": "local:2"}, False),
        ((3000, 2250, 2), {"alpha": "last"}, False),
    ],
)
def test_what_is_large_goes_in_strips_where_it_goes_by_once(folder, shape, options, in_strips):
    """Some 200 MB as a whole, without a limit to the memory, without alpha, on this machine."""
    np.save("photo.npy", np.zeros(shape, np.uint8))
    found = route(**options).file is not None
    assert found == in_strips


@pytest.mark.parametrize(
    ("needs", "memory"),
    [(Needs(), 109), (Needs(results=3), 117), (Needs(between=4), 113), (Needs(jobs=2), 219)],
)
def test_what_takes_more_than_it_may_goes_in_strips(photo, needs, memory):
    """Of results, of what is between, and of as many pictures as there are at a time."""
    found = route(needs, memory=memory * 1_000_000)
    assert found.file is not None
    assert found.memory == memory * 1_000_000 / needs.jobs
    assert found.file.layout.height == 1000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"needs": Needs(why_whole="its bins are parts")}, "its bins are parts"),
        ({"to": "out.webp"}, "a WebP is written whole"),
        ({"show": True}, "--show draws the whole of it"),
    ],
)
def test_what_can_only_be_whole_is_refused_with_the_reason(photo, change, reason):
    with pytest.raises(InputError, match=f"goes not in strips: {reason}"):
        route(**change, memory=BYTES)
    assert route(**change).file is None  # without a limit it is not asked
