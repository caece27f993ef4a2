"""Sizes in words, and what the system says is free."""

import subprocess
import sys

import pytest

from cnntool.datasets import memory
from cnntool.errors import InputError
from cnntool.wording import bytes_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(900, "900 bytes"), (47_040_000, "47.0 MB"), (3_210_000_000, "3.2 GB"), (2e15, "2,000.0 TB")],
)
def test_sizes_are_said_as_people_read_them(count, text):
    assert bytes_text(count) == text


def test_what_fits_passes_and_what_does_not_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 3_000_000)
    memory.check_fits("set", 1000, (3, 10, 10), 10)
    with pytest.raises(InputError) as raised:
        memory.check_fits("set", 1000, (3, 100, 100), 1)
    assert str(raised.value) == (
        "set would need 30.0 MB for 1,000 images of 3 x 100 x 100, and 3.0 MB of memory is free: "
        "use smaller images (--resize) or fewer"
    )
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    memory.check_fits("set", 10**9, (3, 100, 100), 1)  # nobody knows


def test_what_is_left_under_a_limit_of_address_space_counts_where_it_is_less():
    limited = """if True:
        import resource
        from cnntool.datasets import memory
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
        left = memory.address_space_left()
        assert 1 << 30 < left < 4 << 30, left
        assert memory.free_memory() <= left
        memory.check_free(1 << 20, "a little", "more")
        memory.free_memory = lambda: left
        memory.check_free(4 << 30, "a run needs 4.3 GB", "set less")
    """
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True)
    assert "a run needs 4.3 GB, and " in done.stderr
    assert done.stderr.rstrip().endswith("GB is left under the limit of ulimit -v: set less")


def test_this_machine_has_some_memory_free():
    free = memory.free_memory()
    assert free is None or free > 10**6
