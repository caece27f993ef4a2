"""`--cluster`: workers that are killed, or cannot write, or are others; nothing is lost by them.

What a run leaves and says is compared with one without `--cluster`, byte for byte.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import COMMAND, run_here

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

from clusters import Cluster, until  # noqa: E402
from distributed.comm import CommClosedError  # noqa: E402

COUNT = 24
SOBEL = ["convolve", "photos", "-r", "-k", "sobel", "-o"]

SLOW = """
import time
import cnntool.cli.image_job as images

save = images.save_image

def slow(*arguments, **options):
    time.sleep(0.03)
    save(*arguments, **options)

images.save_image = slow
"""

DIES = """
import os
import cnntool.files.atomic

move, moves = os.link, []

def dies(*arguments, **options):
    moves.append(arguments)
    if len(moves) == {number} and not {is_done}:
        os.kill(os.getpid(), 9)
    move(*arguments, **options)
    if len(moves) == {number}:
        os.kill(os.getpid(), 9)

os.link = dies
"""
"""Killed at a picture of this number, before or behind the move of its file to its name."""

POISON = """
import os
import cnntool.cli.image_job as images

read = images.open_source

def dies(source, *arguments):
    if source.stem == "07":
        os.kill(os.getpid(), 9)
    return read(source, *arguments)

images.open_source = dies
"""

OTHER_VERSION = "import numpy; numpy.__version__ = '1.0'"

SMALL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder with pictures, and what a run without --cluster makes of them, ``alone``."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        values = rng.integers(0, 256, (40 + number, 60, 3), dtype=np.uint8)
        Image.fromarray(values).save(folder / "photos" / f"{number:02}.png")
    here = os.getcwd()
    os.chdir(folder)
    try:
        assert run_here(*SOBEL, "alone/", "-q").code == 0
    finally:
        os.chdir(here)
    return folder


@pytest.fixture
def photos(pictures, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(pictures, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A scheduler with two slow workers, for tests that leave them alone."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    for _ in range(2):
        cluster.add_worker(SLOW)
    cluster.wait_for_workers(2)
    yield cluster
    cluster.end()


@pytest.fixture
def cluster(tmp_path_factory):
    """A scheduler of its own for a test."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.end()


