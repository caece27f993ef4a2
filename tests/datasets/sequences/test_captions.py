"""Captions in each of their files, back with their pictures; what is missing is said."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from cnntool.datasets.sequences.reading import load_samples
from cnntool.datasets.sequences.samples import ReadOptions
from cnntool.errors import InputError


def picture(path, value=0, size=(6, 4), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = value if mode == "L" else (value, 10, 20)
    Image.new(mode, size, colour).save(path)


def said(data):
    """The captions by the red of the picture."""
    return {int(x[0, 0, 0]): answer for x, answer in zip(data.inputs, data.answers, strict=True)}


def three(folder):
    for number in (1, 2, 3):
        picture(folder / f"p{number}.png", number)


def test_a_text_beside_each_picture(tmp_path):
    three(tmp_path)
    (tmp_path / "p1.txt").write_text("a dog\na brown dog\n")
    (tmp_path / "p2.gt.txt").write_text("a cat\n")
    data = load_samples(str(tmp_path), "captioner")["train"]
    assert (data.form, data.inputs[0].shape, data.inputs[0].dtype) == (
        "picture",
        (3, 4, 6),
        np.uint8,
    )
    assert said(data) == {1: ("a dog", "a brown dog"), 2: ("a cat",)}
    assert data.places == [str(tmp_path / "p1.png"), str(tmp_path / "p2.png")]
    assert data.notes == (f"{tmp_path}: 1 picture without a caption left out",)
    assert data.format == "a text beside each picture"


def test_parts_are_folders(tmp_path):
    for part in ("train", "val"):
        three(tmp_path / part)
        (tmp_path / part / "p1.txt").write_text("one\n")
    parts = load_samples(str(tmp_path), "captioner")
    assert {name: len(part) for name, part in parts.items()} == {"train": 1, "validation": 1}


NUMBERED = "p1.png#0\ta dog , running\np1.png#1\ta dog\np2.png#0\ta cat\np9.png#0\tgone\n"
COLUMNS = 'image,caption\np1.png,"a dog , running"\np1.png,a dog\np2.png,a cat\np9.png,gone\n'
PIPES = "image_name| comment_number| comment\np1.png| 0| a dog , running\np1.png| 1| a dog\n"


@pytest.mark.parametrize("text", [NUMBERED, COLUMNS])
@pytest.mark.parametrize("is_file", [True, False])
def test_captions_as_flickr8k_has_them(tmp_path, text, is_file):
    three(tmp_path / "Images")
    (tmp_path / "captions.txt").write_text(text)
    source = tmp_path / "captions.txt" if is_file else tmp_path
    data = load_samples(str(source), "captioner")["train"]
    assert said(data) == {1: ("a dog , running", "a dog"), 2: ("a cat",)}
    lost, unsaid = data.notes
    assert lost.endswith("captions.txt: captions of 1 picture that is not there left out (p9.png)")
    assert unsaid == f"{tmp_path}: 1 picture without a caption left out"


def test_captions_as_flickr30k_has_them(tmp_path):
    three(tmp_path)
    (tmp_path / "results.csv").write_text(PIPES)
    data = load_samples(str(tmp_path), "captioner")["train"]
    assert said(data) == {1: ("a dog , running", "a dog")}


def test_metadata_of_json_lines(tmp_path):
    three(tmp_path)
    lines = [{"file_name": "p1.png", "text": "a dog"}, {"file_name": "p3.png", "text": ["x", "y"]}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = load_samples(str(tmp_path), "captioner")["train"]
    assert said(data) == {1: ("a dog",), 3: ("x", "y")}


def coco(images=((7, "p1.png"), (8, "p2.png")), annotations=((7, "a dog"), (8, "a cat"), (7, "b"))):
    return json.dumps(
        {
            "info": {},
            "images": [{"id": number, "file_name": name} for number, name in images],
            "annotations": [{"image_id": i, "id": 1, "caption": text} for i, text in annotations],
        }
    )


def test_cocos_json_beside_or_in_another_folder(tmp_path):
    three(tmp_path / "train2017")
    path = tmp_path / "annotations" / "captions_train2017.json"
    path.parent.mkdir()
    path.write_text(coco())
    data = load_samples(str(path), "captioner")["train"]
    assert said(data) == {1: ("a dog", "b"), 2: ("a cat",)}
    assert data.format == "COCO's JSON"
    (tmp_path / "train2017" / "captions.json").write_text(coco())
    assert len(load_samples(str(tmp_path / "train2017"), "captioner")["train"]) == 2


def test_captions_are_in_normal_form_and_pictures_in_one_size_and_colour(tmp_path):
    picture(tmp_path / "a.png", 9)
    picture(tmp_path / "b.png", 9, (3, 3), "L")
    (tmp_path / "a.txt").write_text("cafe\u0301", "utf-8")
    (tmp_path / "b.txt").write_text("b")
    with pytest.raises(InputError, match=r"all images need one size, add --resize"):
        load_samples(str(tmp_path), "captioner")
    data = load_samples(str(tmp_path), "captioner", ReadOptions(resize=(8, 5)))["train"]
    assert [x.shape for x in data.inputs] == [(3, 8, 5), (3, 8, 5)]
    assert data.answers[0] == ("caf\u00e9",)
    grey = load_samples(str(tmp_path), "captioner", ReadOptions(resize=(8, 5), colour="grey"))
    assert grey["train"].inputs[0].shape == (1, 8, 5)


def test_a_picture_that_cannot_be_read_is_left_out_and_said(tmp_path):
    three(tmp_path)
    for number in (1, 2, 3):
        (tmp_path / f"p{number}.txt").write_text("x")
    (tmp_path / "p2.png").write_bytes((tmp_path / "p2.png").read_bytes()[:40])
    data = load_samples(str(tmp_path), "captioner")["train"]
    assert len(data) == 2
    assert data.notes[0] == f"{tmp_path}: 1 of 3 pictures cannot be read and is left out"
    assert data.notes[1].startswith(f"{tmp_path / 'p2.png'} is ")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "captions.txt",
            "p1.png#0\ta\nwhat\n",
            "captions.txt:2 is 'what': expected NAME#NUMBER",
        ),
        ("captions.txt", "image,caption\nx.png,a\n", "says nothing of pictures that are in "),
        ("captions.txt", "image,caption\np1.png\n", "captions.txt:2 has 1 column, where "),
        (
            "metadata.jsonl",
            '{"file": "p1.png", "words": 1}',
            "has file, words, and none for the t",
        ),
        ("metadata.jsonl", '{"file_name": 1', "metadata.jsonl:1 is not JSON ("),
        ("c.json", '{"images": [', "c.json is no JSON (Expecting value)"),
        ("c.json", '{"images": []}', "c.json has no lists 'images' and 'annotations', as COCO's"),
        ("c.json", coco(annotations=[(1, "a")]), "annotations[0] is of the image 1, which"),
        (
            "c.json",
            '{"images": [{"id": 1}], "annotations": []}',
            "images[0] has no 'file_name'",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path, name, text, message):
    three(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        load_samples(str(tmp_path), "captioner")
    assert "\n" not in str(error.value)


def test_a_name_that_two_pictures_have_is_refused(tmp_path):
    three(tmp_path / "a")
    three(tmp_path / "b")
    (tmp_path / "captions.txt").write_text("a/p1.png#0\tone\n")
    assert len(load_samples(str(tmp_path), "captioner")["train"]) == 1
    (tmp_path / "captions.txt").write_text("p1.png#0\tone\n")
    with pytest.raises(InputError, match=r"captions.txt:1: 'p1.png' may be .*: write its path"):
        load_samples(str(tmp_path), "captioner")


def test_pictures_without_captions_are_in_no_format(tmp_path):
    three(tmp_path)
    with pytest.raises(InputError, match=r"is in no format that a captioner learns from: "):
        load_samples(str(tmp_path), "captioner")
