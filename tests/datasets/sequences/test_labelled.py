"""Labelled texts, from every format that they come in."""

import json

import pytest
from sample_files import notes, problem, read

from cnntool.datasets.sequences.reading import load_samples
from cnntool.errors import InputError

TEXTS = ["good, so good", 'it said "yes"', "é漢", "one"]
LABELS = ["pos", "pos", "neg", "neg"]


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


WRITTEN = {
    "fasttext": "".join(f"__label__{k} {t}\n" for t, k in zip(TEXTS, LABELS, strict=True)),
    "tsv": "".join(f"{k}\t{t}\n" for t, k in zip(TEXTS, LABELS, strict=True)),
    "named tsv": "Label\tText\n" + "".join(f"{k}\t{t}\n" for t, k in zip(TEXTS, LABELS)),  # noqa: B905
    "csv": "".join(f"{quoted(t)},{k}\n" for t, k in zip(TEXTS, LABELS, strict=True)),
    "named csv": "review,sentiment\r\n"
    + "".join(f"{quoted(t)},{k}\r\n" for t, k in zip(TEXTS, LABELS, strict=True)),
    "jsonl": "".join(
        json.dumps({"text": t, "label": k}) + "\n" for t, k in zip(TEXTS, LABELS, strict=True)
    ),
}


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_format_gives_back_what_was_written(tmp_path, format, mark):
    samples = read(tmp_path, mark + WRITTEN[format], "classifier")
    assert (samples.inputs, samples.answers) == (TEXTS, LABELS)
    assert samples.form == "text"
    assert samples.notes == ()
    assert samples.places[-1] == f"{tmp_path}/data.txt:{len(TEXTS) + ('named' in format)}"


def test_all_formats_have_one_fingerprint(tmp_path):
    assert len({read(tmp_path, text, "classifier").fingerprint for text in WRITTEN.values()}) == 1


def test_other_encodings_are_read_by_name(tmp_path):
    samples = read(tmp_path, WRITTEN["tsv"].encode("utf-16"), "classifier", encoding="utf-16")
    assert samples.inputs == TEXTS
    assert "byte 0xff" in problem(tmp_path, WRITTEN["tsv"].encode("utf-16"), "classifier")


def test_a_label_may_stand_anywhere_in_fasttexts_lines(tmp_path):
    samples = read(
        tmp_path, b"__label__a good\tone\r\n\r\nso bad __label__b indeed\r\n", "classifier"
    )
    assert samples.inputs == ["good\tone", "so bad indeed"]
    assert samples.answers == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("__label__a __label__b y", "data.txt:2 has 2 labels (a, b): a classifier learns one"),
        ("y", "data.txt:2 has no label: begin it with __label__ and a name"),
        ("__label__ y", "data.txt:2 has __label__ without a name"),
    ],
)
def test_a_line_of_fasttext_has_one_label(tmp_path, line, message):
    assert problem(tmp_path, f"__label__a x\n{line}\n", "classifier").startswith(message)


def test_labels_without_a_text_are_left_out_and_counted(tmp_path):
    samples = read(tmp_path, "__label__a\n__label__b x\n", "classifier")
    assert samples.answers == ["b"]
    assert notes(samples, tmp_path) == ["data.txt: 1 label without a text left out"]


def test_columns_that_are_not_read_are_named(tmp_path):
    text = "id,text,label,stars\n1,x,a,5\n2,y,b,4\n"
    samples = read(tmp_path, text, "classifier")
    assert notes(samples, tmp_path) == ["data.txt: columns 'id', 'stars' are not read"]
    assert samples.format == "comma-separated, 'text' the text and 'label' the label"
    samples = read(tmp_path, text, "classifier", label_column="stars", text_column="2")
    assert (samples.inputs, samples.answers) == (["x", "y"], ["5", "4"])