def begun(cluster: Cluster, *more: str) -> subprocess.Popen:
    command = [*COMMAND, *SOBEL, "out/", "-q", "--cluster", cluster.address, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(run: subprocess.Popen) -> tuple[int, list[str], list[str]]:
    out, err = run.communicate(timeout=60)
    return run.returncode, out.splitlines(), [line for line in err.splitlines() if line]


def written() -> list[str]:
    return sorted(path.name for path in Path("out").glob("*.png")) if Path("out").exists() else []


def check_whole(names: list[str]) -> None:
    for name in names:
        assert Path("out", name).read_bytes() == Path("alone", name).read_bytes()


def every() -> list[str]:
    return [f"{number:02}-sobel.png" for number in range(COUNT)]


def check_alike(*command: str, cluster: str, outputs: str) -> None:
    """A run on a cluster leaves and says what one without leaves and says, into another folder."""
    done, alone = (
        run_here(*[part.replace("OUT", folder) for part in command], *more)
        for folder, more in (("there", ["--cluster", cluster]), ("alone", ["-f"]))
    )
    assert done.code == alone.code
    assert done.out.decode().replace("there", "alone") == alone.out.decode()
    assert done.err.replace("there", "alone") == alone.err
    names = sorted(path.name for path in Path("alone").glob(outputs))
    assert names == sorted(path.name for path in Path("there").glob("*"))
    for name in names:
        assert Path("there", name).read_bytes() == Path("alone", name).read_bytes()


def test_a_cluster_of_this_machine_does_and_says_the_same(photos):
    Path("photos/13.png").write_bytes(b"no picture")
    Path("alone/13-sobel.png").unlink()
    Path("there").mkdir()
    command = ["convolve", "photos", "-r", "-k", "sobel", "-o", "OUT/"]
    check_alike(*command, cluster="local:2", outputs="*-sobel.png")


@pytest.mark.parametrize(
    "command",
    [
        ["pool", "photos", "-r", "-s", "3", "--json", "-o", "OUT/"],
        ["convolve", "photos", "-r", "-k", "sobel", "--combine", "none", "-o", "OUT/"],
        ["pool", "photos", "-r", "--pyramid", "1,2", "-o", "OUT/table.csv"],
        ["convolve", "photos", "none.png", "-r", "-k", "box", "-o", "photos/00.png/"],
    ],
)
def test_other_work_is_the_same_too(photos, running, command):
    shutil.rmtree("alone")
    for folder in ("alone", "there"):
        Path(folder).mkdir()
    check_alike(*command, cluster=running.address, outputs="*")


def test_predictions_are_the_same(photos, running, digits_run):
    Path("photos/13.png").write_bytes(b"no picture")
    command = ["predict", digits_run, "photos", "-r", "--json"]
    done, alone = (
        run_here(*map(str, [*command, *more])) for more in (["--cluster", running.address], [])
    )
    assert done == alone
    assert (done.code, len(done.lines)) == (1, COUNT - 1)


def test_workers_that_are_killed_again_and_again_lose_nothing(photos, cluster):
    for number in (3, 5):
        cluster.add_worker(DIES.format(number=number, is_done=number == 3))
    run, killed = begun(cluster, "--manifest", "done.jsonl"), 0
    while run.poll() is None:
        for worker in [each for each in cluster.workers if each.poll() is not None]:
            assert worker.returncode == -signal.SIGKILL
            cluster.workers.remove(worker)
            killed += 1
            cluster.add_worker(DIES.format(number=3 + killed % 3, is_done=killed % 2))
        time.sleep(0.01)
    names = [f"out/{name}" for name in every()]
    assert ended(run) == (0, names, [])
    assert killed
    assert written() == every()
    check_whole(every())
    lines = [json.loads(line) for line in Path("done.jsonl").read_text().splitlines()]
    assert sorted(line["outputs"][0]["path"] for line in lines) == names
    assert run_here(*SOBEL, "out/", "--manifest", "done.jsonl", "-q").lines == []


def test_a_picture_that_kills_its_workers_is_named_and_the_others_are_done(
    photos, tmp_path_factory, monkeypatch
):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    for _ in range(2):
        cluster.add_worker(POISON)
    run = begun(cluster)
    while run.poll() is None:
        for worker in [each for each in cluster.workers if each.poll() is not None]:
            cluster.workers.remove(worker)
            cluster.add_worker(POISON)
        time.sleep(0.01)
    cluster.end()
    others = [name for name in every() if not name.startswith("07")]
    code, lines, errors = ended(run)
    assert (code, lines, written()) == (1, [f"out/{name}" for name in others], others)
    assert [line.split(": ")[0] for line in errors] == ["photos/07.png"]
    assert "the workers that worked on it were ended" in errors[0]
    check_whole(others)


def test_a_scheduler_that_is_killed_is_one_line_that_says_what_to_do(photos, cluster):
    for _ in range(2):
        cluster.add_worker(SLOW)
    run = begun(cluster)
    until(lambda: len(written()) >= 5, run)
    cluster.end(cluster.scheduler)
    code, lines, errors = ended(run)
    assert code == 1
    assert errors == [
        f"cnntool: the scheduler {cluster.address} has ended: run it again, --skip-existing leaves "
        "out what is done"
    ]
    cluster.end()
    there = written()
    assert {Path(line).name for line in lines} <= set(there)
    check_whole(there)
    again = run_here(*SOBEL, "out/", "-q", "--skip-existing")
    assert (again.code, len(again.lines)) == (0, COUNT - len(there))
    check_whole(every())


def test_a_connection_that_is_cut_as_a_result_comes_is_the_same_line(photos, running, monkeypatch):
    def cut(*arguments):
        raise CommClosedError("Connection reset by peer")

    monkeypatch.setattr("distributed.Future.result", cut)
    done = run_here(*SOBEL, "out/", "-q", "--cluster", running.address)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"the scheduler {running.address} has ended: run it again, --skip-existing" in done.err


def test_an_interrupt_stops_the_workers_too(photos, running):
    run = begun(running)
    until(lambda: len(written()) >= 5, run)
    run.send_signal(signal.SIGINT)
    assert ended(run)[::2] == (130, ["interrupted"])
    time.sleep(0.3)
    there = written()
    assert len(there) < COUNT
    time.sleep(0.3)
    assert written() == there
    check_whole(there)
    assert not list(Path("out").glob(".*"))


def test_all_workers_are_given_work(photos, cluster):
    for _ in range(2):
        cluster.add_worker(SLOW)
    cluster.wait_for_workers(2)
    code, lines, _ = ended(begun(cluster))
    assert (code, len(lines)) == (0, COUNT)
    done = cluster.run(lambda dask_worker: dask_worker.state.executed_count)
    assert min(done) > 2


def test_a_worker_that_cannot_write_says_why_and_the_others_go_on(photos, running):
    worker = running.add_worker(SMALL_DISK + SLOW.replace("0.03", "0.5"))  # so that others do most
    running.wait_for_workers(3)
    code, lines, errors = ended(begun(running))
    running.end(worker)
    failed = [line.split(": ", 1) for line in errors]
    assert code == 1
    assert failed
    assert lines
    for name, reason in failed:
        output = f"out/{Path(name).stem}-sobel.png"
        assert reason == f"{output} cannot be written: File too large"
    missing = {f"{Path(name).stem}-sobel.png" for name, _ in failed}
    assert written() == [name for name in every() if name not in missing]
    assert [Path(line).name for line in lines] == written()
    check_whole(written())
    assert not list(Path("out").glob(".*"))


def test_a_full_disk_is_said_as_it_is_without_a_cluster(photos, running):
    Path("out").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", "out"])
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        code, lines, errors = ended(begun(running))
        check_whole(written())
        assert [Path(line).name for line in lines] == written()
        assert not list(Path("out").glob(".*"))
    finally:
        subprocess.run(["umount", "out"], check=True)
    assert code == 1
    assert 0 < len(lines) < COUNT
    assert len(lines) + len(errors) == COUNT
    assert all(line.endswith("cannot be written: the disk is full") for line in errors)


def test_a_worker_with_another_version_is_named_and_refused(photos, running):
    worker = running.add_worker(OTHER_VERSION)
    running.wait_for_workers(3)
    code, lines, errors = ended(begun(running))
    running.end(worker)
    assert (code, lines, len(errors)) == (1, [], 1)
    assert errors[0].startswith("cnntool: the worker tcp://127.0.0.1:")
    said = f"has NumPy 1.0 instead of {np.__version__}: install the same there as here"
    assert errors[0].endswith(said)
    assert not Path("out").exists()


def test_such_a_worker_is_refused_when_it_comes_later_as_well(photos, cluster):
    cluster.add_worker(SLOW.replace("0.03", "0.3"))  # so that there is time to come
    cluster.wait_for_workers(1)
    run = begun(cluster)
    until(lambda: bool(written()), run)
    cluster.run(lambda: setattr(np, "__version__", "1.0"))
    code, _, errors = ended(run)
    assert code == 1
    assert f"has NumPy 1.0 instead of {np.__version__}: install the same there" in errors[0]
    check_whole(written())


def test_outputs_that_exist_are_refused_skipped_or_overwritten_as_ever(photos, running):
    Path("out").mkdir()
    Path("out/03-sobel.png").write_bytes(b"mine")
    shutil.copy("alone/04-sobel.png", "out")
    where = ["-q", "--cluster", running.address]
    done = run_here(*SOBEL, "out/", "--skip-existing", *where)
    assert (done.code, len(done.lines)) == (0, COUNT - 2)
    done = run_here(*SOBEL, "out/", *where)
    assert (done.code, done.lines, len(done.err.splitlines())) == (1, [], COUNT)
    assert "photos/04.png: out/04-sobel.png exists: -f overwrites it" in done.err
    assert Path("out/03-sobel.png").read_bytes() == b"mine"
    assert run_here(*SOBEL, "out/", "-f", *where).code == 0
    check_whole(every())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-", "-o", "a.png"], "not on stdin and stdout"),
        (["photos/00.png", "-o", "-"], "not on stdin and stdout"),
        (["photos/00.png", "--jobs", "2"], "use one of them"),
        (["photos/00.png", "--cluster", "local:0"], "expected local:1 to local:256"),
        (["photos/00.png", "--cluster", "host"], "expected local:4 or such as tcp://host:8786"),
    ],
)
def test_what_no_cluster_can_do_is_refused(photos, arguments, reason):
    done = run_here("convolve", "--cluster", "tcp://127.0.0.1:1", *arguments, "-k", "box")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, b"", 1)
    assert reason in done.err


