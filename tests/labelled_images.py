"""Labelled images for the tests, as files and as arrays, made without the code under test."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from cnntool.datasets.images.dataset import Dataset

IDX_CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx_bytes(array: np.ndarray, dtype: str = "u1") -> bytes:
    """An IDX file by the letter of its specification."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, IDX_CODES[dtype], array.ndim, *array.shape)
    return header + array.astype(dtype).tobytes()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def save_picture(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def picture_folder(folder: Path, classes=("cats", "dogs"), count: int = 3, shape=(6, 5)) -> dict:
    """One PNG of noise after the other; returns the pixels by class and file name."""
    pixels = {
        (name, f"{index}.png"): noise(*shape, seed=100 * place + index)
        for place, name in enumerate(classes)
        for index in range(count)
    }
    for (name, file), values in pixels.items():
        save_picture(folder / name / file, values)
    return pixels


def small_set(count: int = 10, classes: int = 2, shape=(1, 4, 4), labels=None) -> Dataset:
    y = np.arange(count, dtype=np.int64) % classes
    labels = labels or tuple("abcdefghij"[:classes])
    return Dataset(noise(count, *shape), y, labels, "set")
