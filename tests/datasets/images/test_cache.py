"""What is kept of a folder, and when it is read again."""

import os
import threading

import numpy as np
import pytest
from labelled_images import noise, picture_folder, save_picture

from cnntool.datasets.images import cache
from cnntool.datasets.images import folder as folder_module
from cnntool.datasets.images.dataset import LoadOptions
from cnntool.datasets.images.folder import load_image_folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    picture_folder(tmp_path / "photos")
    (tmp_path / "photos" / "cats" / "bad.png").write_bytes(b"")
    return tmp_path / "photos"


@pytest.fixture
def opened(monkeypatch):
    """The paths of the images that are decoded."""
    paths, open_image = [], folder_module.open_image
    spy = lambda path, **options: paths.append(path) or open_image(path, **options)
    monkeypatch.setattr(folder_module, "open_image", spy)
    return paths


def load(folder, **options):
    return load_image_folder(folder, LoadOptions(**options))


def test_the_second_reading_opens_no_image_and_gives_the_same(folder, opened):
    first = load(folder).train
    assert len(opened) == 6
    second = load(folder).train
    assert len(opened) == 6
    assert second.fingerprint == first.fingerprint
    assert (second.notes, second.labels, second.name) == (first.notes, first.labels, first.name)
    assert second.y.dtype == np.int64
    assert second.files == first.files
    assert len(first.files) == len(first) == 6


def test_another_file_time_or_option_is_read_anew(folder, opened):
    load(folder)
    for change in (
        lambda: load(folder, colour="rgb"),
        lambda: load(folder, resize=(3, 3)),
        lambda: load(folder, cache=False),
        lambda: (os.utime(folder / "cats" / "0.png", ns=(1, 1)), load(folder)),
        lambda: (save_picture(folder / "cats" / "z.png", noise(6, 5)), load(folder)),
    ):
        before = len(opened)
        change()
        assert len(opened) > before


def test_folders_that_change_places_change_the_classes_too(folder):
    """Size, time of writing and names of all files stay as they are."""
    for path in folder.glob("*/*"):
        path.write_bytes(path.read_bytes().ljust(1000, b"\0"))
        os.utime(path, ns=(1, 1))
    before = load(folder).train
    (folder / "cats").rename(folder / "x")
    (folder / "dogs").rename(folder / "cats")
    (folder / "x").rename(folder / "dogs")
    after = load(folder).train
    np.testing.assert_array_equal(after.x[after.y == 0], before.x[before.y == 1])


def test_what_else_lies_there_is_noted_anew(folder):
    assert len(load(folder).train.notes) == 2
    (folder / "cats" / "notes.txt").touch()
    assert f"{folder}: 1 file of other kinds left out" in load(folder).train.notes


def test_nothing_is_written_when_it_is_off(folder, tmp_path):
    load(folder, cache=False)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: whole[:-100], lambda _: b"x"])
def test_a_damaged_entry_is_read_anew_and_replaced(folder, opened, tmp_path, damage):
    first = load(folder).train
    (entry,) = (tmp_path / "cache" / "cnntool" / "images").iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert load(folder).train.fingerprint == first.fingerprint
    assert len(opened) == 12
    load(folder)
    assert len(opened) == 12


def test_a_cache_that_cannot_be_written_is_no_error(folder, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert len(load(folder).train) == 6


def test_writers_at_the_same_time_leave_one_whole_entry(folder, tmp_path):
    results = []
    work = lambda: results.append(load(folder).train.fingerprint)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert len(results) == 4
    (entry,) = (tmp_path / "cache" / "cnntool" / "images").iterdir()
    with np.load(entry, allow_pickle=False) as archive:
        assert archive["train"].shape == (6, 1, 6, 5)


def test_the_oldest_entries_go_when_the_cache_is_full(folder, tmp_path, monkeypatch):
    load(folder)
    (oldest,) = (tmp_path / "cache" / "cnntool" / "images").iterdir()
    os.utime(oldest, (1, 1))
    monkeypatch.setattr(cache, "LARGEST_CACHE", oldest.stat().st_size + 100)
    load(folder, colour="grey")
    assert not oldest.exists()
    assert len(list(oldest.parent.iterdir())) == 1
    monkeypatch.setattr(cache, "LARGEST_ENTRY", 10)
    load(folder, resize=(4, 4))
    assert len(list(oldest.parent.iterdir())) == 1


def test_a_relative_cache_home_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.cache_folder().is_absolute()
