import pytest

from cnntool.files import layout


@pytest.fixture(params=[1, 1000, 1 << 21], ids=["one row", "some rows", "all rows"])
def strip_bytes(request, monkeypatch):
    """Pictures row by row in strips of these bytes."""
    monkeypatch.setattr(layout, "STRIP_BYTES", request.param)
