"""`--manifest`: what is there and unchanged is left out, the rest is done, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import COMMAND, is_killed, pixels

from cnntool import __version__

NAMES = ["colour.png", "grey.png", "photo.jpg"]
OUTPUTS = ["out/colour-sobel.png", "out/grey-sobel.png", "out/photo-sobel.jpg"]
SOBEL = [
    "convolve",
    *NAMES,
    "-k",
    "sobel",
    "-o",
    "out/",
    "--manifest",
    "done.jsonl",
    "--range",
    "abs",
]
EXISTS = "exists: -f overwrites it"


def lines() -> list[dict]:
    return [json.loads(line) for line in Path("done.jsonl").read_text().splitlines()]


def rerun(cnntool, *more: str, code: int = 0) -> tuple[list[str], list[str]]:
    """What a run prints, on stdout and stderr; without what was clipped."""
    done = cnntool(*SOBEL, *more)
    assert done.code == code, done.err
    return done.lines, [line for line in done.err.splitlines() if "clipped" not in line]


@pytest.fixture
def ran(cnntool):
    """A first run."""
    assert rerun(cnntool) == (OUTPUTS, [])


def hash_of(path: str) -> str:
    return blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


def test_a_line_has_input_settings_and_outputs_with_their_hashes(cnntool, ran):
    found = sorted(lines(), key=lambda line: line["input"]["path"])
    for line, name, output in zip(found, NAMES, OUTPUTS, strict=True):
        assert line["cnntool"] == __version__
        for state, path in ((line["input"], name), (line["outputs"][0], output)):
            size, time = os.stat(path).st_size, os.stat(path).st_mtime_ns
            wanted = {"path": path, "size": size, "mtime_ns": time, "hash": hash_of(path)}
            assert state == wanted
        settings = line["settings"]
        assert (settings["command"], settings["specs"]) == ("convolve", ["sobel"])
        assert settings["shown"] == "abs"
    assert len({line["settings"]["hash"] for line in found}) == 1


def test_what_is_done_and_unchanged_is_left_out(cnntool, ran):
    before = [os.stat(output).st_mtime_ns for output in OUTPUTS]
    assert rerun(cnntool) == ([], ["done.jsonl: 3 images unchanged and left out"])
    assert [os.stat(output).st_mtime_ns for output in OUTPUTS] == before
    assert len(lines()) == 3
    entries = [json.loads(line) for line in rerun(cnntool, "--json")[0]]
    assert [entry["skipped"] for entry in entries] == [True] * 3


def test_with_several_jobs_it_is_the_same(cnntool, folder):
    assert rerun(cnntool, "--jobs", "2") == (OUTPUTS, [])
    assert len(lines()) == 3
    wanted = ["done.jsonl: 3 images unchanged and left out"]
    assert rerun(cnntool, "--jobs", "2") == ([], wanted)


def test_a_changed_input_is_done_again(cnntool, ran):
    other = np.flipud(pixels("grey.png"))
    Image.fromarray(other).save("grey.png")
    said = ["done.jsonl: 2 images unchanged and left out; done again: 1 whose input changed"]
    assert rerun(cnntool) == (OUTPUTS[1:2], said)
    assert rerun(cnntool)[0] == []


def test_a_changed_input_of_the_same_size_is_noticed_by_its_time(cnntool, folder):
    for name in ("grey.npy", "other.npy"):
        np.save(name, np.full((9, 9), len(name), np.float32))
    command = ["convolve", "grey.npy", "-k", "box", "--manifest", "done.jsonl", "-o", "out/"]
    assert cnntool(*command).lines == ["out/grey-box.npy"]
    shutil.copy("other.npy", "grey.npy")
    assert cnntool(*command).lines == ["out/grey-box.npy"]
    assert np.load("out/grey-box.npy").max() == len("other.npy")


def test_a_new_time_alone_changes_nothing_and_is_put_down(cnntool, ran, monkeypatch):
    for path in ("grey.png", OUTPUTS[2]):
        os.utime(path, ns=(1, 1))
    wanted = ([], ["done.jsonl: 3 images unchanged and left out"])
    assert rerun(cnntool) == wanted
    assert len(lines()) == 5
    monkeypatch.setattr("cnntool.cli.manifest.state_of", lambda path: 1 / 0)  # not read again
    assert rerun(cnntool) == wanted
    assert len(lines()) == 5


def test_other_settings_are_done_again(cnntool, ran):
    said = ["done.jsonl: done again: 3 whose settings changed"]
    assert rerun(cnntool, "--stride", "2") == (OUTPUTS, said)
    assert pixels(OUTPUTS[1]).shape == (15, 20)
    assert rerun(cnntool, "--gray", "--stride", "2")[1] == said
    assert rerun(cnntool, "--gray", "--stride", "2", "--jobs", "1", "-f")[0] == []


def test_another_version_is_another_setting(cnntool, ran, monkeypatch):
    monkeypatch.setattr("cnntool.cli.manifest.__version__", "9.9")
    assert rerun(cnntool) == (OUTPUTS, ["done.jsonl: done again: 3 whose settings changed"])


def test_another_kernel_in_the_same_file_is_another_setting(cnntool, folder):
    command = ["convolve", "grey.png", "-k", "mine.txt", "--manifest", "done.jsonl"]
    for weights, count in (("1 2 1", 1), ("1 2 1", 0), ("1 3 1", 1)):
        Path("mine.txt").write_text(weights)
        assert len(cnntool(*command).lines) == count


def test_a_missing_output_is_done_again(cnntool, ran):
    Path(OUTPUTS[0]).unlink()
    said = ["done.jsonl: 2 images unchanged and left out; done again: 1 whose output is missing"]
    assert rerun(cnntool) == (OUTPUTS[:1], said)


def test_an_output_that_somebody_changed_takes_force(cnntool, ran):
    made = Path(OUTPUTS[2]).read_bytes()
    Path(OUTPUTS[2]).write_bytes(b"mine")
    shown, said = rerun(cnntool, code=1)
    assert (shown, said[0]) == (
        [],
        "photo.jpg: out/photo-sobel.jpg was changed since the manifest has it: -f overwrites it",
    )
    assert Path(OUTPUTS[2]).read_bytes() == b"mine"
    said = ["done.jsonl: 2 images unchanged and left out; done again: 1 whose output was changed"]
    assert rerun(cnntool, "-f") == (OUTPUTS[2:], said)
    assert Path(OUTPUTS[2]).read_bytes() == made


def test_an_output_that_the_manifest_does_not_have_stays_only_where_it_is_the_same(cnntool, ran):
    """As where a run was killed behind its writing."""
    Path("done.jsonl").unlink()
    Path(OUTPUTS[1]).write_bytes(b"mine")
    before = os.stat(OUTPUTS[0]).st_ino
    shown, said = rerun(cnntool, code=1)
    assert (shown, said) == ([OUTPUTS[0], OUTPUTS[2]], [f"grey.png: {OUTPUTS[1]} {EXISTS}"])
    assert Path(OUTPUTS[1]).read_bytes() == b"mine"
    assert os.stat(OUTPUTS[0]).st_ino == before
    assert len(lines()) == 2


def test_a_line_that_was_cut_short_is_passed_over_and_said(cnntool, ran):
    last = lines()[-1]["input"]["path"]
    os.truncate("done.jsonl", os.stat("done.jsonl").st_size - 40)
    shown, said = rerun(cnntool)
    assert len(shown) == 1
    assert Path(shown[0]).name.startswith(Path(last).stem)
    note, summary = "done.jsonl: 1 line cut short, passed over", "2 images unchanged and left out"
    assert said == [note, f"done.jsonl: {summary}"]
    assert rerun(cnntool) == ([], [note, "done.jsonl: 3 images unchanged and left out"])


@pytest.mark.parametrize(
    "content",
    [b"epoch,loss\n1,2\n", b'{"epoch": 1}\n', b"\xff\xd8\xff\xe0 a picture", b"{\n}\n", b"[]"],
)
def test_what_is_no_manifest_is_one_line_and_nothing_is_written(cnntool, folder, content):
    Path("done.jsonl").write_bytes(content)
    done = cnntool(*SOBEL)
    assert (done.code, done.out, len(done.err.splitlines())) == (1, b"", 1)
    assert "done.jsonl is no manifest" in done.err
    assert Path("done.jsonl").read_bytes() == content
    assert not Path("out").exists()


def test_a_manifest_that_cannot_be_written_ends_it_before_work(cnntool, folder):
    for name, reason in (("grey.png/a.jsonl", "cannot be read"), (".", "is no regular file")):
        done = cnntool("convolve", "grey.png", "-k", "box", "--manifest", name)
        assert (done.code, done.out, len(done.err.splitlines())) == (1, b"", 1)
        assert reason in done.err
    assert not Path("grey-box.png").exists()


def test_a_full_disk_under_the_manifest_is_a_failure_that_is_said(cnntool, folder, monkeypatch):
    def write(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("cnntool.cli.manifest.os.write", write)
    done = cnntool("convolve", "grey.png", "-k", "box", "--manifest", "done.jsonl", "--jobs", "1")
    assert done.code == 1
    said = "the manifest done.jsonl cannot be written: No space left on device"
    assert done.err == f"grey.png: {said}\n"


def test_a_dry_run_tells_the_same_and_puts_nothing_down(cnntool, ran):
    before = Path("done.jsonl").read_bytes()
    Path(OUTPUTS[0]).unlink()
    done = cnntool(*SOBEL, "--dry-run")
    assert [line.split(":")[0] for line in done.lines] == NAMES[:1]
    assert "2 images unchanged and left out; done again: 1 whose output is missing" in done.err
    assert Path("done.jsonl").read_bytes() == before
    assert cnntool(*SOBEL[:-3], "other.jsonl", "--dry-run").code == 0
    assert not Path("other.jsonl").exists()


def test_all_maps_of_a_bank_are_one_line(cnntool, folder):
    bank = ["convolve", "grey.png", "-k", "sobel", "--combine", "none", "-o", "maps/"]
    bank += ["--manifest", "done.jsonl"]
    maps = cnntool(*bank).lines
    assert [state["path"] for state in lines()[0]["outputs"]] == maps
    assert len(maps) == 2
    Path(maps[1]).unlink()
    assert cnntool(*bank).lines == maps
    assert cnntool(*bank).lines == []


def test_pool_keeps_one_too(cnntool, folder):
    pool = ["pool", "grey.png", "-s", "3", "--manifest", "done.jsonl"]
    assert len(cnntool(*pool).lines) == 1
    assert cnntool(*pool).lines == []
    assert lines()[0]["settings"]["kernel_size"] == [3, 3]
    assert "is for pictures" in cnntool(*pool[:2], "--pyramid", "1", *pool[4:]).err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["grey.png", "-o", "-"], "name files, and write with -o"),
        (["-", "-o", "a.png"], "name files, and write with -o"),
        (["grey.png", "--show"], "name files, and write with -o"),
        (["grey.png", "--skip-existing"], "use one of them"),
    ],
)
def test_what_no_manifest_can_tell_is_refused(cnntool, arguments, reason):
    done = cnntool("convolve", *arguments, "-k", "box", "--manifest", "done.jsonl")
    assert (done.code, done.out) == (2, b"")
    assert reason in done.err
    assert not Path("done.jsonl").exists()


def test_shards_share_a_manifest(folder):
    for number in range(40):
        shutil.copy("grey.png", f"{number}.png")
    command = [*COMMAND, "convolve", ".", "-r", "-k", "box", "-o", "out/", "-q"]
    command += ["--manifest", "done.jsonl", "--jobs", "2", "--shard"]
    runs = [subprocess.Popen([*command, f"{part}/2"]) for part in (1, 2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert len({line["input"]["path"] for line in lines()}) == len(lines()) == 43


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks of POSIX")
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(cnntool, folder):
    whole = ["whole/" if part == "out/" else part for part in SOBEL]
    whole = ["whole.jsonl" if part == "done.jsonl" else part for part in whole]
    assert cnntool(*whole).code == 0
    wanted = [Path(output.replace("out", "whole")).read_bytes() for output in OUTPUTS]
    number = 0
    while is_killed(number, *SOBEL, "--jobs", "1"):
        rerun(cnntool)
        assert [Path(output).read_bytes() for output in OUTPUTS] == wanted
        assert rerun(cnntool)[0] == []
        shutil.rmtree("out")
        Path("done.jsonl").unlink()
        number += 1
    assert number > 5


def test_a_manifest_in_the_folder_of_the_results_makes_that_folder(cnntool, folder):
    Image.new("RGB", (40, 30), "red").save("a.png")
    told = ["convolve", "a.png", "-k", "sobel", "-o", "new/out/", "--manifest", "new/out/m.jsonl"]
    assert cnntool(*told, "-q").code == 0
    assert "1 image unchanged" in cnntool(*told).err


@pytest.mark.parametrize(
    ("manifest", "reason"), [("-", "stdout"), ("./out.png", "would overwrite out.png, the man")]
)
def test_a_manifest_is_neither_stdout_nor_a_result(cnntool, folder, manifest, reason):
    Image.new("RGB", (40, 30), "red").save("a.png")
    told = ["convolve", "a.png", "-k", "sobel", "-o", "out.png", "-f", "--manifest", manifest]
    done = cnntool(*told)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert reason in done.err
    assert not Path("out.png").exists()
    assert not Path("-").exists()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux lists what is open there")
def test_its_file_is_closed_in_the_end(cnntool):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert cnntool(*SOBEL, "-f").code == 0
    assert len(os.listdir("/proc/self/fd")) == before