def test_of_two_columns_the_label_is_that_with_fewer_values(tmp_path):
    samples = read(tmp_path, "x\t1\ny\t1\nz\t0\n", "classifier")
    assert samples.answers == ["1", "1", "0"]
    assert samples.format == "tab-separated, column 1 the text and column 2 the label"


def test_a_first_line_that_may_be_names_is_said_to_be_data(tmp_path):
    samples = read(tmp_path, "phrase\tstars\nx\t1\ny\t1\nz\t0\nu\t0\n", "classifier")
    assert samples.answers == ["stars", "1", "1", "0", "0"]
    assert notes(samples, tmp_path) == [
        "data.txt:1 is read as data, with the label 'stars': where it names the columns, set "
        "--label-column stars"
    ]
    samples = read(tmp_path, "phrase\tstars\nx\t1\ny\t0\n", "classifier", label_column="stars")
    assert (samples.inputs, samples.answers) == (["x", "y"], ["1", "0"])


def test_a_name_that_comes_again_is_data(tmp_path):
    samples = read(tmp_path, "class\tx\ncourse\ty\nclass\tz\n", "classifier")
    assert samples.answers == ["class", "course", "class"]


def test_groups_are_read_beside(tmp_path):
    samples = read(tmp_path, "who,text,label\nann,x,a\nbob,y,b\n", "classifier", group="who")
    assert samples.groups == ["ann", "bob"]
    assert samples.notes == ()


def test_quotes_count_in_tabs_where_all_that_begin_with_one_are_well_formed(tmp_path):
    samples = read(tmp_path, 'a\t"he said ""so"""\nb\t"x"\nb\tz\n', "classifier")
    assert samples.inputs == ['he said "so"', "x", "z"]
    samples = read(tmp_path, 'a\t"yes" he said\nb\t"no"\nb\tz\n', "classifier")
    assert samples.inputs == ['"yes" he said', '"no"', "z"]


