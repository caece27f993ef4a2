"""Clips of frames and of animations with labels in each of their files."""

import re

import numpy as np
import pytest
from PIL import Image

from cnntool.datasets.sequences.reading import load_samples
from cnntool.datasets.sequences.samples import ReadOptions
from cnntool.errors import InputError


def frames_of(values, size=(5, 4)):
    return [Image.new("L", size, value) for value in values]


def folder_clip(folder, values, **size):
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames_of(values, **size), 1):
        frame.save(folder / f"f{number}.png")


def animation(path, values):
    first, *rest = frames_of(values)
    first.save(path, save_all=True, append_images=rest, duration=100)


@pytest.fixture
def clips(tmp_path):
    folder_clip(tmp_path / "one", range(12))
    animation(tmp_path / "two.gif", [10, 100, 200])
    animation(tmp_path / "three.png", [30, 60])
    return tmp_path


EXPECTED = {"one": "abcdefghijkl", "two": "xyx", "three": "xz"}


def rows(start=0, name=lambda clip, n: str(n)):
    lines = [
        f"{clip},{name(clip, number)},{label}"
        for clip, labels in EXPECTED.items()
        for number, label in enumerate(labels, start)
    ]
    return "\n".join(["clip,frame,label", *reversed(lines)])


def check(folder):
    """In colour, as a GIF may have it."""
    data = load_samples(str(folder), "tagger")["train"]
    assert (data.form, data.format) == ("frames", "clips with a label a frame")
    names = [re.split(r"[./]", place.removeprefix(f"{folder}/"))[0] for place in data.places]
    assert names == ["one", "three", "two"]
    assert data.answers == [tuple(EXPECTED[name]) for name in names]
    one, three, two = data.inputs
    assert (one.shape, one.dtype) == ((12, 3, 4, 5), np.uint8)
    assert one[:, 0, 0, 0].tolist() == list(range(12))
    assert three[:, 0, 0, 0].tolist() == [30, 60]
    np.testing.assert_allclose(two[:, 0, 0, 0], [10, 100, 200], atol=1)
    return data


def names(clip, number):
    return f"f{number}.png" if clip == "one" else str(number)


@pytest.mark.parametrize("text", [rows(0), rows(1), rows(1, names)])
def test_rows_of_a_clip_a_frame_and_a_label(clips, text):
    (clips / "labels.csv").write_text(text)
    assert check(clips).notes == ()


def test_a_row_a_clip(clips):
    lines = [f"{clip},{','.join(labels)}" for clip, labels in EXPECTED.items()]
    (clips / "labels.csv").write_text("\n".join(lines).replace("two,", "two.gif,"))
    check(clips)


def test_a_text_a_clip(clips):
    (clips / "one" / "labels.txt").write_text("\n".join(EXPECTED["one"]) + "\n\n")
    for clip in ("two", "three"):
        (clips / f"{clip}.txt").write_text("\n".join(EXPECTED[clip]))
    check(clips)


def test_what_has_no_labels_and_what_has_no_clip_is_said(clips):
    (clips / "labels.csv").write_text("two,x,y,x\nfour,a\n")
    data = load_samples(str(clips), "tagger")["train"]
    assert len(data) == 1
    assert data.notes == (
        f"{clips}: labels of 1 clip that is not there left out (four)",
        f"{clips}: 2 clips without labels left out (one, three)",
    )


def test_clips_are_of_one_size_and_colour(tmp_path):
    folder_clip(tmp_path / "a", [1, 2])
    folder_clip(tmp_path / "b", [1, 2], size=(8, 8))
    (tmp_path / "labels.csv").write_text("a,x,y\nb,x,y\n")
    with pytest.raises(InputError, match="all images need one size, add --resize 4x5"):
        load_samples(str(tmp_path), "tagger")
    how = ReadOptions(resize=(4, 5), colour="rgb")
    data = load_samples(str(tmp_path), "tagger", how)["train"]
    assert [x.shape for x in data.inputs] == [(2, 3, 4, 5)] * 2


def test_a_clip_with_a_frame_that_cannot_be_read_is_left_out(clips):
    (clips / "labels.csv").write_text(rows())
    (clips / "one" / "f3.png").write_bytes(b"no picture")
    data = load_samples(str(clips), "tagger")["train"]
    assert len(data) == 2
    assert data.notes[0] == f"{clips}: 1 of 3 clips cannot be read and is left out"
    assert data.notes[1].startswith(f"{clips / 'one' / 'f3.png'} is not an image")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("two,x,y\n", "labels.csv:1: {}/two.gif has 3 frames and 2 labels: each frame needs one"),
        (
            "two,x,,y\n",
            "labels.csv:1: two has a frame without a label: expected a clip and a",
        ),
        ("two,x,y,x\ntwo,x,y,x\n", "labels.csv:2: two is told twice"),
        (
            "clip,frame,label\ntwo,0,x\ntwo,0,x\ntwo,1,y\n",
            "labels.csv:3: frame 0 of two is told",
        ),
        (
            "clip,frame,label\ntwo,0,x\ntwo,1,x\ntwo,3,y\n",
            "are numbered 0 to 3, expected 0 to 2 or",
        ),
        ("clip,frame,label\ntwo,a,x\ntwo,b,x\ntwo,c,y\n", "two.gif has no frame 'a': expected the"),
        ("four,x\n", "has labels of none of its clips (one, three, two): write them in labels.csv"),
        ("clip,frame\ntwo,1\n", "labels.csv has no column 'label'"),
    ],
)
def test_a_mistake_is_one_line(clips, text, message):
    (clips / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=re.escape(message.format(clips))) as error:
        load_samples(str(clips), "tagger")
    assert "\n" not in str(error.value)
