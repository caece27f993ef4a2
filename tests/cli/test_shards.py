"""`--shard I/N`: every input is of one part, which its path alone tells."""

from __future__ import annotations

import json
import shutil
from hashlib import blake2b
from pathlib import Path

import pytest

FILTER = ["-k", "box", "-q"]


@pytest.fixture
def photos(folder) -> list[str]:
    """Forty copies of a picture in a folder and one below it."""
    names = [f"photos/{number}.png" for number in range(20)]
    names += [f"photos/more/{number}.png" for number in range(20)]
    Path("photos/more").mkdir(parents=True)
    for name in names:
        shutil.copy("grey.png", name)
    return names


def inputs(done) -> list[str]:
    assert done.code == 0, done.err
    return [json.loads(line)["input"] for line in done.lines]


def shards(cnntool, count: int, *arguments: str) -> list[list[str]]:
    dry = ["--dry-run", "--json", "-o", "out/", *FILTER]
    return [
        inputs(cnntool("convolve", *arguments, "--shard", f"{part}/{count}", *dry))
        for part in range(1, count + 1)
    ]


def test_every_input_is_of_one_shard_and_none_is_empty(cnntool, photos):
    parts = shards(cnntool, 4, "photos", "-r")
    assert sorted(name for part in parts for name in part) == sorted(photos)
    assert all(parts)


def test_the_shard_is_told_by_a_hash_of_the_path_below_the_folder(cnntool, photos):
    for part, names in enumerate(shards(cnntool, 3, "photos", "-r"), 1):
        for name in names:
            below = name.removeprefix("photos/").encode()
            digest = blake2b(below, digest_size=8).digest()
            assert int.from_bytes(digest, "big") % 3 + 1 == part


def test_new_files_move_no_others(cnntool, photos):
    before = shards(cnntool, 4, "photos", "-r")
    for number in range(10):
        shutil.copy("grey.png", f"photos/1{number}-new.png")
    after = shards(cnntool, 4, "photos", "-r")
    assert [[name for name in part if "new" not in name] for part in after] == before


def test_the_folder_from_which_one_looks_makes_no_difference(cnntool, photos, monkeypatch):
    def names(arguments):
        parts = shards(cnntool, 4, *arguments)
        return [[Path(name).name for name in part] for part in parts]

    folder, files = ["photos", "-r"], photos[:20]
    below, named = names(folder), names(files)
    absolute = names([str(Path("photos").resolve()), "-r"])
    monkeypatch.chdir("photos/more")
    assert below == names(["..", "-r"]) == absolute
    assert named == names([f"../../{name}" for name in files])


def test_numbers_count_all_inputs_before_they_are_parted(cnntool, photos):
    output = ["-o", "out/{number:03}.png"]
    assert cnntool("convolve", *photos, *FILTER, "-o", "all/{number:03}.png").code == 0
    made: list[str] = []
    for part in (1, 2, 3):
        done = cnntool("convolve", *photos, *FILTER, *output, "--shard", f"{part}/3")
        assert done.code == 0
        made += done.lines
    assert sorted(made) == [f"out/{number:03}.png" for number in range(1, 41)]
    for name in made:
        assert Path(name).read_bytes() == Path(name.replace("out", "all")).read_bytes()


def test_outputs_that_collide_are_refused_in_every_shard(cnntool, photos):
    for part in (1, 2):
        done = cnntool("convolve", "photos", "-r", *FILTER, "--shard", f"{part}/2")
        assert done.code == 2
        assert "would both be written to" in done.err


def test_an_empty_shard_is_done_and_said(cnntool):
    parts = [cnntool("convolve", "grey.png", "-k", "box", "--shard", f"{i}/2") for i in (1, 2)]
    assert [done.code for done in parts] == [0, 0]
    empty = next(done for done in parts if not done.out)
    part = parts.index(empty) + 1
    assert empty.err == f"shard {part}/2 is empty: none of 1 image is in it\n"
    assert Path("grey-box.png").exists()


@pytest.mark.parametrize("shard", ["0/8", "9/8", "1/0", "a/b", "3", "-1/2", "1/2/3", "1/9999999"])
def test_what_is_no_shard_is_one_line(cnntool, shard):
    done = cnntool("convolve", "grey.png", "-k", "box", f"--shard={shard}")
    assert done.code == 2
    assert f"'{shard}'" in done.err
    assert "expected" in done.err
    assert len(done.err.splitlines()) == 1


def test_stdin_has_no_shard(cnntool, folder):
    data = Path("grey.png").read_bytes()
    done = cnntool("convolve", "-", "-k", "box", "--shard", "1/2", stdin=data)
    assert done.code == 2
    assert "stdin has none: name files" in done.err


def test_other_commands_share_alike(cnntool, photos, digits_run):
    wanted = shards(cnntool, 2, "photos", "-r")
    for part, names in enumerate(wanted, 1):
        shard = ["photos", "-r", "-q", "--shard", f"{part}/2"]
        table = cnntool("pool", *shard, "--pyramid", "1")
        assert [line.split(",")[0] for line in table.lines[1:]] == names
        assert inputs(cnntool("pool", *shard, "--json", "-o", "out/")) == names
        told = cnntool("predict", digits_run, *shard)
        assert [line.split("\t")[0] for line in told.lines] == names
