"""Labelled images from whatever holds them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cnntool.datasets.images.arrays import load_npz
from cnntool.datasets.images.cifar import is_cifar_folder, load_cifar_file, load_cifar_folder
from cnntool.datasets.images.dataset import LoadOptions, load_digits
from cnntool.datasets.images.files import Advance
from cnntool.datasets.images.folder import load_image_folder
from cnntool.datasets.images.idx import NAME, is_idx_folder, load_idx_folder
from cnntool.datasets.images.parts import Parts
from cnntool.datasets.images.preprocessing import COLOURS, converted
from cnntool.errors import InputError
from cnntool.wording import did_you_mean, joined

BUILT_IN = "digits"
KINDS = (
    f"'{BUILT_IN}', a folder with one sub-folder of images a class, a folder of IDX files such as "
    "MNIST's, CIFAR-10's binary files, or an .npz archive"
)


def load_images(
    source: str | os.PathLike,
    options: LoadOptions | None = None,
    advance: Advance | None = None,
) -> Parts:
    """The data set that ``source`` names, in the parts that it comes in.

    source: 'digits', the built-in set (a folder of that name is './digits'); a folder of IDX files
        (MNIST); a folder with one sub-folder of images a class, or with such folders in train/,
        val/ and test/; CIFAR-10's folder or one of its .bin files; an .npz archive with x and y.
    advance: called with (done, all) after each image of a folder, from one thread at a time.

    InputError for what is missing, malformed, or does not fit together or into memory.

    >>> load_images("digits").train.image_shape
    (1, 8, 8)
    """
    options = options or LoadOptions()
    if not os.fspath(source):
        raise InputError(f"the data set has an empty name: expected {KINDS}")
    if os.fspath(source) == BUILT_IN:
        parts = Parts(load_digits())
    else:
        try:
            parts = _load(Path(source), options, advance)
        except OSError as error:
            raise InputError(f"{Path(source)} cannot be read: {error.strerror or error}") from None
    channels = COLOURS.get(options.colour)
    return parts.map(lambda part: converted(part, channels, options.resize))


def _load(path: Path, options: LoadOptions, advance: Advance | None) -> Parts:
    if path.is_dir():
        if is_idx_folder(path):
            return load_idx_folder(path, options.levels)
        if is_cifar_folder(path):
            return load_cifar_folder(path)
        return load_image_folder(path, options, advance)
    if not path.exists():
        hint = did_you_mean(str(path), [BUILT_IN]) or f"expected {KINDS}"
        raise InputError(f"{path} does not exist: {hint}")
    if path.suffix.lower() == ".npz":
        return load_npz(path, options.levels)
    if path.suffix.lower() == ".bin":
        return load_cifar_file(path)
    if NAME.fullmatch(path.name):
        raise InputError(f"{path} is one file of several: name the folder that holds them")
    raise InputError(f"{path} is no data set: expected {KINDS}")


def not_of_folders(given: Mapping[str, bool], *paths: str | None) -> list[str]:
    """A note on options that are given and hold for folders of images alone, where none of the
    paths is one; else none."""
    options = [f"--{name.replace('_', '-')}" for name, is_given in given.items() if is_given]
    if not options or any(path is not None and os.path.isdir(path) for path in paths):
        return []
    verb = "is" if len(options) == 1 else "are"
    return [f"{joined(options)} {verb} for folders of images, and {paths[0]} is none"]
