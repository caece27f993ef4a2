"""`cnntool convolve1d`, from bytes to bytes: in this process, and in real pipes."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from processes import COMMAND
from scipy.io import wavfile

from cnntool.cli import signal_files
from cnntool.cli.main import cli
from cnntool.errors import InputError, RequestError
from cnntool.files import wav
from cnntool.signals import kernels

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and limits of POSIX")
COUNT = "".join(f"{number}\n" for number in range(1, 101)).encode()
RATE = 8000


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: bytes = b""):
    return CliRunner().invoke(cli, ["convolve1d", *map(str, arguments)], input=stdin)


def lines(*arguments: str, stdin: bytes = COUNT) -> list[str]:
    result = run(*arguments, stdin=stdin)
    assert result.exception is None, result.exception
    return result.stdout.splitlines()


def numbers(*arguments: str, stdin: bytes = COUNT) -> list[float]:
    return [float(line) for line in lines(*arguments, stdin=stdin)]


def failure(kind: type, *arguments: str, stdin: bytes = COUNT) -> str:
    result = run(*arguments, stdin=stdin)
    assert isinstance(result.exception, kind), result.exception
    assert "\n" not in str(result.exception)
    return str(result.exception)


def write_wav(name: str = "tone.wav", length: int = 1000, channels: int = 1) -> np.ndarray:
    t = np.arange(length)[:, None] * np.arange(1, channels + 1)
    stored = (16000 * np.sin(t / 9)).astype(np.int16)
    wavfile.write(name, RATE, stored)
    return stored / 2**15


def test_a_moving_mean_of_a_count_is_the_count():
    expected = ["1.8", "2.2", *map(str, range(3, 99)), "98.8", "99.2"]  # 2 1 | 1 2 ... 99 100 | 100
    assert lines("-", "--kernel", "box:size=5") == expected
    assert lines("-k", "box:size=5") == expected
    zeros_outside = ["1.2", "2", *map(str, range(3, 99)), "78.8", "59.4"]
    assert lines("-k", "box:size=5", "--border", "constant") == zeros_outside


@pytest.mark.parametrize("kernel", ["box:size=7", "gaussian:sigma=3", "exponential:tau=4"])
def test_a_log_of_one_temperature_stays_what_it_is(kernel):
    expected = pytest.approx([20.0] * 30)
    assert numbers("-k", kernel, stdin=b"20\n" * 30) == expected
    assert numbers("-k", kernel, "-k", "box:size=4", "-q", stdin=b"20\n" * 30) == expected


def test_outside_of_two_signals_and_of_a_full_convolution_is_nothing():
    Path("g.txt").write_text("1 2 1")
    for options in (["--with", "g.txt", "--padding", "same"], ["-k", "1 2 1", "--border", "zero"]):
        assert numbers(*options, stdin=b"1\n1\n1\n1\n") == [3, 4, 4, 3]
    assert numbers("-k", "1 2 1", "--padding", "full", stdin=b"1\n1\n") == [1, 3, 3, 1]
    reflected = numbers("-k", "1 2 1", "--padding", "full", "--border", "edge", stdin=b"1\n1\n")
    assert reflected == [4, 4, 4, 4]


def test_convolution_flips_and_correlation_does_not():
    one_two_three = b"1\n2\n3\n"
    flipped = lines("-k", "1 0 -1", "--padding", "full", stdin=one_two_three)
    assert flipped == ["1", "2", "2", "-2", "-3"]
    for option in ("--no-flip", "--correlate"):
        turned = lines("-k", "1 0 -1", "--padding", "full", option, stdin=one_two_three)
        assert turned == ["-1", "-2", "-2", "2", "3"]


def test_the_derivative_of_a_line_is_its_slope():
    assert set(lines("-k", "derivative", "--padding", "valid")) == {"1"}
    assert set(lines("-k", "derivative", "--dt", "0.5", "--padding", "valid")) == {"2"}


def test_with_convolves_two_signals_in_either_order():
    Path("f.txt").write_text("1 2 3")
    Path("g.csv").write_text("0\n1\n0.5\n")
    there = numbers("f.txt", "--with", "g.csv", stdin=b"")
    np.testing.assert_array_equal(there, np.convolve([1, 2, 3], [0, 1, 0.5]))
    assert numbers("g.csv", "--with", "f.txt", stdin=b"") == there
    assert numbers("--with", "f.txt", stdin=b"0\n1\n0.5\n") == there
    assert numbers("f.txt", "--with", "-", stdin=b"0\n1\n0.5\n") == there
    assert numbers("f.txt", "--with", "g.csv", "--dt", "1/10") == [x / 10 for x in there]


def test_the_integral_of_a_box_with_itself_is_a_triangle():
    Path("box.txt").write_text("1\n" * 1000)
    triangle = numbers("box.txt", "--with", "box.txt", "--dt", "0.001")
    t = 0.001 * np.arange(1, 2000)
    np.testing.assert_allclose(triangle, np.minimum(t, 2 - t), atol=1e-12)


def test_columns_keep_their_header():
    table = b"t,v,w\n0,1,5\n1,2,5\n2,3,5\n"
    options = ("-k", "1 1", "--padding", "valid")
    assert lines(*options, stdin=table) == ["t,v,w", "1,3,10", "3,5,10"]
    assert lines(*options, "--column", "v", stdin=table) == ["3", "5"]
    both = ["--column", "w", "--column", "2"]
    assert lines(*options, *both, stdin=table) == ["w,v", "10,3", "10,5"]
    assert lines(*options, *both, "--format", "text", stdin=table) == ["10,3", "10,5"]


def test_kernels_run_one_after_the_other():
    twice = numbers("-k", "1 1", "-k", "1 -1", "--padding", "full")
    assert twice == np.convolve(np.arange(1, 101), [1, 0, -1]).tolist()


def test_scale_normalize_and_digits():
    assert lines("-k", "1 1 1", "--normalize", "--scale", "2")[1] == "4"
    assert lines("-k", "1/3", "--digits", "3")[0] == "0.333"
    assert float(lines("-k", "1/3", "--digits", "17")[0]) == 1 / 3


def test_stride_dilation_and_borders():
    assert lines("-k", "1", "--stride", "33") == ["1", "34", "67", "100"]
    assert lines("-k", "1 1", "--dilation", "50", "--padding", "valid")[0] == "52"
    for border, first in (("edge", 1), ("reflect", 1), ("mirror", 2), ("wrap", 100)):
        assert lines("-k", "0 0 1", "--border", border)[0] == str(first)
    assert lines("-k", "0 0 1", "--border", "constant:7")[0] == "7"


@pytest.mark.parametrize("depth", ["int16", "int32", "float32"])
def test_a_wav_keeps_its_rate_its_depth_and_its_channels(depth):
    stored = (np.random.default_rng(0).uniform(-0.5, 0.5, (500, 2)) * 2**15).astype(depth)
    wavfile.write("in.wav", RATE, stored)
    assert lines("in.wav", "-k", "gaussian:sigma=2") == ["in-gaussian-sigma2.wav"]
    rate, filtered = wavfile.read("in-gaussian-sigma2.wav")
    assert (rate, filtered.dtype, filtered.shape) == (RATE, depth, (500, 2))
    from scipy.ndimage import gaussian_filter1d

    expected = gaussian_filter1d(stored.astype(float), 2, axis=0, mode="reflect")
    np.testing.assert_allclose(filtered, expected, atol=0.51 if depth != "float32" else 0.01)


def test_a_stride_divides_the_rate():
    write_wav(channels=2)
    assert lines("tone.wav", "-k", "box:size=4", "--anchor", "0", "--stride", "4", "-o", "s.wav")
    assert wavfile.read("s.wav")[0] == RATE / 4
    assert "is no whole number" in run("tone.wav", "-k", "1", "--stride", "3", "-o", "3.wav").stderr


def test_clipped_samples_are_counted_on_stderr():
    write_wav()
    result = run("tone.wav", "-k", "4", "-o", "loud.wav")
    assert "of 1,000 values were beyond full scale" in result.stderr
    assert "--depth float keeps them" in result.stderr
    result = run("tone.wav", "-k", "4", "-o", "float.wav", "--depth", "float")
    assert result.stderr == ""
    assert abs(wavfile.read("float.wav")[1]).max() > 1.9


@pytest.mark.parametrize("name", ["out.txt", "out.csv", "out.npy", "out.wav", "folder/"])
def test_the_name_of_the_output_says_its_format(name):
    x = write_wav()
    (written,) = lines("tone.wav", "-k", "identity", "-o", name)
    path = Path(written)
    if path.suffix == ".npy":
        y = np.load(path)
    elif path.suffix == ".wav":
        y = wavfile.read(path)[1] / 2**15
    else:
        y = np.loadtxt(path)
    np.testing.assert_allclose(y, x[:, 0], rtol=1e-11)
    assert path.parent.name == ("folder" if name == "folder/" else "")


def test_stdin_goes_to_stdout_in_the_same_format():
    write_wav()
    data = Path("tone.wav").read_bytes()
    assert run("-k", "identity", stdin=data).stdout_bytes == data
    np.save("x.npy", np.arange(9.0))
    array = np.load(io.BytesIO(run("-k", "2", stdin=Path("x.npy").read_bytes()).stdout_bytes))
    np.testing.assert_array_equal(array, 2 * np.arange(9.0))
    spooled = run("-k", "2", "--format", "npy", stdin=COUNT).stdout_bytes
    np.testing.assert_array_equal(np.load(io.BytesIO(spooled)), 2.0 * np.arange(1, 101))


def test_a_wav_of_unknown_length_on_stdout_is_read_back():
    first = run("-k", "1/100", "--format", "wav", "--rate", RATE, stdin=COUNT)
    back = run("-k", "identity", "--format", "text", stdin=first.stdout_bytes)
    np.testing.assert_allclose(
        np.array(back.stdout.split(), float), np.arange(1, 101) / 100, rtol=1e-7
    )


def test_an_existing_file_is_kept_without_force():
    Path("out.txt").write_text("mine")
    assert "out.txt exists: -f overwrites it" in failure(InputError, "-k", "1", "-o", "out.txt")
    assert Path("out.txt").read_text() == "mine"
    assert lines("-k", "1", "-o", "out.txt", "-f") == ["out.txt"]
    assert Path("out.txt").read_bytes() == COUNT


def test_a_failure_leaves_no_file_behind(in_folder):
    assert "line 101" in failure(InputError, "-k", "1", "-o", "out.txt", stdin=COUNT + b"x\n")
    assert list(in_folder.iterdir()) == []


def test_json_reports_a_file():
    write_wav(channels=2)
    (line,) = lines("tone.wav", "-k", "box:size=301", "--json", "-o", "out.wav")
    assert json.loads(line) == {
        "input": "tone.wav",
        "output": "out.wav",
        "format": "wav",
        "samples": 1000,
        "channels": 2,
        "rate": RATE,
        "clipped": 0,
        "methods": ["fft"],
    }


@pytest.mark.parametrize("method", ["direct", "fft", "auto"])
def test_the_methods_agree(method):
    kernel = " ".join(str(number) for number in range(80))
    expected = np.convolve(np.arange(1, 101), np.arange(80))
    ours = numbers("-k", kernel, "--padding", "full", "--method", method)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_blank_lines_that_may_be_gaps_are_remarked_on():
    assert "stdin has blank lines" in run("-k", "1", stdin=b"20\n\n22\n").stderr
    assert run("-k", "1", "-q", stdin=b"20\n\n22\n").stderr == ""
    assert run("-k", "1", stdin=b"20\n22\n\n").stderr == ""


def test_what_a_live_result_waits_for_is_said():
    decay = ("-k", "exponential:tau=5,size=40", "--live")
    assert "waits for 40 samples" in run(*decay, stdin=COUNT).stderr
    assert run("-k", "box", "--live", stdin=COUNT).stderr == ""
    for more in (["--border", "edge"], ["--padding", "full"], ["-q"]):
        assert run(*decay, *more, stdin=COUNT).stderr == ""
    assert run(*decay[:2], stdin=COUNT).stderr == ""


def test_an_even_kernel_is_remarked_on_where_its_middle_matters():
    assert "the anchor is weight 1" in run("-k", "1 1", stdin=COUNT).stderr
    for options in (["--anchor", "0"], ["--padding", "valid"], ["-q"]):
        assert run("-k", "1 1", *options, stdin=COUNT).stderr == ""


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["-k", "box"], b"1\n2\nabc\n", "stdin line 3: 'abc' is not a number"),
        (["-k", "box"], b"", "stdin is empty"),
        (["-k", "box"], bytes(range(256)) * 20, "stdin is neither text nor .npy nor WAV"),
        (["-k", "box", "--padding", "valid"], b"1\n2\n", "spans 3 does not fit into 2"),
        (["missing.txt", "-k", "box"], b"", "missing.txt does not exist: check the name"),
        (["-k", "box"], b"a,b\n", "stdin line 1, 'a,b', holds no number, and nothing"),
        (["-k", "box"], wav.wav_header(1, RATE, "16", 0), "stdin is empty: it holds no samples"),
        ([".", "-k", "box"], b"", ". is a folder, not a signal: name the files in it"),
        (["-k", "box", "-o", "no/such/"], b"1\nx\n", "stdin line 2"),
    ],
)
def test_data_that_cannot_be_used_is_named(arguments, stdin, message):
    assert message in failure(InputError, *arguments, stdin=stdin)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --kernel SPEC or --with SIGNAL, one of them: neither is there"),
        (["-k", "1", "--with", "f.txt"], "both are there"),
        (["--with", "-"], "both stdin"),
        (["-k", "boxx"], "did you mean 'box'?"),
        (["-k", "box", "--column", "w"], "--column w: stdin has no such column"),
        (["-k", "box", "--anchor", "3"], "anchor 3 is outside box: expected 0 to 2"),
        (["-k", "box", "--anchor", "1", "--padding", "full"], "--anchor is for --padding same"),
        (["-k", "box", "-o", "out.xyz"], "ends in none of .txt, .csv, .npy, .wav"),
        (["-k", "box", "-o", "out"], "ends in none of"),
        (["-k", "box", "-o", "out.npy", "--format", "wav"], "contradicts the name of out.npy"),
        (["-k", "box", "-o", "out.wav"], "a WAV needs a sample rate"),
        (["-k", "box", "--rate", "8000"], "--rate is for WAV, and the output is text"),
        (["-k", "box", "-o", "x.npy", "--digits", "3"], "--digits is for text"),
        (["-k", "box", "--json"], "the result and --json both go to stdout"),
    ],
)
def test_requests_that_make_no_sense_are_named(arguments, message):
    assert message in failure(RequestError, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--stride", "0"],
        ["--dilation", "x"],
        ["--padding", "-1"],
        ["--border", "mirrored"],
        ["--dt", "0"],
        ["--dt", "1/0"],
        ["--dt", "1/x"],
        ["--dt", "nan"],
        ["--rate", "44.1k"],
        ["--digits", "18"],
        ["--format", "mp3"],
    ],
)
def test_values_that_make_no_sense_are_usage_errors(arguments):
    result = run("-k", "box", *arguments, stdin=COUNT)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert repr(arguments[1]) in result.stderr


def test_a_time_step_that_is_none_is_told_how_times_are_written():
    stderr = run("-k", "box", "--dt", "x", stdin=COUNT).stderr
    assert "'x' is not a time: expected one such as 0.01 or 1/44100" in stderr
    stderr = run("-k", "box", "--dt", "0", stdin=COUNT).stderr
    assert "'0' is out of range: expected a time from 1e-12 to 1e+12" in stderr


def test_signals_of_two_rates_are_not_convolved():
    write_wav("a.wav")
    wavfile.write("b.wav", 44100, np.ones(5, np.int16))
    assert "44,100" in failure(InputError, "a.wav", "--with", "b.wav")


def test_the_help_lists_every_kernel():
    shown = run("--help").stdout
    assert all(f"\n    {name}" in shown for name in kernels.NAMES)
    assert f"[default: {signal_files.DIGITS}]" in " ".join(shown.split())


@posix
def test_a_reader_that_has_enough_ends_it_quietly_and_soon():
    command = f"yes 1 | head -n 10000000 | {' '.join(COMMAND)} convolve1d - -k box:size=3 | head -3"
    started = time.monotonic()
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"1\n1\n1\n", b"")
    assert time.monotonic() - started < 10


@posix
def test_results_come_live_from_a_pipe_that_stays_open():
    process = subprocess.Popen(
        [*COMMAND, "convolve1d", "-k", "box:size=3", "--padding", "valid", "--live"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdin.write(b"100\n200\n300\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"200\n"
    process.stdin.write(b"400\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"300\n"
    assert process.communicate(timeout=30)[0] == b""
    assert process.returncode == 0


@posix
@pytest.mark.parametrize("has_input", [True, False])
def test_a_terminal_is_neither_read_nor_given_bytes(has_input):
    import pty

    write_wav()
    controller, terminal = pty.openpty()
    with open("tone.wav", "rb") as sound:
        done = subprocess.run(
            [*COMMAND, "convolve1d", "-k", "box"],
            stdin=sound if has_input else terminal,
            stdout=terminal if has_input else subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    expected = b"wav bytes would go to the terminal" if has_input else b"stdin is a terminal"
    assert expected in done.stderr


MEASURED = """
import sys
from cnntool.cli.main import cli
cli.main(sys.argv[1:], standalone_mode=False)
with open("/proc/self/status") as status:
    print(*[line.split()[1] for line in status if line.startswith("VmHWM")], file=sys.stderr)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("long.npy", ["-k", "gaussian:sigma=300", "-o", "out.npy"]),
        ("long.npy", ["-k", "box", "--border", "wrap", "--stride", "7", "-o", "out.wav"]),
        ("long.wav", ["-k", "1 -1", "--dilation", "1000", "-o", "out.npy"]),
        ("long.txt", ["-k", "box", "-k", "derivative", "-o", "out.txt"]),
    ],
)
def test_memory_does_not_grow_with_the_signal(name, arguments):
    def kilobytes(length: int) -> int:
        x = np.zeros(length)
        if name.endswith(".npy"):
            np.save(name, x)
        elif name.endswith(".wav"):
            wavfile.write(name, RATE, x.astype(np.float32))
        else:
            Path(name).write_text("0.25\n" * length)
        extra = ["--rate", "8000"] if arguments[-1] == "out.wav" else []
        command = [sys.executable, "-c", MEASURED, "convolve1d", name, *arguments, *extra, "-f"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return int(done.stderr.split()[-1])

    # 5 million are 40 MB as float64; what glibc holds of freed blocks varies by some 10 MB.
    length, most = (1_000_000, 8_000) if name == "long.txt" else (5_000_000, 16_000)
    assert kilobytes(length) - kilobytes(200_000) < most


def test_a_float_wav_refuses_what_its_floats_cannot_hold():
    words = ("-k", "identity", "--format", "wav", "--rate", "8000", "-o", "out.wav")
    result = run(*words, "--depth", "float", stdin=b"1e300\n1\n")
    assert isinstance(result.exception, InputError)
    assert "beyond 3.4e+38" in str(result.exception)
    assert not Path("out.wav").exists()
    assert run(*words, "--depth", "float64", stdin=b"1e300\n1\n").exit_code == 0


def test_a_given_rate_needs_no_rounding():
    wavfile.write("in.wav", RATE, np.zeros(9, np.int16))
    words = ("in.wav", "-k", "identity", "--stride", "3", "-f", "-o", "out.wav")
    assert "rounded" in run(*words).stderr
    assert "rounded" not in run(*words, "--rate", "100").stderr


def test_whole_numbers_that_no_float_has_are_refused(cnntool):
    np.save("huge.npy", np.array([1, 2**60 + 1, 3]))
    done = cnntool("convolve1d", "huge.npy", "--kernel", "1,2")
    assert done.code == 1
    assert "huge.npy holds whole numbers beyond 9,007,199,254,740,992" in done.err


def test_what_is_but_rounding_is_printed_as_0(in_folder):
    ramp = b"0.1\n0.2\n0.3\n0.4\n0.3\n"
    kernel = ["-k", "1 -2 1", "--padding", "valid"]
    assert lines(*kernel, stdin=ramp) == ["0", "0", "-0.2"]
    assert lines(*kernel, "--live", stdin=ramp) == ["0", "0", "-0.2"]
    assert 0 < abs(numbers(*kernel, "--digits", "17", stdin=ramp)[0]) < 1e-16
    run(*kernel, "-o", "out.npy", stdin=ramp)
    assert 0 < abs(np.load("out.npy")[0]) < 1e-16


def test_what_is_small_beside_large_numbers_elsewhere_is_printed():
    fading = "".join(f"1e-{place}\n" for place in range(40)).encode()
    halves = numbers("-k", "0 0.5", "--padding", "valid", "--no-flip", stdin=fading)
    np.testing.assert_allclose(halves, [5 * 10.0 ** -(k + 2) for k in range(39)], rtol=1e-11)


def test_options_without_effect_are_noted_or_refused():
    said = run("-k", "box", "--padding", "valid", "--border", "wrap", stdin=COUNT).stderr
    assert said == "--border wrap does nothing: --padding valid reads nothing outside\n"
    refused = failure(RequestError, "-k", "box", "--live", "--method", "fft")
    assert refused.startswith("--live answers sample by sample, and --method fft takes blocks")
