"""How the program behaves as a process: signals, pipes, read-only folders, start-up, help."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from processes import COMMAND, imported_by_help, pixels

from cnntool.cli.main import COMMANDS, cli

posix = pytest.mark.skipif(os.name != "posix", reason="signals and permissions of POSIX")


SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_has_help_that_ends_in_examples(command):
    shown = CliRunner().invoke(cli, [*command, "--help"])
    assert shown.exit_code == 0
    examples = shown.output.split("Examples:")[1].strip().splitlines()
    assert examples
    assert all(line.strip() for line in examples)


def test_help_needs_neither_numpy_nor_pillow_nor_rich():
    assert imported_by_help() == []


def test_an_unknown_command_gets_a_suggestion(cnntool):
    done = cnntool("convolv")
    assert (done.code, done.out) == (2, b"")
    assert done.err == "cnntool: no command 'convolv': did you mean 'convolve'? (cnntool --help)\n"


@posix
@pytest.mark.parametrize("arguments", [["kernels"], ["kernels", "--json"], ["convolve", "--help"]])
def test_a_closed_pipe_ends_quietly(folder, arguments):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*COMMAND, *arguments], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@posix
def test_a_picture_into_a_closed_pipe_ends_quietly(folder):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (800, 800), dtype=np.uint8)).save(
        "big.png"
    )
    read, write = os.pipe()
    os.close(read)
    command = [*COMMAND, "convolve", "big.png", "-k", "box", "-o", "-"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@posix
def test_files_are_all_written_though_nobody_reads_their_names(folder):
    names = [f"{index}.png" for index in range(12)]
    for name in names:
        Image.new("L", (30, 30)).save(name)
    read, write = os.pipe()
    os.close(read)
    command = [*COMMAND, "convolve", *names, "-k", "box", "-o", "out/"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(list((folder / "out").iterdir())) == 12


@pytest.fixture
def heeds_interrupts():
    """Whoever runs the tests in the background may ignore Ctrl-C, which children inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@posix
