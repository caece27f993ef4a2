"""Feed every reader and every spec with mutations of what it takes: nothing but one-line errors.

    python tests/fuzz.py                     2,000 mutations each
    python tests/fuzz.py --seconds 60        as many as fit, as .ci/run does
    python tests/fuzz.py --only gif --case 7 one of them, with its traceback

What ends in no error of one plain line, warns, writes to standard error, wants more memory than
is there or takes long is printed with the command that does it again, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
import wave
import zlib
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from functools import partial
from pathlib import Path

import click
import numpy as np
from PIL import Image as Pillow
from PIL import features
from sequence_models import TASKS, write_sequence_models
from text_models import write_text_models
from trained_models import darkness_model

from cnntool.cli import types
from cnntool.cli.console import one_line
from cnntool.cli.convolve import read_learned
from cnntool.cli.files import Source
from cnntool.cli.main import cli
from cnntool.cli.manifest import Manifest, state_of
from cnntool.cli.sweeps.runs import Record, find_runs
from cnntool.datasets.images.arrays import load_npz
from cnntool.datasets.images.augmentation import parse_augmentation
from cnntool.datasets.images.cifar import load_cifar_file
from cnntool.datasets.images.dataset import LoadOptions
from cnntool.datasets.images.idx import read_idx
from cnntool.datasets.images.sources import load_images
from cnntool.datasets.sequences.reading import load_samples
from cnntool.datasets.sequences.series import read_series
from cnntool.datasets.texts.corpus import load_corpus
from cnntool.errors import InputError, RequestError
from cnntool.files.image import Frame, Image
from cnntool.files.images import open_image, probe_image, save_image
from cnntool.files.rows import NotInRows, open_rows
from cnntool.files.signals import open_signal
from cnntool.imaging.kernels import parse_kernel
from cnntool.networks.joined import parse_network
from cnntool.networks.layers.convolutions import read_connections
from cnntool.networks.model import load_trained
from cnntool.networks.model_file import load_header
from cnntool.networks.spec import parse_layers
from cnntool.networks.weight_files import read_facts, read_kernels
from cnntool.networks.zoo import build
from cnntool.signals.kernels import parse_signal_kernel
from cnntool.training.progress import read_history
from cnntool.training.schedules import parse_schedule
from cnntool.wording import plain

LONGEST_LINE = 600
SLOW = 20.0
"""Seconds for one case: on a busy machine, a hundred times what it takes."""

INTERNALS = ("object at 0x", "Traceback", "to unpack", "index out", "NoneType", "subscript")
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 100_000)

Read = Callable[[bytes], object]


def mutated(seeds: list[bytes], random: np.random.Generator, alphabet: bytes | None) -> bytes:
    """One of the seeds after one to four changes, more often near its start, where headers are."""
    data = bytearray(seeds[random.integers(len(seeds))])
    for _ in range(random.integers(1, 5)):
        reach = len(data) if random.random() < 0.5 else min(len(data), 160)
        at, length = int(random.integers(reach + 1)), int(random.integers(1, 17))
        new = random.bytes(length)
        if alphabet:
            new = bytes(alphabet[byte % len(alphabet)] for byte in new)
        number = int(NUMBERS[random.integers(len(NUMBERS))])
        other = seeds[random.integers(len(seeds))]
        match random.integers(8):
            case 0 if data and not alphabet:
                data[min(at, len(data) - 1)] ^= 1 << random.integers(8)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = new
            case 3:
                data[at : at + length] = new
            case 4:
                data[at:at] = data[at : at + 4 * length]
            case 5 if not alphabet:
                order = "little" if random.random() < 0.5 else "big"
                size = 4 if number > 0xFFFF or random.random() < 0.5 else 2
                data[at : at + size] = number.to_bytes(size, order)
            case 6:
                data[at:at] = str(number).encode() if alphabet else bytes(length)
            case 7 if random.random() < 0.3:
                data[at:] = other[at:] if random.random() < 0.5 else b""
    return bytes(data)


def images() -> Iterator[tuple[str, list[bytes], Read]]:
    y, x = np.mgrid[:40, :56]
    shades = np.stack([(4 * x + 3 * y * k) % 256 for k in (1, 2, 3)], axis=2).astype(np.uint8)
    picture, later = Pillow.fromarray(shades), Pillow.fromarray(shades[::-1].copy())

    def saved(kind: str, made: Pillow.Image = picture, **options: object) -> bytes:
        buffer = io.BytesIO()
        made.save(buffer, kind, **options)
        return buffer.getvalue()

    two = {"save_all": True, "append_images": [later], "duration": 50}
    few, grey = picture.quantize(9), picture.convert("L")
    deep = Pillow.fromarray(shades[..., 0].astype(np.uint16) * 257)
    deepest = io.BytesIO()
    samples = Frame(shades.astype(np.uint16) * 257)
    save_image(Image((samples,), 65535.0, "PNG"), deepest, format="png")
    kinds = {
        "deep png": [deepest.getvalue()],
        "png": [saved("PNG"), saved("PNG", few, transparency=1), saved("PNG", deep)],
        "apng": [saved("PNG", **two)],
        "jpeg": [saved("JPEG"), saved("JPEG", progressive=True), saved("JPEG", grey)],
        "gif": [saved("GIF"), saved("GIF", **two), saved("GIF", disposal=2, **two)],
        "webp": [saved("WEBP"), saved("WEBP", lossless=True), saved("WEBP", **two)],
        "bmp": [saved("BMP"), saved("BMP", few), saved("BMP", picture.convert("1"))],
        "tiff": [saved("TIFF"), saved("TIFF", deep), saved("TIFF", few), saved("TIFF", **two)],
        "packed tiff": [saved("TIFF", compression=how) for how in ("tiff_lzw", "jpeg", "packbits")],
        "pnm": [saved("PPM"), b"P2 # grey\n3 1 255\n1 2 3\n", b"P1 3 2 101010", b"P4 8 1\n*"],
        "jpeg 2000": [saved("JPEG2000")] if features.check("jpg_2000") else [],
        "avif": [saved("AVIF")] if "avif" in features.modules and features.check("avif") else [],
        "npy": [npy(shades), npy(np.asfortranarray(shades / 255)), npy(shades[..., 0] > 9)],
    }
    with suppress(ImportError):
        import tifffile

        buffer = io.BytesIO()
        tifffile.imwrite(buffer, shades.astype(np.uint16) * 257, photometric="rgb", tile=(16, 16))
        kinds["deep tiff"] = [buffer.getvalue()]

    def read(data: bytes) -> None:
        for stream in (data, io.BytesIO(data)):
            with suppress(InputError):
                probe_image(stream, max_pixels=10**6, name="file")
        open_image(data, max_pixels=10**6, name="file")

    yield from ((name, seeds, read) for name, seeds in kinds.items() if seeds)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def signals() -> Iterator[tuple[str, list[bytes], Read]]:
    samples = io.BytesIO()
    with wave.open(samples, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(3)
        file.setframerate(8000)
        file.writeframes(bytes(range(240)))
    sound = samples.getvalue()
    columns = np.asfortranarray(np.arange(12.0).reshape(6, 2))

    def read(data: bytes) -> None:
        for _ in open_signal(io.BytesIO(data), "file").blocks:
            pass

    yield "wav", [sound, sound[:36] + b"LIST\4\0\0\0abcd" + sound[36:]], read
    yield "signal npy", [npy(np.arange(9.0)), npy(columns), npy(np.arange(4))], read
    yield (
        "numbers",
        [b"1\n2.5\n-3e2\n", b"time;value\n0;1.5\n1;2\n", b"# log\na,b\n1,2\n3,4\n"],
        read,
    )


def from_file(name: str, read: Callable[[Path], object], folder: Path) -> Read:
    path = folder / name

    def written(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    return written


def rows(folder: Path) -> Iterator[tuple[str, list[bytes], Read]]:
    def read(path: Path) -> None:
        with (
            suppress(NotInRows),
            open_rows(path, max_pixels=10**6, name="file") as (_, strips),
        ):
            for _ in strips(0):
                pass

    for name, seeds, _ in images():
        if name in ("png", "jpeg", "tiff", "packed tiff", "deep tiff", "pnm", "npy"):
            yield f"rows of {name}", seeds, from_file("rows", read, folder)


def files(folder: Path) -> Iterator[tuple[str, list[bytes], Read]]:
    def archive(**arrays: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    y = np.arange(6) % 2
    labelled = archive(x=np.zeros((6, 4, 4), np.uint8), y=y, labels=np.array(["a", "b"]))
    bank = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)
    idx = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (2, 3, 4)) + bytes(24)
    log = [{"event": "epoch", "epoch": n, "loss": 1 / n, "accuracy": 0.5} for n in (1, 2)]
    lines = "".join(json.dumps(each) + "\n" for each in log).encode()
    model = darkness_model(folder / "seed.npz").read_bytes()
    kernel = b'{"kernel": [[1, 0, -1], [2, 0, -2]], "scale": 0.125}'
    filter = (
        b'{"kernels": [{"name": "a", "matrix": [[1, 0]]}, {"name": "b", "matrix": [[1, 2]]}],'
        b' "combine": "magnitude", "directions": [0, 90], "size": [1, 2], "offset": 9}'
    )
    read_kernel = lambda path: parse_kernel(str(path))
    read_layers = lambda path: build(str(path), (3, 32, 32), 10)
    read_wide, read_kana = (partial(load_corpus, encoding=each) for each in ("utf-16", "cp932"))
    for name, seeds, read in (
        ("set.npz", [labelled], load_npz),
        ("set-idx3-ubyte", [idx], read_idx),
        ("data_batch_1.bin", [bytes(3073 * 2)], load_cifar_file),
        ("model.npz", [model], load_trained),
        ("weights.npz", [archive(conv=bank)], read_kernels),
        ("weights.npy", [npy(bank)], read_kernels),
        ("log.jsonl", [lines], read_history),
        ("table.csv", [b"1,0,1\n0,1,1\n"], read_connections),
        ("header.npz", [model], load_header),
        ("text.bin", [bytes(range(256)) * 2], partial(load_corpus, level="byte")),
        ("text.txt", [b"some words and some more\n" * 9, "naïve café\n".encode() * 9], load_corpus),
        ("wide.txt", ["naïve café\n".encode("utf-16") * 9], read_wide),
        ("kana.txt", ["すべての 人間\n".encode("cp932") * 9], read_kana),
        ("kernel.json", [kernel, filter, b"[[1, 2], [3, 4]]"], read_kernel),
        ("kernel.txt", [b"1 0 -1\n2 0 -2\n# end\n"], read_kernel),
        ("kernel.npy", [npy(bank[0, 0])], read_kernel),
        ("layers.txt", [b"conv 8 3x3 # first\nrelu; dense 10\n"], read_layers),
        ("facts.npz", [archive(conv=bank, bias=bank[0, 0, 0])], read_facts),
    ):
        yield name, seeds, from_file(name, read, folder)
    with suppress(ImportError):
        from safetensors.numpy import save

        yield (
            "safetensors",
            [save({"conv": bank})],
            from_file("w.safetensors", read_kernels, folder),
        )


def folders(folder: Path) -> Iterator[tuple[str, list[bytes], Read]]:
    """Sets that are folders, with one file among others that is mutated."""
    names = "classes/light classes/dark idx cifar beside texts/good texts/bad"
    for name in names.split():
        (folder / name).mkdir(parents=True)
    for name in ("classes/light/1.png", "classes/dark/1.png", "beside/b.png", "beside/a.png"):
        Pillow.new("L", (4, 4)).save(folder / name)
    numbers = lambda *each: b"".join(n.to_bytes(4, "big") for n in each)
    pixels = b"\0\0\x08\3" + numbers(2, 4, 4) + bytes(32)
    (folder / "idx/train-images-idx3-ubyte").write_bytes(pixels)
    (folder / "cifar/data_batch_1.bin").write_bytes(bytes(3073 * 2))
    (folder / "beside/b.txt").write_bytes(b"a cat")
    for name in ("good", "bad"):
        (folder / "texts" / name / "1.txt").write_bytes(b"a film")
    (image,) = (seeds for name, seeds, _ in images() if name == "gif")
    of_images = lambda path: load_images(str(path.parents[1]), LoadOptions((4, 4)))
    of_texts = lambda path: load_samples(str(path.parents[1]), "classifier")
    labels = b"\0\0\x08\1" + numbers(2) + b"\0\1"
    for name, seeds, read in (
        ("classes/light/2.gif", image, of_images),
        ("idx/train-labels-idx1-ubyte", [labels], lambda path: load_images(str(path.parent))),
        ("cifar/data_batch_2.bin", [bytes(3073)], lambda path: load_images(str(path.parent))),
        ("beside/a.txt", [b"a dog\n"], lambda path: load_samples(str(path.parent), "captioner")),
        ("texts/good/2.txt", [b"so good\n"], of_texts),
    ):
        yield name, seeds, from_file(name, read, folder)


SAMPLES = {
    ("classifier", "reviews.txt"): [
        b"__label__good a film\n__label__bad a one\n",
        b"a film\tgood\n",
    ],
    ("classifier", "reviews.csv"): [b'text,label\n"a, film",good\nbad,bad\n'],
    ("classifier", "a.jsonl"): [
        b'{"text": "a film", "label": "good"}\n{"text": "b", "label": 0}\n'
    ],
    ("classifier", "vowels.ts"): [
        b"@problemName v\n@univariate false\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n1:2:b\n"
    ],
    ("tagger", "tags.conll"): [b"EU B-ORG\nrejects O\n\nGerman B-MISC\n", b"# one\n1-2\tdu\t_\n"],
    ("tagger", "tags.conllu"): [
        b"# text = a cat\n1\ta\ta\tDET\tDT\t_\t2\tdet\t_\t_\n"
        b"2\tcat\tcat\tNOUN\tNN\t_\t0\troot\t_\t_\n\n"
    ],
    ("tagger", "a.jsonl"): [b'{"tokens": ["a", "cat"], "tags": ["DT", "NN"]}\n'],
    ("tagger", "words.txt"): [b"the/DT cat/NN 1/2/CD\na/DT dog/NN\n"],
    ("tagger", "rows.csv"): [b"group,x,y,label\n1,0.5,2,up\n1,1,3,down\n2,5,1,up\n"],
    ("translator", "pairs.tsv"): [b"one\tuno\ntwo\tdos\n", b"walk\tV;PST\twalked\n"],
    ("translator", "words.dict"): [b";;; c\nTHROUGH  TH R UW1\nREAD(2)  R EH1 D\n"],
    ("translator", "a.jsonl"): [b'{"source": "one", "target": ["uno", "un"]}\n'],
}
"""By task and name, files that its reader takes."""


def samples(folder: Path) -> Iterator[tuple[str, list[bytes], Read]]:
    for (task, name), seeds in SAMPLES.items():
        read = partial(load_samples, task=task)
        yield f"{task} {name}", seeds, from_file(name, lambda p, r=read: r(str(p)), folder)
    (folder / "one.txt").write_bytes(b"uno\ndos\n")
    in_parallel = lambda path: load_samples([str(path), str(folder / "one.txt")], "translator")
    yield "translator, two files", [b"one\ntwo\n"], from_file("two.txt", in_parallel, folder)
    (folder / "of-classes").mkdir()
    (folder / "of-classes/Irish.txt").write_bytes(b"Kelly\n")
    of_class = lambda path: load_samples(str(path.parent), "classifier")
    names = from_file("Greek.txt", of_class, folder / "of-classes")
    yield "classifier Greek.txt", [b"Adamidis\nKouri\n"], names
    yield from samples_with_pictures(folder)
    write_sequence_models(folder, *TASKS)
    write_text_models(folder)
    for name in (*TASKS, "words", "chars"):
        seed = (folder / f"{name}.npz").read_bytes()
        yield f"{name}.npz", [seed], from_file(f"{name}.npz", load_trained, folder)


SAID = {
    "captions.txt": [
        b"a.png#0\ta dog\nb.png#0\ta cat\n",
        b'image,caption\na.png,"a, b"\nb.png,c\n',
        b"image_name| comment_number| comment\na.png| 0| a dog , running\n",
    ],
    "metadata.jsonl": [b'{"file_name": "a.png", "text": ["one", "two"]}\n'],
    "captions.json": [
        b'{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "caption": '
        b'"a dog"}]}'
    ],
}
"""By name, captions of two pictures."""


def samples_with_pictures(folder: Path) -> Iterator[tuple[str, list[bytes], Read]]:
    series = {"x": np.arange(24.0).reshape(2, 4, 3), "lengths": np.array([4, 2])}
    for task, y in (("classifier", np.array(["a", "b"])), ("tagger", np.eye(2, 4, dtype=int))):
        buffer = io.BytesIO()
        np.savez(buffer, y=y, **series)
        read = lambda path, task=task: load_samples(str(path), task)
        yield f"{task} npz", [buffer.getvalue()], from_file("series.npz", read, folder)
    read = lambda path: read_series(str(path))
    yield "series alone", [buffer.getvalue()], from_file("series.npz", read, folder)
    for place in ("said", "clips/a", "clips/b"):
        (folder / place).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            Pillow.new("L", (4, 4)).save(folder / place / name)
    for name, seeds in SAID.items():
        read = lambda path: load_samples(str(path), "captioner")
        yield f"captioner {name}", seeds, from_file(name, read, folder / "said")
    labels = [b"clip,frame,label\na,0,x\na,1,y\nb,a.png,x\nb,b,y\n", b"a,x,y\nb,x,y\n"]
    read = lambda path: load_samples(str(path.parent), "tagger")
    yield "tagger labels.csv", labels, from_file("labels.csv", read, folder / "clips")


def records(folder: Path) -> Iterator[tuple[str, list[bytes], Read]]:
    """What earlier runs have put down: manifests, and what a sweep has done."""
    (folder / "image.png").write_bytes(b"as it was")
    (folder / "result.png").write_bytes(b"what came of it")
    source, result = Source(folder / "image.png"), folder / "result.png"
    manifest = Manifest(str(folder / "done.jsonl"), {}, [])
    manifest.append(state_of(source.path), [state_of(result)])
    manifest.close()

    def read_manifest(path: Path) -> None:
        known = Manifest(str(path), {}, [(source, [result])], is_read_only=True)
        known.summary([known.fate(source, [result], force=True).why])

    seed = (folder / "done.jsonl").read_bytes()
    yield "manifest", [2 * seed], from_file("done.jsonl", read_manifest, folder)
    (folder / "runs/lr=1").mkdir(parents=True)
    again = lambda path: find_runs(folder / "runs", "train-cnn", ["d"], [{"lr": "1"}], [], [], True)
    score = {"name": "loss", "value": 1.5, "better": "lower"}
    run = Record("train-cnn", ["d"], {"lr": "1"}, {}, 2.5, score)
    seeds = [json.dumps(plain(run)).encode()]
    yield "run.json", seeds, from_file("run.json", again, folder / "runs/lr=1")


GIVEN = (b"3x5", b"0.5", b"1,2,3", b"max:2", b"1x28x28", b"0..4", b"2/8", b"500M", b"10m", b"lenet")


def every_option() -> Iterator[tuple[str, list[bytes], Read]]:
    """Whatever the options and arguments of all commands take, each text going through them all."""
    kinds: dict[tuple, tuple[str, click.ParamType]] = {}
    context = click.Context(cli)
    for name, command in _commands(context):
        for parameter in command.params:
            kind = parameter.type
            if not isinstance(kind, click.types.BoolParamType | click.types.StringParamType):
                key = type(kind), getattr(kind, "read", None), *sorted(map(str, vars(kind).items()))
                kinds.setdefault(key, (f"{name} {parameter.opts[0]}", kind))

    def read(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for name, kind in kinds.values():
            if said := complaint(lambda _, kind=kind: kind.convert(text, None, None), data):
                raise AssertionError(f"{name}: {said}")

    yield "every option", [*GIVEN], read


def _commands(context: click.Context, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands below one, by their names."""
    for each in context.command.list_commands(context):
        command = context.command.get_command(context, each)
        if isinstance(command, click.Group):
            yield from _commands(click.Context(command, parent=context), f"{name} {each}")
        else:
            yield f"{name} {each}".strip(), command


