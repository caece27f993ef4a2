"""Which images a folder holds, and what is wrong with folders that hold none."""

import pytest

from cnntool.datasets.images.class_folders import find_classes, find_parts, natural_key
from cnntool.errors import InputError


@pytest.fixture
def make(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir() if name.endswith("/") else path.touch()
        return tmp_path

    return make


def names_of(listing):
    return [path.relative_to(listing.folder).as_posix() for path in listing.files]


def message_of(function, folder):
    with pytest.raises(InputError) as raised:
        function(folder)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_names_sort_as_people_count():
    names = ["img10", "img9", "IMG1", "img09", "img", "2b", "10a", "b", "A"]
    assert sorted(names, key=natural_key) == [
        "2b", "10a", "A", "b", "img", "IMG1", "img09", "img9", "img10"
    ]  # fmt: skip


def test_each_sub_folder_is_a_class_with_what_lies_below_it(make):
    folder = make("b10/x.png", "b9/2.jpg", "b9/10.JPEG", "b9/deeper/1.bmp", "a/1.gif")
    listing = find_classes(folder)
    assert listing.labels == ("a", "b9", "b10")
    assert names_of(listing) == [
        "a/1.gif",
        "b9/2.jpg",
        "b9/10.JPEG",
        "b9/deeper/1.bmp",
        "b10/x.png",
    ]
    assert listing.y.tolist() == [0, 1, 1, 1, 2]
    assert listing.notes == ()


def test_hidden_files_do_not_count_and_others_are_noted(make):
    folder = make(
        "a/1.png", "a/._1.png", "a/Thumbs.db", "a/notes.txt", "b/1.png", "b/.git/x.png",
        ".cache/x.png", "__MACOSX/x.png", "cover.png",
    )  # fmt: skip
    listing = find_classes(folder)
    assert names_of(listing) == ["a/1.png", "b/1.png"]
    assert listing.notes == (
        f"{folder}: 1 image outside the class folders left out",
        f"{folder}: 2 files of other kinds left out",
    )


def test_a_class_without_images_is_named(make):
    folder = make("a/1.png", "empty/")
    assert message_of(find_classes, folder).startswith(f"{folder / 'empty'} holds no images")


def test_images_without_classes_are_told_where_to_go(make):
    message = message_of(find_classes, make("1.png", "2.png"))
    assert (
        "holds 2 images but no class folders: put the images of each class in a folder" in message
    )


def test_an_empty_folder_is_told_what_is_expected(make):
    assert "holds no images: expected one sub-folder a class" in message_of(find_classes, make())


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("train/a/1.png", "val/a/1.png", "test/a/1.png"), ["train", "validation", "test"]),
        (("Training/a/1.png", "Testing/a/1.png"), ["train", "test"]),
        (("train/a/1.png", "valid/a/1.png", "docs/x.txt"), ["train", "validation"]),
        (("train/a/1.png",), ["train"]),
    ],
)
def test_folders_called_train_val_and_test_are_parts(make, names, parts):
    found = find_parts(make(*names))
    assert list(found) == parts
    assert all(listing.labels == ("a",) for listing in found.values())


def test_a_class_may_be_called_train(make):
    found = find_parts(make("train/1.png", "bus/1.png"))
    assert found["train"].labels == ("bus", "train")


def test_val_and_test_without_train_are_refused(make):
    message = message_of(find_parts, make("val/a/1.png", "test/a/1.png"))
    assert "has val/, test/ but no train/" in message


def test_nobody_is_told_to_remove_a_folder_that_may_be_no_class(make):
    folder = make("bin/", "cats/1.png")
    message = message_of(find_classes, folder)
    assert message.startswith(f"{folder / 'bin'} holds no images (PNG")
    assert message.endswith("or name the folder whose sub-folders are classes")
    assert "or remove" not in message
