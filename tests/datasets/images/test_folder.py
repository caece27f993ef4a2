"""Which images a folder holds, what is made of them, and what is wrong with other folders."""

import os
from pathlib import Path

import numpy as np
import pytest
from labelled_images import noise, picture_folder, save_picture
from PIL import Image

from cnntool.datasets import memory
from cnntool.datasets.images.dataset import LoadOptions
from cnntool.datasets.images.files import natural_key
from cnntool.datasets.images.folder import find_classes, find_parts, load_image_folder
from cnntool.errors import InputError, RequestError


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


def refusal_of(function, folder):
    with pytest.raises(InputError) as raised:
        function(folder)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_that_of_several_pictures_in_a_file_one_is_taken_is_said_from_the_cache_too(
    make, monkeypatch
):
    folder = make("a/", "b/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent / "cache"))
    pages = [Image.fromarray(np.full((4, 5), each, np.uint8)) for each in (10, 200, 90)]
    pages[0].save(folder / "a" / "0.tif", save_all=True, append_images=pages[1:])
    pages[1].save(folder / "b" / "0.png")
    for _ in range(2):
        parts = load_image_folder(folder, LoadOptions())
        assert [x.mean() for x in parts.train.x] == [10, 200]
        (note,) = parts.about
        assert note == (
            f"{folder}: 1 of 2 images has several frames or pages: the first one is taken"
        )


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
    assert refusal_of(find_classes, folder).startswith(f"{folder / 'empty'} holds no images")


def test_images_without_classes_are_told_where_to_go(make):
    message = refusal_of(find_classes, make("1.png", "2.png"))
    assert (
        "holds 2 images but no class folders: put the images of each class in a folder" in message
    )


def test_an_empty_folder_is_told_what_is_expected(make):
    assert "holds no images: expected one sub-folder a class" in refusal_of(find_classes, make())


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
    found, note = find_parts(make(*names))
    assert bool(note) == ("docs/x.txt" in names)
    assert list(found) == parts
    assert all(listing.labels == ("a",) for listing in found.values())


def test_a_class_may_be_called_train(make):
    found, _ = find_parts(make("train/1.png", "bus/1.png"))
    assert found["train"].labels == ("bus", "train")


def test_parts_are_read_without_one_to_train_on(tmp_path):
    picture_folder(tmp_path / "val")
    picture_folder(tmp_path / "test", count=2)
    parts = load(tmp_path)
    assert {name: len(part) for name, part in parts.each.items()} == {"validation": 6, "test": 4}
    with pytest.raises(InputError, match="is a validation part and a test part alone: a network"):
        _ = parts.train


def test_what_lies_beside_parts_is_named(make):
    names = "train/a/1.png", "val/a/1.png", "valid/a/1.png", "more/a/1.png", "x.png", "x.txt"
    folder = make(*names)
    found, note = find_parts(folder)
    assert list(found) == ["train", "validation"]
    assert found["validation"].folder == folder / "val"
    assert note == f"{folder}: more/, valid/ and 1 image left out, beside train/ and val/"


def test_a_class_that_only_training_has_images_of_is_noted(make):
    folder = make("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/")
    held_out = find_parts(folder)[0]["validation"]
    assert (held_out.labels, held_out.y.tolist()) == (("a",), [0])
    assert held_out.notes == (f"{folder / 'val' / 'b'} holds no images: left out",)
    assert "holds no images" in refusal_of(find_parts, make("test/a/", "test/b/"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_is_left_out_with_a_note(make):
    folder = make("a/1.png", "b/1.png")
    os.mkfifo(folder / "a" / "pipe.png")
    (folder / "b" / "gone.png").symlink_to(folder / "nowhere")
    listing = find_classes(folder)
    assert names_of(listing) == ["a/1.png", "b/1.png", "b/gone.png"]
    note = f"{folder}: 1 file of the kind of pipes and devices left out"
    assert listing.notes == (note,)


def test_nobody_is_told_to_remove_a_folder_that_may_be_no_class(make):
    folder = make("bin/", "cats/1.png")
    message = refusal_of(find_classes, folder)
    assert message.startswith(f"{folder / 'bin'} holds no images (PNG")
    assert message.endswith("or name the folder whose sub-folders are classes")
    assert "or remove" not in message


def load(folder, **options):
    return load_image_folder(folder, LoadOptions(cache=False, **options))


def message_of(folder, **options):
    with pytest.raises(InputError) as raised:
        load(folder, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_every_image_is_read_with_its_class(tmp_path):
    pixels = picture_folder(tmp_path, count=12)
    data = load(tmp_path).train
    assert (data.labels, data.x.shape, data.white) == (("cats", "dogs"), (24, 1, 6, 5), 255.0)
    expected = [pixels[name, f"{index}.png"] for name in data.labels for index in range(12)]
    np.testing.assert_array_equal(data.x[:, 0], expected)
    assert data.y.tolist() == [0] * 12 + [1] * 12
    assert data.notes == ()


def test_images_are_resized_as_pillow_does(tmp_path):
    pixels = noise(20, 31, 3)
    save_picture(tmp_path / "a" / "1.png", pixels)
    save_picture(tmp_path / "b" / "1.png", noise(9, 9, 3))
    data = load(tmp_path, resize=(8, 12)).train
    expected = Image.fromarray(pixels).resize((12, 8), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(data.x[0].transpose(1, 2, 0), np.asarray(expected))


def test_colour_is_kept_where_one_image_has_it_unless_asked_otherwise(tmp_path):
    picture_folder(tmp_path)
    assert load(tmp_path, colour="rgb").train.image_shape == (3, 6, 5)
    save_picture(tmp_path / "cats" / "x.png", noise(6, 5, 3))
    assert load(tmp_path).train.image_shape == (3, 6, 5)
    assert load(tmp_path, colour="grey").train.image_shape == (1, 6, 5)


def test_every_colour_mode_is_read_as_the_light_that_it_shows(tmp_path):
    colour = 200, 100, 50
    palette = Image.new("P", (5, 6), 1)
    palette.putpalette([0, 0, 0, *colour])
    clear = Image.new("RGBA", (5, 6), (*colour, 0))  # white shows through it
    inks = Image.new("CMYK", (5, 6), (55, 155, 205, 0))
    for name, picture in {
        "1.png": palette,
        "2.png": Image.new("RGBA", (5, 6), (*colour, 255)),
        "3.png": clear,
        "4.tif": inks,
        "5.png": Image.new("L", (5, 6), 128),
        "6.jpg": inks,
    }.items():
        (tmp_path / "a").mkdir(exist_ok=True)
        picture.save(tmp_path / "a" / name)
    save_picture(tmp_path / "b" / "1.png", noise(6, 5, 3))
    data = load(tmp_path, strict=True).train
    assert (data.x.dtype, data.x.shape[1:]) == (np.uint8, (3, 6, 5))
    expected = [colour, colour, (255,) * 3, colour, (128,) * 3, colour]
    for image, shade in zip(data.x[:6], expected, strict=True):
        np.testing.assert_allclose(image[:, 3, 2], shade, atol=2)


def test_one_deep_image_makes_all_floats_up_to_1(tmp_path):
    pixels = picture_folder(tmp_path)
    np.save(tmp_path / "dogs" / "deep.npy", np.full((6, 5), 65535, np.uint16))
    data = load(tmp_path).train
    assert (data.x.dtype, data.white, data.x[-1].min()) == (np.float32, 1.0, 1.0)
    np.testing.assert_allclose(data.x[0, 0] * 255, pixels["cats", "0.png"], atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(7, 9), (6, 9), (7, 5)])
def test_sizes_that_differ_name_two_files_and_the_remedy(tmp_path, height, width):
    picture_folder(tmp_path)
    odd = save_picture(tmp_path / "dogs" / "odd.png", noise(height, width))
    first = tmp_path / "cats" / "0.png"
    assert message_of(tmp_path) == (
        f"{first} is 6x5, {odd} is {height}x{width} (height x width): all images need one size, "
        "add --resize 6x5"
    )


def test_bad_images_are_named_counted_and_left_out(tmp_path):
    pixels = picture_folder(tmp_path)
    whole = (tmp_path / "cats" / "1.png").read_bytes()
    (tmp_path / "cats" / "1.png").write_bytes(whole[:-20])  # a sound header, pixels cut short
    (tmp_path / "dogs" / "0.png").write_bytes(b"no image")
    data = load(tmp_path).train
    assert data.y.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(data.x[1, 0], pixels["cats", "2.png"])
    assert [Path(file).relative_to(tmp_path).as_posix() for file in data.files] == [
        "cats/0.png", "cats/2.png", "dogs/1.png", "dogs/2.png"
    ]  # fmt: skip
    assert data.notes[0] == f"{tmp_path}: 2 of 6 images cannot be read and are left out"
    assert [note.split(" is ")[0] for note in data.notes[1:]] == [
        str(tmp_path / "cats" / "1.png"),
        str(tmp_path / "dogs" / "0.png"),
    ]


def test_strict_refuses_a_bad_image_by_name(tmp_path):
    picture_folder(tmp_path)
    bad = tmp_path / "cats" / "1.png"
    bad.write_bytes(bad.read_bytes()[:-20])
    assert message_of(tmp_path, strict=True).startswith(f"{bad} is cut short")
    (tmp_path / "dogs" / "0.png").write_bytes(b"")
    (tmp_path / "dogs" / "1.png").write_bytes(b"")
    assert message_of(tmp_path, strict=True).endswith("(and 2 more cannot be read)")


def test_a_class_whose_images_are_all_bad_is_named(tmp_path):
    picture_folder(tmp_path, count=1)
    (tmp_path / "cats" / "0.png").write_bytes(b"")
    empty = f"{tmp_path / 'cats' / '0.png'} is empty"
    message = message_of(tmp_path)
    assert message.startswith(f"{tmp_path / 'cats'} holds no image that can be read, replace")
    assert f"; its only one: {empty}" in message
    (tmp_path / "dogs" / "0.png").write_bytes(b"")
    message = message_of(tmp_path)
    assert message.startswith(f"{tmp_path} holds no image that can be read, replace them with")
    assert f"; the first of 2: {empty}" in message


def test_one_class_is_read_since_a_trained_network_may_be_measured_on_it(tmp_path):
    picture_folder(tmp_path, classes=("cats",))
    assert load(tmp_path).train.labels == ("cats",)


def test_parts_share_labels_and_colours(tmp_path):
    picture_folder(tmp_path / "train", ("ant", "bee"))
    picture_folder(tmp_path / "val", ("bee",), 2)
    save_picture(tmp_path / "test" / "ant" / "1.png", noise(6, 5, 3))
    parts = load(tmp_path)
    assert parts.validation.y.tolist() == [1, 1]
    assert {part.image_shape for part in parts.each.values()} == {(3, 6, 5)}
    picture_folder(tmp_path / "val", ("cow",), 1)
    assert "has the class cow" in message_of(tmp_path)


def test_what_would_not_fit_into_memory_is_said_before_anything_is_decoded(tmp_path, monkeypatch):
    picture_folder(tmp_path)
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert "would need 6.0 MB for 6 images of 1 x 1,000 x 1,000" in message_of(
        tmp_path, resize=(1000, 1000)
    )


def test_progress_counts_every_image(tmp_path):
    picture_folder(tmp_path, count=8)
    seen = []
    load_image_folder(
        tmp_path, LoadOptions(cache=False), lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, 16) for done in range(1, 17)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "blue"}, "colour is 'blue', expected one of auto, grey, rgb"),
        ({"resize": (0, 5)}, "resize is 0x5, expected a height and a width from 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        LoadOptions(**options)