@pytest.mark.usefixtures("heeds_interrupts")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_only_a_helper_works_leaves_no_temporary_file(folder, number):
    big = np.random.default_rng(0).integers(0, 256, (3000, 4000), dtype=np.uint8)
    Image.fromarray(big).save("big.bmp")
    Image.new("L", (8, 8)).save("small.bmp")
    command = [*COMMAND, "convolve", "big.bmp", "small.bmp", "-k", "sobel", "-o", "{stem}.png"]
    process = subprocess.Popen(
        [*command, "-j", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not list(folder.glob(".cnntool-*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert not list(folder.glob(".cnntool-*.tmp"))
    if (folder / "big.png").exists():
        assert pixels("big.png").shape == (3000, 4000)


@posix
@pytest.mark.usefixtures("heeds_interrupts")
@pytest.mark.parametrize(("number", "code"), [(number, 128 + number) for number in SIGNALS])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_signal_ends_the_work_and_leaves_only_whole_files(folder, number, code, jobs):
    big = np.random.default_rng(0).integers(0, 256, (1500, 1500), dtype=np.uint8)
    for index in range(40):
        Image.fromarray(big).save(f"{index:02}.bmp")
    names = [f"{index:02}.bmp" for index in range(40)]
    command = [*COMMAND, "convolve", *names, "-k", "sobel", "-o", "out/{stem}.png", "--jobs", jobs]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not list(folder.glob("out/*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in errors
    written = list((folder / "out").iterdir())
    assert 0 < len(written) < 40
    for path in written:
        assert path.suffix == ".png"  # no temporary file is left
        assert pixels(path).shape == (1500, 1500)


@posix
def test_a_kill_while_writing_leaves_no_half_written_output(folder):
    big = np.random.default_rng(0).integers(0, 256, (3000, 4000), dtype=np.uint8)
    Image.fromarray(big).save("big.bmp")
    command = [*COMMAND, "convolve", "big.bmp", "-k", "sobel", "-q", "-o", "out.png"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not list(folder.glob(".cnntool-*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "out.png").exists()


@posix
def test_a_read_only_folder_is_named(cnntool, folder):
    locked = Path("/sys") if os.geteuid() == 0 else folder / "locked"  # root may write the other
    if locked.name == "locked":
        locked.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    elif not locked.is_dir():
        pytest.skip("root may write everywhere")
    done = cnntool("convolve", "grey.png", "-k", "box", "-o", locked / "out.png")
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert str(locked) in line
    assert "permission" in line or "read-only" in line


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("arguments", [["-o", "/dev/full"], ["-o", "-"]])
def test_a_full_disk_is_named(folder, arguments):
    with open("/dev/full", "wb") as full:
        command = [*COMMAND, "convolve", "grey.png", "-k", "box", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "full" in line or "No space" in line
    assert "/dev/full" in line or "stdout cannot be written" in line


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(
    "arguments", ["train-cnn digits --layers", "train-lstm text.txt --num-samples"]
)
def test_a_log_that_was_not_written_fails_and_the_model_is_kept(cnntool, folder, arguments):
    (folder / "text.txt").write_text("one two three four\n" * 40)
    value = "dense 10" if "digits" in arguments else "0"
    rest = ["--epochs", "1", "--processes", "1", "-q", "--log", "/dev/full"]
    done = cnntool(*arguments.split(), value, *rest)
    assert (done.code, done.out) == (1, b"model.npz\n")
    (line,) = done.err.splitlines()
    assert line.startswith("/dev/full: the log ends here: ")
    assert "name another file with --log" in line
    assert (folder / "model.npz").exists()


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (">&-", "stdout is closed: leave out >&-, or put > FILE"),
        (">/dev/full", "stdout cannot be written: "),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [
        "convolve grey.png -k box -o -",
        "convolve grey.png -k box -o out.png --json",
        "convolve1d -k box numbers.txt",
        "pool grey.png --pyramid 1,2",
        "kernels",
        "kernels sobel --json",
        "info lenet5",
        "explain pool grey.png --mode max",
        "--help",
        "convolve --help",
    ],
)
def test_what_cannot_go_to_stdout_is_an_error(folder, arguments, end, reason):
    (folder / "numbers.txt").write_text("1\n2\n3\n")
    command = f'"{sys.executable}" -m cnntool {arguments} {end}'
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert reason in line


@posix
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "pipe"])
def test_stdout_by_any_name_gets_the_data_and_nothing_else(folder, name):
    run = f'"{sys.executable}" -m cnntool convolve grey.png -k box --format ppm -o {name}'
    if name == "pipe":
        os.mkfifo(name)
        run = f"cat pipe & {run} >pipe; wait"
    elif not os.path.exists(name):
        pytest.skip(f"there is no {name}")
    done = subprocess.run(["sh", "-c", run], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) == len(b"P5\n40 30\n255\n") + 40 * 30


@posix
def test_who_listens_to_stderr_no_more_loses_no_work(folder):
    read, write = os.pipe()
    os.close(read)
    options = ["--epochs", "1", "--layers", "dense 10", "--processes", "1"]
    done = subprocess.run(
        [*COMMAND, "train-cnn", "digits", *options], stdout=write, stderr=write, timeout=100
    )
    os.close(write)
    assert done.returncode == 0
    assert (folder / "model.npz").exists()


@posix
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_not_matter(folder, closed):
    command = f'"{sys.executable}" -m cnntool convolve grey.png -k sobel -o out.png {closed}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "sobel" not in done.stdout.replace("out.png", "")
    assert pixels("out.png").shape == (30, 40)


@posix
def test_a_terminal_without_unicode_gets_escapes(folder):
    Image.new("L", (8, 8)).save("é.png")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for arguments in (["kernels", "sobel"], ["convolve", "é.png", "-k", "box"]):
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"\\xe9-box.png\n"


@posix
def test_a_named_pipe_is_read_once(cnntool, folder):
    os.mkfifo("pipe.png")
    writer = subprocess.Popen(["sh", "-c", "cat grey.png > pipe.png"])
    assert cnntool("convolve", "pipe.png", "-k", "identity", "-o", "out.png").code == 0
    writer.wait(timeout=10)
    np.testing.assert_array_equal(pixels("out.png"), pixels("grey.png"))


@posix
@pytest.mark.usefixtures("heeds_interrupts")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_pipe_that_nobody_writes_into_stops_no_other_image_nor_a_signal(folder, number, jobs):
    os.mkfifo("pipe.png")
    for name in ("a.png", "b.png", "c.png"):
        Image.new("L", (8, 8)).save(name)
    names = ["a.png", "pipe.png", "b.png", "c.png"]
    process = subprocess.Popen(
        [*COMMAND, "convolve", *names, "-k", "box", "-o", "out/", "--jobs", jobs],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    expected = 3 if jobs == "2" else 1
    while len(list(folder.glob("out/*.png"))) < expected and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert len(list((folder / "out").iterdir())) == expected


@posix
def test_a_folder_that_was_removed_is_named(folder):
    (folder / "gone").mkdir()
    for arguments in (f"convolve {folder}/grey.png -k box", f"convolve {folder} -r -k box -o x/"):
        (folder / "gone").mkdir(exist_ok=True)
        command = f'cd gone && rmdir ../gone && "{sys.executable}" -m cnntool {arguments}'
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        expected = "cnntool: the folder that this runs in is gone: change to another one with cd"
        assert done.stderr.splitlines() == [expected]


@posix
def test_devices_take_any_format(cnntool):
    assert cnntool("convolve", "grey.png", "-k", "box", "-o", "/dev/null").code == 0


def test_a_file_in_the_place_of_a_folder_is_named(cnntool):
    done = cnntool("convolve", "grey.png", "-k", "box", "-o", "grey.png/out.png")
    assert (done.code, done.err) == (
        1,
        "grey.png is no folder, so nothing can be written into it\n",
    )


@posix
@pytest.mark.parametrize("output", [[], ["-o", "-"], ["-o", "/dev/stdout"]])
def test_no_image_bytes_go_to_a_terminal(folder, output):
    import pty

    controller, terminal = pty.openpty()
    command = [*COMMAND, "convolve", "-", "-k", "box", *output]
    with open("grey.png", "rb") as image:
        done = subprocess.run(
            command, stdin=image, stdout=terminal, stderr=subprocess.PIPE, text=True
        )
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert "would go to the terminal" in done.stderr


@posix
def test_no_name_of_a_file_is_obeyed_by_a_terminal(folder):
    import pty

    name = "\x1b[31mred\x9b.png"
    os.rename("grey.png", name)
    for arguments in (
        ["convolve", name, "-k", "sobel-x"],
        ["convolve", name, "missing.png", "-k", "box", "--dry-run"],
        ["pool", name, "--pyramid", "1"],
        ["explain", "pool", name],
    ):
        controller, terminal = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"}
        process = subprocess.Popen(
            [*COMMAND, *arguments], stdout=terminal, stderr=terminal, env=environment
        )
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while chunk := os.read(controller, 65536):
                shown += chunk
        process.wait(timeout=60)
        os.close(controller)
        assert b"\\x1b[31mred\\x9b" in shown
        assert b"\x1b" not in shown
        assert b"\xc2\x9b" not in shown


@posix
def test_show_uses_colours_in_a_terminal_and_none_where_they_are_not_wanted(folder):
    import pty

    def shown(**environment):
        controller, terminal = pty.openpty()
        command = [*COMMAND, "convolve", "colour.png", "-k", "box", "--show"]
        environment = {**os.environ, "COLUMNS": "60", "LINES": "30", **environment}
        for name in {"NO_COLOR", "COLORTERM"} - environment.keys():
            environment.pop(name, None)
        process = subprocess.Popen(
            command, stdout=terminal, stderr=terminal, stdin=terminal, env=environment
        )
        os.close(terminal)
        data = b""
        while True:
            try:
                chunk = os.read(controller, 65536)
            except OSError:
                break
            if not chunk:
                break
            data += chunk
        process.wait()
        os.close(controller)
        assert process.returncode == 0
        return data

    truecolour = shown(TERM="xterm-256color", COLORTERM="truecolor")
    assert b"\x1b[38;2;" in truecolour
    assert "▀".encode() in truecolour
    few = shown(TERM="xterm-256color", COLORTERM="")
    assert b"38;5;" in few
    assert b"38;2;" not in few
    for plain in shown(TERM="xterm-256color", NO_COLOR="1"), shown(TERM="dumb"):
        assert b"\x1b[" not in plain
        assert "▀".encode() not in plain
        assert len({*plain.decode()} & {*".:-=+*#%"}) > 3


@posix
def test_a_closed_terminal_does_not_end_what_nohup_started(folder):
    process = subprocess.Popen(
        [*COMMAND, "convolve1d", "-k", "box", "-o", "out.txt"],
        stdin=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    process.stdin.write(b"1\n2\n")
    process.stdin.flush()
    time.sleep(0.5)
    process.send_signal(signal.SIGHUP)
    process.communicate(b"3\n", timeout=30)
    assert process.returncode == 0
    assert len((folder / "out.txt").read_text().splitlines()) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_json_and_pages_of_files_whose_names_are_no_unicode(folder):
    odd = os.fsdecode(b"caf\xe9.png")
    os.rename("grey.png", odd)
    for command in (["explain", "convolve"], ["convolve"]):
        done = subprocess.run(
            [*COMMAND, *command, odd, "-k", "sobel", "--json"], capture_output=True, check=True
        )
        facts = json.loads(done.stdout)  # which is UTF-8
        assert facts.get("image", facts.get("input")) == "caf\\xe9.png"
    subprocess.run([*COMMAND, "explore", "-k", "sobel", odd, "-o", "page.html"], check=True)
    assert "caf\\xe9.png" in Path("page.html").read_text(encoding="utf-8")
