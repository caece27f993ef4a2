"""The sets that come along against what their makers say of them, and what packs them."""

import gzip
import importlib.util
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cnntool.datasets.sequences import packed

ROOT = Path(__file__).parents[3]
FILES = ("addresses.txt.gz", "names.txt.gz", "pronunciations.txt.gz", "vowels.bin.gz")


def test_the_files_are_small_and_their_sources_and_licences_stand_beside_them():
    assert sum((packed.HOME / name).stat().st_size for name in FILES) < 450_000
    text = (packed.HOME / "ATTRIBUTION.md").read_text("utf-8")
    for word in (
        *FILES,
        *("usaddress", "MIT License", "Copyright (c) 2014 The Atlanta Journal Constitution"),
        *("Moby Word II", "CC0", "PDDL", "Kudo", "10.24432/C5NS47", "CC BY 4.0"),
        *("Carnegie Mellon", "Redistributions in binary form", "docs/pack_sequences.py"),
    ):
        assert word in text
    config = (ROOT / "setup.cfg").read_text("utf-8")
    assert all(f"    {name}\n" in config for name in FILES)


def test_addresses_have_a_tag_a_word():
    data = packed.addresses()["train"]
    assert (len(data), data.form) == (1513, "words")
    assert [len(words) for words in data.inputs] == [len(tags) for tags in data.answers]
    tags = Counter(tag for each in data.answers for tag in each)
    assert (len(tags), tags.total(), tags["StreetName"], tags["ZipPlus4"]) == (29, 10722, 1860, 2)
    assert data.inputs[1] == ("3600", "West", "5th", "Ave")
    assert data.answers[1][:2] == ("AddressNumber", "StreetNamePreDirectional")
    assert all(word and not set(word) & set(" \t\n") for words in data.inputs for word in words)


def test_names_are_of_one_sex():
    data = packed.names()["train"]
    assert (len(data), len(set(data.inputs)), data.form) == (8003, 8003, "text")
    assert Counter(data.answers) == {"female": 4525, "male": 3478}
    sexes = dict(zip(data.inputs, data.answers, strict=True))
    assert (sexes["Aaron"], sexes["Zuzana"], sexes["Ann-Marie"]) == ("male", "female", "female")
    assert not {"Alex", "Andrea", "Robin"} & set(data.inputs)


def test_vowels_are_those_of_uci():
    parts = packed.vowels()
    assert {name: len(part) for name, part in parts.items()} == {"train": 270, "test": 370}
    counts = Counter(parts["test"].answers)
    assert [counts[str(n)] for n in range(1, 10)] == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert set(Counter(parts["train"].answers).values()) == {30}
    series = [each for part in parts.values() for each in part.inputs]
    assert {each.dtype.name for each in series} == {"float32"}
    assert {each.shape[1:] for each in series} == {(12,)}
    lengths = [len(each) for each in series]
    assert (min(lengths), max(lengths), sum(lengths)) == (7, 29, 9961)
    first = parts["train"].inputs[0]  # of ae.train
    np.testing.assert_allclose(first[0, :3], [1.860936, -0.207383, 0.261557], atol=5.1e-5)
    np.testing.assert_allclose(first[-1, :2], [1.261441, -0.63835], atol=5.1e-5)


def test_pronunciations_are_of_39_phonemes_and_may_be_several():
    data = packed.pronunciations()["train"]
    assert (len(data), len(set(data.inputs)), data.form) == (30_000, 30_000, "text")
    assert all(word.isascii() and word.isalpha() and word.islower() for word in data.inputs)
    phonemes = {each for ways in data.answers for way in ways for each in way.split(" ")}
    assert len(phonemes) == 39
    assert {"AA", "ZH", "HH", "NG"} < phonemes
    said = dict(zip(data.inputs, data.answers, strict=True))
    assert said["read"] == ("R EH D", "R IY D")
    assert all(len(set(ways)) == len(ways) for ways in data.answers)
    assert sum(map(len, data.answers)) > 31_000


def script():
    path = ROOT / "docs" / "pack_sequences.py"
    spec = importlib.util.spec_from_file_location("pack_sequences", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_packs_what_its_readers_read(tmp_path, monkeypatch):
    pack = script()
    monkeypatch.setattr(packed, "HOME", tmp_path)
    monkeypatch.setattr(pack, "TARGET", tmp_path)
    xml = "<A><S><X>1 </X> <Y>Main\n</Y></S><S><Y>½</Y></S></A>"
    pack.save("addresses.txt.gz", pack.addresses(xml).encode())
    data = packed.addresses()["train"]
    assert list(data.inputs) == [("1", "Main"), ("½",)]
    assert list(data.answers) == [("X", "Y"), ("Y",)]
    pack.save("names.txt.gz", pack.first_names("Al\nBo\nBo\n", "Ada\nAl\n").encode())
    data = packed.names()["train"]
    assert list(zip(data.inputs, data.answers, strict=True)) == [("Bo", "male"), ("Ada", "female")]
    lexicon = "a AH0\na(2) EY1\nbe B IY1\nbe(2) B IY2 # same\nit's IH1 T S\n"
    pack.save("pronunciations.txt.gz", pack.pronunciations(lexicon).encode())
    data = packed.pronunciations()["train"]
    assert (data.inputs, data.answers) == (["a", "be"], [("AH", "EY"), ("B IY",)])
    series = [np.random.default_rng(0).uniform(-2, 2, (n, 12)).round(6) for n in (3, 1, 2)]
    rows = [":".join(",".join(map(str, each)) for each in x.T) for x in series]
    texts = f"@data\n{rows[0]}:9\n{rows[1]}:2\n", f"@data\n{rows[2]}:9\n"
    pack.save("vowels.bin.gz", pack.japanese_vowels(*texts))
    parts = packed.vowels()
    assert (parts["train"].answers, parts["test"].answers) == (["9", "2"], ["9"])
    for x, found in zip(series, parts["train"].inputs + parts["test"].inputs, strict=True):
        np.testing.assert_allclose(found, x, atol=5.1e-5)


def test_the_script_refuses_what_it_was_not_written_for(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["pack_sequences.py", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"usaddress-0.5.16.tar.gz does not exist: download it"):
        script().main()
    (tmp_path / "usaddress-0.5.16.tar.gz").write_bytes(b"other")
    with pytest.raises(SystemExit, match="its SHA-256 differs"):
        script().main()


def test_the_script_packs_the_same_from_what_was_downloaded(tmp_path, monkeypatch):
    folder = os.environ.get("SEQUENCE_SOURCES")
    if folder is None:
        pytest.skip("SEQUENCE_SOURCES names no folder of what docs/pack_sequences.py packs from")
    pack = script()
    monkeypatch.setattr(pack, "TARGET", tmp_path)
    monkeypatch.setattr("sys.argv", ["pack_sequences.py", folder])
    pack.main()
    for name in FILES:
        again, shipped = ((place / name).read_bytes() for place in (tmp_path, packed.HOME))
        assert gzip.decompress(again) == gzip.decompress(shipped)
