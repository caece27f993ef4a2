"""Image filters side by side with their peers; prints every time as a multiple of ours.

    python benchmarks/filters.py [--megapixels 12] [--rounds 9] [--only kernels|commands|memory]

In process: scipy.ndimage, OpenCV, Pillow, scikit-image and PyTorch, those that are installed
(`pip install 'cnntool[bench]'`), from 8-bit pixels to 8-bit pixels on the same cores. As commands:
ImageMagick, GraphicsMagick and libvips, those that are on the PATH.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from harness import Machine, command_seconds, peak_megabytes, print_machine, race, report

from cnntool.engine.fast.threads import available_cores
from cnntool.files.image import Frame, Image
from cnntool.imaging.filter_plan import Geometry
from cnntool.imaging.filtering import Rendering, filter_image
from cnntool.imaging.kernels import Filter, parse_kernel
from cnntool.imaging.pooling import Pooling, pool_picture

BORDER = Geometry(border="mirror")  # OpenCV's default


def optional(name: str):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


cv2, torch = optional("cv2"), optional("torch")
ndimage, edges = optional("scipy.ndimage"), optional("skimage.filters.edges")
CORES = available_cores()
SPECS = ("sobel-x", "sobel", "box:size=15", "gaussian:sigma=60", "gabor:wavelength=30,angle=30")


def picture(height: int, width: int, channels: int = 1) -> np.ndarray:
    """A photograph's statistics: smooth shapes of all sizes, edges and a little noise."""
    rng = np.random.default_rng(0)
    values = np.zeros((height, width, channels), np.float32)
    for size in (8, 32, 128, 512):
        shape = (-(-height // size), -(-width // size), channels)
        coarse = rng.normal(0, 12 * np.log2(size), shape).astype(np.float32)
        values += coarse.repeat(size, 0).repeat(size, 1)[:height, :width]
    values += rng.normal(0, 2, values.shape).astype(np.float32)
    return np.clip(values + 128, 0, 255).astype(np.uint8)


def ours(pixels: np.ndarray, kernel: Filter):
    image = Image((Frame(pixels, None),), 255.0, "PNG")
    rendering = Rendering(range="clip")
    return lambda: filter_image(image, [kernel], BORDER, rendering)[0].image.frames[0].pixels


def to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def correlate_contenders(pixels: np.ndarray, kernel: Filter, separable_peer: bool) -> dict:
    """Everyone's way from 8 bits through one kernel to 8 bits."""
    weights = kernel.bank[0].astype(np.float32)
    grey = np.ascontiguousarray(pixels[..., 0])
    contenders = {"cnntool": ours(pixels, kernel)}
    if cv2:
        contenders["cv2.filter2D"] = lambda: cv2.filter2D(grey, -1, weights)
        if separable_peer:
            size = len(weights)
            contenders["cv2.GaussianBlur"] = lambda: cv2.GaussianBlur(grey, (size, size), 2.5)
    if ndimage and weights.size < 100:
        floats = grey.astype(np.float32)
        contenders["ndimage.correlate float32"] = lambda: ndimage.correlate(
            floats, weights, mode="mirror"
        )
    if torch:
        torch.set_num_threads(CORES)
        bank = torch.from_numpy(weights)[None, None]
        pad = [len(weights[0]) // 2] * 2 + [len(weights) // 2] * 2

        def by_torch():
            x = torch.from_numpy(grey)[None, None].float()
            x = torch.nn.functional.pad(x, pad, mode="reflect")
            y = torch.nn.functional.conv2d(x, bank)
            return y.round_().clamp_(0, 255).to(torch.uint8)

        contenders["torch conv2d"] = by_torch
    if weights.shape in ((3, 3), (5, 5)):
        from PIL import Image as Pillow
        from PIL import ImageFilter

        pil = Pillow.fromarray(grey)
        pil_kernel = ImageFilter.Kernel(weights.shape, [float(w) for w in weights.ravel()], 1)
        contenders["Pillow Kernel"] = lambda: pil.filter(pil_kernel)
    return contenders


def sobel_contenders(pixels: np.ndarray) -> dict:
    """The gradient's magnitude, as 8 bits."""
    grey = np.ascontiguousarray(pixels[..., 0])
    contenders = {"cnntool": ours(pixels, parse_kernel("sobel"))}
    if cv2:
        derivative = lambda dx, dy: cv2.Sobel(grey, cv2.CV_32F, dx, dy)
        magnitude = lambda: cv2.magnitude(derivative(1, 0), derivative(0, 1))
        contenders["2 cv2.Sobel + magnitude"] = magnitude
        contenders["  and to 8 bits"] = lambda: cv2.convertScaleAbs(magnitude())
    if ndimage:
        floats = grey.astype(np.float32)
        contenders["2 ndimage.sobel + hypot"] = lambda: to_bytes(
            np.hypot(
                ndimage.sobel(floats, 0, mode="mirror"), ndimage.sobel(floats, 1, mode="mirror")
            )
        )
    if edges:
        contenders["skimage.filters.sobel"] = lambda: edges.sobel(grey)
    return contenders


def time_kernels(machine: Machine, megapixels: float, rounds: int) -> None:
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(megapixels * 1e6 / width)
    pixels = picture(height, width)
    rng = np.random.default_rng(1)
    full_rank = lambda size: Filter(
        f"kernel{size}x{size}", "", rng.normal(size=(1, size, size)) / size, "none", ("k",)
    )
    print(f"\n{width} x {height} grey, 8 bit to 8 bit; median (least-most) of {rounds} rounds")
    kernels = {
        "3x3 of full rank": full_rank(3),
        "3x3 sobel-x": parse_kernel("sobel-x"),
        "Gaussian 15x15": parse_kernel("gaussian:sigma=2.5,size=15"),
        "15x15 of full rank": full_rank(15),
    }
    limit = machine.moved(2 * pixels.nbytes)
    for title, kernel in kernels.items():
        contenders = correlate_contenders(pixels, kernel, "Gaussian" in title)
        report(title, race(contenders, rounds), *limit)
    report("sobel magnitude", race(sobel_contenders(pixels), rounds), *limit)
    small = picture(500, 500)
    for size in (3, 15, 51):
        contenders = median_contenders(small, size)
        report(f"median {size}x{size} of 500 x 500", race(contenders, rounds))


def median_contenders(pixels: np.ndarray, size: int) -> dict:
    """The median of square windows, at every pixel."""
    grey = np.ascontiguousarray(pixels[..., 0])
    image = Image((Frame(pixels, None),), 255.0, "PNG")
    pooling = Pooling("median", (size, size), (1, 1), (size // 2, size // 2))
    contenders = {"cnntool": lambda: pool_picture(image, pooling)}
    if cv2:
        contenders["cv2.medianBlur"] = lambda: cv2.medianBlur(grey, size)
    if ndimage and size < 20:
        contenders["ndimage.median_filter"] = lambda: ndimage.median_filter(grey, size)
    return contenders


def cnntool_command(*arguments: str) -> list[str]:
    """The installed command where there is one: its modules are compiled."""
    installed = Path(sys.executable).with_name("cnntool")
    start = [str(installed)] if installed.exists() else [sys.executable, "-m", "cnntool"]
    return [*start, *arguments]


def time_commands(megapixels: float, rounds: int) -> None:
    from PIL import Image as Pillow

    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(megapixels * 1e6 / width)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        colour = Pillow.fromarray(picture(height, width, 3))
        for file in ("large.png", "large.jpg"):
            colour.save(folder / file)
        Pillow.fromarray(picture(512, 512, 3)).save(folder / "small.png")
        for kind in ("png", "jpg"):
            source, target = str(folder / f"large.{kind}"), str(folder / f"out.{kind}")
            commands = {
                "cnntool": cnntool_command("convolve", source, "-k", "sobel", "-qf", "-o", target)
            }
            magick = shutil.which("magick") or shutil.which("convert-im6.q16")
            if magick:
                options = ["-define", "convolve:scale=!", "-morphology", "Convolve", "Sobel"]
                commands["ImageMagick Sobel"] = [magick, source, *options, target]
            if shutil.which("gm"):
                commands["GraphicsMagick -edge"] = ["gm", "convert", source, "-edge", "1", target]
            if shutil.which("vips"):
                # Our quality and our half chroma, which it would else keep whole.
                quality = "[Q=90,subsample-mode=on]" if kind == "jpg" else ""
                commands["vips sobel"] = ["vips", "sobel", source, target + quality]
            contenders = {name: command_seconds(command) for name, command in commands.items()}
            title = f"the whole command: sobel on a {width} x {height} RGB {kind.upper()}"
            report(title, race(contenders, max(3, rounds // 3)))
        source, target = str(folder / "small.png"), str(folder / "out.png")
        small = cnntool_command("convolve", source, "-k", "sobel", "-qf", "-o", target)
        report(
            "start-up",
            race(
                {
                    "512 x 512 PNG, sobel": command_seconds(small),
                    "cnntool --help": command_seconds(cnntool_command("--help")),
                    "python -c pass": command_seconds([sys.executable, "-c", "pass"]),
                },
                rounds,
            ),
        )


def measure_memory() -> None:
    from PIL import Image as Pillow

    print("\npeak memory of the process less decoded input and output, grey 8 bit")
    with tempfile.TemporaryDirectory() as name:
        for width, height in ((4000, 3000), (11550, 8660)):
            source, target = str(Path(name) / "in.png"), str(Path(name) / "out.png")
            Pillow.fromarray(picture(height, width)[..., 0]).save(source)
            for spec in SPECS:
                command = cnntool_command("convolve", source, "-k", spec, "-qf", "-o", target)
                peak = peak_megabytes(command)
                extra = peak - 2 * width * height / 1e6
                print(f"  {width} x {height} {spec:<30} {peak:6.0f} MB, {extra:5.0f} MB more")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=["kernels", "commands", "memory"])
    options = parser.parse_args()
    machine = print_machine(CORES)
    if options.only in (None, "kernels"):
        time_kernels(machine, options.megapixels, options.rounds)
    if options.only in (None, "commands"):
        time_commands(options.megapixels, options.rounds)
    if options.only in (None, "memory"):
        measure_memory()


if __name__ == "__main__":
    main()
