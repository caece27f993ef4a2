"""Many pictures and large ones, as whole commands beside their peers, as multiples of our time.

    python benchmarks/scale.py [--photographs 10000] [--megapixels 400] [--rounds 3]
        [--only photographs|large|jpeg]

ImageMagick's mogrify, GNU parallel over libvips, and libvips itself, those that are on the PATH; on
an idle machine, with room for a few gigabytes in the folder for temporary files. Beside the clock
stand the CPU seconds of one run and its peak memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import numpy as np
from filters import cnntool_command, picture
from harness import peak_megabytes, print_machine, record

from cnntool.engine.fast.threads import available_cores
from cnntool.files.image import Frame
from cnntool.files.layout import Layout
from cnntool.files.rows import save_rows

CORES = available_cores()
SIDE = 512
KINDS = {"tif": "TIFF", "png": "PNG"}

Contender = tuple[Callable[[], object], Sequence[str]]
"""What makes ready for a run, and the command."""


def photographs(folder: Path, count: int) -> None:
    """So many JPEGs of 512 x 512, each another part of one picture."""
    from PIL import Image as Pillow

    large = picture(4 * SIDE, 4 * SIDE, 3)
    rng = np.random.default_rng(0)
    for number in range(count):
        top, left = rng.integers(0, 3 * SIDE, 2)
        part = Pillow.fromarray(large[top : top + SIDE, left : left + SIDE])
        part.save(folder / f"{number:06}.jpg", quality=90)


def run(command: Sequence[str]) -> tuple[float, float]:
    """Seconds on the wall and of all cores that a command takes; its output is thrown away."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode()[-300:]}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def race(title: str, contenders: dict[str, Contender], rounds: int, pixels: float = 0) -> None:
    """Let all run in turn and print the fastest run of each; of ``pixels`` pictures a second."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (prepare, command) in contenders.items():
            prepare()
            times[name].append(run(command))
    print(f"\n{title}")
    ours = min(next(iter(times.values())))[0]
    found = {"seconds": {}, "cpu": {}, "megabytes": {}}
    for name, (prepare, command) in contenders.items():
        seconds, cpu = min(times[name])
        prepare()
        memory = peak_megabytes(command)
        found["seconds"][name], found["cpu"][name], found["megabytes"][name] = seconds, cpu, memory
        rate = f"{pixels / seconds:7.0f} a second" if pixels else ""
        print(
            f"  {name:<34} {seconds:7.2f} s {seconds / ours:6.2f} x ours {cpu:7.2f} CPU s "
            f"{memory:6.0f} MB {rate}"
        )
    record(title=title, **found)


def time_photographs(count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name) / "photos", Path(name) / "out"
        folder.mkdir()
        photographs(folder, count)

        def empty() -> None:
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()

        def ours(*more: str) -> Contender:
            options = ["-r", "-k", "sobel", "-q", "-o", f"{out}/", *more]
            return empty, cnntool_command("convolve", str(folder), *options)

        contenders = {f"cnntool --jobs {n}": ours("--jobs", str(n)) for n in (CORES, 1)}
        if importlib.util.find_spec("distributed"):
            contenders[f"cnntool --cluster local:{CORES}"] = ours("--cluster", f"local:{CORES}")
        if shutil.which("mogrify"):
            kernel = ["-define", "convolve:scale=!", "-morphology", "Convolve", "Sobel"]
            mogrify = f"mogrify -path {out} {' '.join(kernel)} {folder}/*.jpg".replace("!", "'!'")
            contenders["ImageMagick mogrify"] = empty, ["bash", "-c", mogrify]
        if shutil.which("parallel") and shutil.which("vips"):
            work = f"ls {folder} | parallel -j {CORES} vips sobel {folder}/{{}} {out}/{{}}"
            contenders["GNU parallel over vips sobel"] = empty, ["bash", "-c", work]
        title = f"{count:,} JPEGs of {SIDE} x {SIDE}, sobel"
        race(title, contenders, rounds, count)


def large_picture(path: Path, side: int, channels: int) -> None:
    """A picture that is never whole, a square of the same parts."""
    part = picture(1000, 2000, channels)
    like = Layout(side, side, channels, part.dtype, 255.0, False, KINDS[path.suffix[1:]])
    wide = np.tile(part, (1, -(-side // 2000), 1))[:, :side]
    with save_rows(path, like) as writer:
        for top in range(0, side, 1000):
            writer.write(Frame(np.ascontiguousarray(wide[: min(1000, side - top)])))


def time_large(megapixels: float, rounds: int) -> None:
    side = round((megapixels * 1e6) ** 0.5)
    for kind in KINDS:
        for channels, colour in ((1, "grey"), (3, "RGB")):
            with tempfile.TemporaryDirectory() as name:
                source, target = Path(name) / f"in.{kind}", Path(name) / f"out.{kind}"
                large_picture(source, side, channels)
                options = ["-k", "gaussian:sigma=5", "-qf", "--memory", "500M"]
                limit = ["--max-pixels", "2G", "-o", str(target)]
                ours = cnntool_command("convolve", str(source), *options, *limit)
                contenders: dict[str, Contender] = {"cnntool --memory 500M": (_nothing, ours)}
                if shutil.which("vips"):
                    vips = ["vips", "gaussblur", str(source), str(target), "5"]
                    contenders["vips gaussblur"] = _nothing, vips
                race(f"{side} x {side} {colour} {kind.upper()}, Gaussian", contenders, rounds)


def time_jpeg(rounds: int) -> None:
    from PIL import Image as Pillow

    with tempfile.TemporaryDirectory() as name:
        source, target = str(Path(name) / "in.jpg"), str(Path(name) / "out.jpg")
        Pillow.fromarray(picture(6708, 8944, 3)).save(source, quality=90)
        ours = cnntool_command("convolve", source, "-k", "gaussian:sigma=5", "-qf", "-o", target)
        contenders: dict[str, Contender] = {"cnntool": (_nothing, ours)}
        if shutil.which("vips"):
            contenders["vips gaussblur"] = _nothing, ["vips", "gaussblur", source, target, "5"]
        race("8944 x 6708 RGB JPEG, Gaussian", contenders, rounds)


def _nothing() -> None:
    pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=10_000)
    parser.add_argument("--megapixels", type=float, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["photographs", "large", "jpeg"])
    options = parser.parse_args()
    print_machine(CORES)
    if options.only in (None, "photographs"):
        time_photographs(options.photographs, options.rounds)
    if options.only in (None, "large"):
        time_large(options.megapixels, options.rounds)
    if options.only in (None, "jpeg"):
        time_jpeg(options.rounds)


if __name__ == "__main__":
    main()