def specs() -> Iterator[tuple[str, list[bytes], Read]]:
    def text_of(parse: Callable[[str], object]) -> Read:
        return lambda data: parse(data.decode("utf-8", "replace"))

    yield from every_option()
    np.savez("bank.npz", conv1=np.ones((2, 3, 3, 3), np.float32))
    parse_learned = partial(parse_kernel, learned=read_learned)
    convert = lambda kind: lambda text: kind.convert(text, None, None)
    kernels = [b"gaussian:sigma=2,size=9", b"1 0 -1; 2 0 -2; 1 0 -1", b"3x3: 1,0,-1 2,0,-2 1,0,-1"]
    layers = [b"conv 8 3x3 pad 1; relu; max 2; dense 10", b"embedding 9 x 4; lstm 8 both; last"]
    joined = b"embedding 9 x 4 letters 7 x 3; gru 4 both => embedding 5 x 3; gru 8; attend; dense 5"
    for name, seeds, parse in (
        ("learned kernel", [b"bank.npz:conv1/1/0", b"bank.npz:conv1"], parse_learned),
        ("kernel", [*kernels, b"gabor:wavelength=6,angle=30", b"[1/9 1/9; 1/9 1/9]"], parse_kernel),
        ("signal kernel", [b"box:size=3", b"1/3,1/3", b"exponential:tau=5"], parse_signal_kernel),
        ("layers", layers, parse_layers),
        ("network", [joined], lambda text: parse_network(text, (None,))),
        (
            "set",
            [b"sums:digits=1,count=20", b"dates:count=20"],
            partial(load_samples, task="translator"),
        ),
        (
            "pictured set",
            [b"shapes:count=10", b"digit-strings:count=10"],
            partial(load_samples, task="captioner"),
        ),
        ("schedule", [b"cosine:warmup=3", b"step:every=10,factor=0.1"], parse_schedule),
        (
            "augmentation",
            [b"shift=2,flip", b"rotate=10,noise=0.1", b"cutout=4"],
            parse_augmentation,
        ),
        ("border", [b"reflect", b"constant:128"], convert(types.Spec("R", types.read_border))),
        ("pixel count", [b"500M", b"9"], convert(types.Spec("N", types.read_pixel_count))),
        ("duration", [b"10m", b"90s"], convert(types.Spec("T", types.read_duration))),
        ("number", [b"0.5", b"1/3", b"-1e-3"], convert(types.Number())),
        ("whole number", [b"12"], convert(types.WholeNumber(1))),
        ("pair", [b"3x5", b"2"], convert(types.Pair())),
    ):
        yield name, seeds, text_of(parse)


