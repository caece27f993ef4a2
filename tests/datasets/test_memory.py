"""Sizes in words, and what the system says is free."""

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


def test_this_machine_has_some_memory_free():
    free = memory.free_memory()
    assert free is None or free > 10**6
