"""A file is written whole or not at all, and never over another by accident."""

import os
import stat
import subprocess
import sys

import pytest

from cnntool.errors import InputError, RequestError
from cnntool.files import atomic
from cnntool.files.atomic import atomic_write, check_writable
from cnntool.files.images import open_image, save_image

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def test_the_file_appears_whole_and_alone(tmp_path):
    path = tmp_path / "a.bin"
    with atomic_write(path) as file:
        file.write(b"whole")
        assert not path.exists()
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".tmp")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_exception_midway_leaves_everything_as_it_was(tmp_path, error, overwrite):
    path = tmp_path / "a.bin"
    if overwrite:
        path.write_bytes(b"old")

    def fail():
        with atomic_write(path, overwrite) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == ([path] if overwrite else [])
    assert not overwrite or path.read_bytes() == b"old"


def test_an_existing_file_is_refused_before_any_work(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="exists: -f overwrites it"), atomic_write(path):
        pytest.fail("the block must not run")
    with atomic_write(path, overwrite=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_clobbered(tmp_path, monkeypatch, links):
    if not links:

        def no_links(*_):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(atomic.os, "link", no_links)
    path = tmp_path / "a.bin"

    def lose_the_race():
        with atomic_write(path) as file:
            file.write(b"ours")
            path.write_bytes(b"theirs")

    with pytest.raises(InputError, match="exists"):
        lose_the_race()
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_file_systems_without_links_work(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(atomic.os, "link", no_links)
    with atomic_write(tmp_path / "a.bin") as file:
        file.write(b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


@POSIX
def test_the_umask_is_respected_and_permissions_are_kept(tmp_path):
    path = tmp_path / "a.bin"
    before = os.umask(0o027)
    try:
        with atomic_write(path) as file:
            file.write(b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        with atomic_write(path, overwrite=True) as file:
            file.write(b"2")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@POSIX
def test_a_file_that_is_private_is_never_readable_by_others(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"1")
    path.chmod(0o640)
    before = os.umask(0)
    try:
        with atomic_write(path, overwrite=True) as file:
            (temporary,) = tmp_path.glob(".cnntool-*")
            assert stat.S_IMODE(temporary.stat().st_mode) == 0o640
            file.write(b"2")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@POSIX
@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_is_written_through_where_that_is_asked_for(tmp_path, dangling):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.bin", tmp_path / "link.bin"
    link.symlink_to(target)
    if not dangling:
        target.write_bytes(b"old")
    assert atomic.exists(link)
    with pytest.raises(InputError, match="exists"), atomic_write(link):
        pass
    assert target.exists() != dangling
    with atomic_write(link, overwrite=True) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [p.name for p in (tmp_path / "far").iterdir()] == ["real.bin"]


@POSIX
def test_what_a_killed_writer_left_is_removed_and_what_others_write_is_not(tmp_path):
    code = (
        "import os, signal, sys; from cnntool.files.atomic import atomic_write\n"
        "with atomic_write(sys.argv[1]) as f:\n"
        "    print('writing', flush=True); sys.stdin.read(1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "theirs.bin")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as writer:
        writer.stdout.readline()
        (temporary,) = tmp_path.iterdir()
        os.utime(temporary, (0, 0))
        check_left_over(tmp_path, [temporary])  # it is being written
        writer.communicate(b"x")
    check_left_over(tmp_path, [])


def check_left_over(folder, expected):
    atomic._swept.clear()
    check_writable(folder / "new.bin")
    assert list(folder.iterdir()) == expected


@POSIX
def test_devices_are_written_directly():
    with atomic_write("/dev/null") as file:
        file.write(b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@POSIX
def test_images_of_any_format_go_to_devices_and_pipes(tmp_path):
    import numpy as np

    from cnntool.files.formats import FORMATS
    from cnntool.files.image import Frame, Image

    image = Image((Frame(np.zeros((4, 5, 3), np.uint8)),), 255.0, "PNG")
    for format in FORMATS:
        save_image(image, "/dev/null", format=format)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(
        [sys.executable, "-c", f"print(len(open({str(pipe)!r}, 'rb').read()))"],
        stdout=subprocess.PIPE,
    )
    save_image(image, pipe, format="TIFF")
    assert int(reader.communicate()[0]) > 60
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)


def test_folders_that_are_missing_are_made(tmp_path):
    with atomic_write(tmp_path / "new/one/a") as file:
        file.write(b"a")
    assert (tmp_path / "new/one/a").read_bytes() == b"a"


def test_places_that_take_no_file_are_named(tmp_path):
    if os.path.isdir("/proc/self"):  # where files are not made by whoever asks
        with (
            pytest.raises(InputError, match="no file can be made in /proc"),
            atomic_write("/proc/a"),
        ):
            pass
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="file is no folder"), atomic_write(tmp_path / "file/a/b"):
        pass
    with pytest.raises(InputError, match="is a folder"), atomic_write(tmp_path):
        pass


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="no permission"), atomic_write(tmp_path / "a.bin"):
            pass
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_is_reported_plainly_and_leaves_nothing(tmp_path):
    def fill():
        with atomic_write(tmp_path / "a.bin") as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"a\.bin cannot be written: the disk is full"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_a_broken_pipe_stays_one(tmp_path):
    def break_off():
        with atomic_write(tmp_path / "a.bin"):
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        break_off()


def test_a_refused_image_leaves_no_file(tmp_path):
    import numpy as np

    from cnntool.files.image import Frame, Image

    image = Image((Frame(np.zeros((4, 5, 3), np.uint16)),), 65535.0, "PNG")
    for name in ("a.jpg", "a.pgm", "a.xyz"):
        with pytest.raises(RequestError):
            save_image(image, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_a_killed_writer_leaves_nothing_under_the_name(tmp_path):
    code = (
        "import os, signal, sys; from cnntool.files.atomic import atomic_write\n"
        "with atomic_write(sys.argv[1]) as f:\n"
        "    f.write(b'x' * 100000); f.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "a.png"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert not path.exists()


def test_saving_over_the_image_that_was_read(tmp_path):
    import numpy as np

    from cnntool.files.image import Frame, Image

    path = tmp_path / "a.png"
    save_image(Image((Frame(np.full((4, 5, 1), 7, np.uint8)),), 255.0, "PNG"), path)
    save_image(open_image(path), path, overwrite=True)
    assert open_image(path).frames[0].pixels[0, 0, 0] == 7


def test_a_check_leaves_no_trace_and_raises_what_writing_would(tmp_path):
    there = tmp_path / "there.bin"
    there.write_bytes(b"mine")
    check_writable(there)
    check_writable(tmp_path / "new.bin")
    check_writable(os.devnull)
    assert list(tmp_path.iterdir()) == [there]
    assert there.read_bytes() == b"mine"
    check_writable(tmp_path / "missing/too/new.bin")
    assert list(tmp_path.iterdir()) == [there]
    with pytest.raises(InputError, match="is no folder"):
        check_writable(there / "new.bin")


def test_what_an_earlier_try_wrote_is_adopted_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    for _ in range(2):
        with atomic_write(path, adopt=True) as file:
            file.write(b"new")
    with pytest.raises(InputError, match="exists"), atomic_write(path, adopt=True) as file:
        file.write(b"other")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@POSIX
def test_a_link_to_nothing_is_not_adopted(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(InputError, match="exists"), atomic_write(tmp_path / "link", adopt=True):
        pass
    assert not (tmp_path / "there").exists()