def complaint(read: Read, data: bytes) -> str:
    """What is wrong with how a reader takes these bytes; empty where all is well."""
    started, said = time.perf_counter(), io.StringIO()
    with warnings.catch_warnings(record=True) as caught, redirect_stderr(said):
        try:
            read(data)
        except (InputError, RequestError, click.UsageError) as error:
            text = error.message if isinstance(error, click.UsageError) else str(error)
            if len(one_line(text).splitlines()) != 1 or len(text) > LONGEST_LINE:
                return f"no plain line: {text!r}"
            if any(word in text for word in INTERNALS) or "fit into memory" in text:
                return f"internals, or memory: {text}"
        except Exception:
            return traceback.format_exc().strip().splitlines()[-1]
    if caught or said.getvalue():
        return f"warned: {said.getvalue()} {[str(each.message) for each in caught]}"
    if (took := time.perf_counter() - started) > SLOW:
        return f"took {took:.0f} seconds"
    return ""


def case(name: str, seeds: list[bytes], index: int, alphabet: bytes | None) -> bytes:
    """The mutation that always has this number."""
    random = np.random.default_rng([zlib.crc32(name.encode()), index])
    return mutated(seeds, random, alphabet)


def parts(place: Path) -> list[tuple[str, list[bytes], Read, bytes | None]]:
    """All readers and specs: name, what they take, the call, and the letters of what is typed.

    place: an empty folder, the working directory.
    """
    readers = [*images(), *signals(), *rows(place), *files(place), *samples(place)]
    readers += [*folders(place), *records(place)]
    return [(*each, None) for each in readers] + [(*each, TYPED) for each in specs()]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000, help="mutations of each")
    parser.add_argument("--seconds", type=float, help="time for all of them together")
    parser.add_argument("--only", help="the name of one reader or spec")
    parser.add_argument("--case", type=int, help="the number of one of its mutations")
    asked = parser.parse_args()
    limit_memory(3 << 30)
    warnings.simplefilter("always")
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        place = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")  # of folders of images
        chosen = [each for each in parts(place) if asked.only in (None, each[0])]
        for name, seeds, read, alphabet in chosen:
            if asked.case is not None:
                read(case(name, seeds, asked.case, alphabet))
                continue
            for seed in seeds:  # which are taken as they are
                read(seed)
            end = time.monotonic() + (asked.seconds / len(chosen) if asked.seconds else 1e9)
            found: dict[str, int] = {}
            done = 0
            for done in range(asked.count):
                if time.monotonic() > end:
                    break
                if text := complaint(read, case(name, seeds, done, alphabet)):
                    found.setdefault(text, done)
            for text, index in itertools.islice(found.items(), 5):
                print(f"python tests/fuzz.py --only {name!r} --case {index}\n    {text[:300]}")
            print(f"{name}: {done + 1:,} mutations, {len(found)} complaints", flush=True)
            failures += len(found)
        os.chdir("/")
    return 1 if failures else 0


TYPED = bytes(range(32, 127)) + b"  ;;::,,==0123456789\n\xc3\xa9"


def limit_memory(most: int) -> None:
    """So that a claim that is believed ends here, not with the machine."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    sys.exit(main())
