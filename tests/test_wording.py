"""Numbers in sentences."""

from cnntool.wording import counted


def test_one_is_not_several():
    assert counted(1, "epoch") == "1 epoch"
    assert [counted(n, "class") for n in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]
    assert counted(1797, "image") == "1,797 images"