def test_where_no_cluster_answers_it_is_said(photos, cluster, monkeypatch):
    monkeypatch.setattr("cnntool.cli.cluster.PATIENCE", 0.3)
    for where, reason in (
        ("tcp://127.0.0.1:1", "no scheduler answers at tcp://127.0.0.1:1: start one with"),
        (cluster.address, f"{cluster.address} has no workers: start some with dask worker"),
    ):
        done = run_here(*SOBEL, "out/", "--cluster", where)
        assert (done.code, done.out, len(done.err.splitlines())) == (1, b"", 1)
        assert reason in done.err


def test_the_extra_is_named_where_it_is_missing(photos, monkeypatch):
    monkeypatch.setattr("cnntool.cli.cluster.find_spec", lambda name: None)
    done = run_here(*SOBEL, "out/", "--cluster", "local:2")
    assert (done.code, done.out) == (1, b"")
    assert done.err == (
        "cnntool: --cluster needs one more package: pip install 'cnntool[cluster]'\n"
    )


def test_nothing_to_do_needs_no_cluster(photos):
    parts = [
        run_here("convolve", "photos/00.png", "-k", "box", "--shard", f"{part}/2", "--dry-run",
                 "--cluster", "tcp://127.0.0.1:1")
        for part in (1, 2)
    ]  # fmt: skip
    assert [done.code for done in parts] == [0, 0]