def test_texts_of_csv_may_have_line_ends_and_any_length(tmp_path):
    samples = read(tmp_path, f'text,label\n"x\ny",a\n{"z" * 200_000},b\n', "classifier")
    assert samples.inputs == ["x\ny", "z" * 200_000]
    assert samples.places == [f"{tmp_path}/data.txt:2", f"{tmp_path}/data.txt:4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tx\nb\ty\tz\n", "data.txt:2 has 3 columns, where data.txt:1 has 2: make a tab"),
        (
            "a\tx\nb\n",
            "data.txt:2 has 1 column, where data.txt:1 has 2: write what is missing, with a tab",
        ),
        ('text,label\nx,a\n"y,b\nz,a\n', "data.txt:3 is no row of CSV (unexpected end of data)"),
        (
            "text,label\nx,a\ny,z,b\n",
            "data.txt:3 has 3 columns, where data.txt:1 has 2: put quotes",
        ),
        ("text,label\n", "data.txt has names of columns (text, label) and no rows"),
        ("text,label\nx,\n", "data.txt:2 has no 'label': fill it in"),
        (
            "id,text,stars\n1,x,2\n",
            "data.txt has 3 columns (id, text, stars): name that of the lab",
        ),
        ("1\tx\ta\n", "data.txt has 3 columns without names: name that of the text and label with"),
        ('{"text": "x", "label": "a"}\n{"text": "y"}\n', "data.txt:2 has no 'label'"),
        (
            '{"text": "x", "label": NaN}\n',
            "data.txt:1: 'label' is NaN, expected a text or a number",
        ),
        ('{"text": "x", "label": ["a", "b"]}\n', "data.txt:1 has a list of labels"),
        ('{"text": "x", "label": "a"}\n{oops\n', "data.txt:2 is not JSON (Expecting property name"),
        ('{"text": "x", "label": "a"}\n[1]\n', "data.txt:2 is [1]: expected one object a line; jq"),
        ('{"text": "\\ud800", "label": "a"}\n', "data.txt:1 holds half a surrogate pair"),
        ('[\n{"text": "x"}]\n', "data.txt:1 is not JSON"),
        ("just a line\n", "data.txt is in no format that a classifier learns from: write it"),
        ("", "data.txt is empty: name what a classifier learns from, a file or folder"),
        ("\n \n", "data.txt is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "data.txt is binary: it holds byte 0x89"),
        ("a\tx\0\n", "data.txt holds NUL in line 1, which text never does: a text takes its --enc"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
    assert problem(tmp_path, text, "classifier").startswith(message)


def test_a_column_that_is_not_there_is_an_error(tmp_path):
    assert problem(tmp_path, "text,label\nx,a\n", "classifier", label_column="labl") == (
        "data.txt has no column 'labl': did you mean 'label'?"
    )


def folder_of(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return load_samples(str(tmp_path), "classifier")


def test_a_folder_a_class_in_parts(tmp_path):
    parts = folder_of(
        tmp_path,
        {
            **{"train/pos/2.txt": "two\nlines\n", "train/pos/10.txt": "ten\n"},
            **{"train/neg/1.txt": "one", "train/unsup/1.txt": "?", "train/labels.feat": "?"},
            **{"test/pos/1.txt": "a", "test/neg/deep/1.txt": "b", "test/neg/1.json": "{}"},
            "README": "?",
        },
    )
    assert list(parts) == ["train", "test"]
    train = parts["train"]
    assert train.inputs == ["one", "two\nlines", "ten"]
    assert train.answers == ["neg", "pos", "pos"]
    assert train.places[1] == str(tmp_path / "train/pos/2.txt")
    assert notes(train, tmp_path) == [
        f"{tmp_path}: README left out, beside train and test",
        "train: unsup/ left out, whose texts have no label",
        "train: labels.feat outside the class folders left out",
    ]
    assert parts["test"].inputs == ["b", "a"]
    assert notes(parts["test"], tmp_path) == ["test: 1 file without .txt left out"]


def test_texts_of_newsgroups_have_no_extension(tmp_path):
    train = folder_of(tmp_path, {"sci.space/101": "x", "sci.space/99": "y", "alt/1": "z"})["train"]
    assert (train.inputs, train.answers) == (["z", "y", "x"], ["alt", "sci.space", "sci.space"])


def test_a_class_folder_without_texts_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no texts, and every folder in"):
        folder_of(tmp_path, {"a/1.txt": "x"})


def test_a_file_a_class(tmp_path):
    train = folder_of(tmp_path, {"pos.txt": "x, y\n\nz\n", "neg.txt": "u\n", "a.md": "?"})["train"]
    assert (train.inputs, train.answers) == (["u", "x, y", "z"], ["neg", "pos", "pos"])
    assert train.places[-1] == f"{tmp_path}/pos.txt:3"
    assert notes(train, tmp_path) == [f"{tmp_path}: a.md left out, being no .txt"]
    names = [str(tmp_path / name) for name in ("pos.txt", "neg.txt")]
    assert load_samples(names, "classifier")["train"].answers == ["pos", "pos", "neg"]


def test_several_files_of_one_format_are_one_set(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(f"__label__{name} x\n")
    samples = load_samples([str(tmp_path / name) for name in "ab"], "classifier")["train"]
    assert samples.answers == ["a", "b"]
    assert samples.name == f"{tmp_path}/a and 1 more"


def test_a_format_that_is_asked_for_is_read_so(tmp_path):
    samples = read(tmp_path, "a\tb,x\na\tc,y\n", "classifier", format="csv")
    assert samples.inputs == ["a\tb", "a\tc"] or samples.answers == ["a\tb", "a\tc"]
    with pytest.raises(InputError, match=r"\.txt is no folder: --format folders wants one"):
        read(tmp_path, "x\n", "classifier", format="folders")


def test_one_class_and_one_item_are_read(tmp_path):
    assert read(tmp_path, "__label__a word\n", "classifier").answers == ["a"]
    assert read(tmp_path, "a\tword\n", "classifier").inputs == ["word"]
