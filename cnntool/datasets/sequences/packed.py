"""The sets that come along. Where they are from stands in ATTRIBUTION.md beside them; they are
packed by docs/pack_sequences.py."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from cnntool.datasets.sequences.samples import Samples

HOME = Path(__file__).parent


def addresses() -> dict[str, Samples]:
    """1,513 addresses of 10,722 words with 29 tags.

    Source: usaddress 0.5.16, training/labeled.xml; The Atlanta Journal Constitution and DataMade,
    2014, MIT.
    """
    lines = _text("addresses").split("\n")
    words, tags = ([tuple(line.split(" ")) for line in lines[start::2]] for start in (0, 1))
    return {"train": Samples("addresses", "words", words, tags)}


def names() -> dict[str, Samples]:
    """8,003 first names: 3,478 male ones and 4,525 female ones, none of them both.

    Source: stdlib's male-first-names-en and female-first-names-en 0.2.3, from Moby Word II by Grady
    Ward, CC0.
    """
    male, female = (block.split("\n") for block in _text("names").split("\n\n"))
    labels = ["male"] * len(male) + ["female"] * len(female)
    return {"train": Samples("names", "text", [*male, *female], labels)}


def vowels() -> dict[str, Samples]:
    """Nine speakers who say "ae": 270 series to learn from and 370 to test with, of 7 to 29 steps
    (T, 12) float32, LPC cepstra in steps of 0.0001.

    Source: M. Kudo, J. Toyama and M. Shimbo, Multidimensional Curve Classification Using
    Passing-Through Regions, Pattern Recognition Letters 20, 1999; UCI, doi:10.24432/C5NS47,
    CC BY 4.0; in the form of aeon 1.6.0.
    """
    data = np.frombuffer(_bytes("vowels.bin.gz"), np.uint8)
    table = data.reshape(2, -1).T.copy().view("<i2").reshape(13, -1)
    values = np.cumsum(table[:12], axis=1, dtype=np.int16).T / np.float32(10_000)
    starts = np.flatnonzero(table[12])
    series, speakers = np.split(values, starts[1:]), table[12, starts]
    return {
        part: Samples(
            name,
            "steps",
            [each for each, is_there in zip(series, own, strict=True) if is_there],
            [str(abs(speaker)) for speaker in speakers[own].tolist()],
        )
        for part, name, own in (
            ("train", "vowels", speakers > 0),
            ("test", "vowels (test)", speakers < 0),
        )
    }


def pronunciations() -> dict[str, Samples]:
    """30,000 English words with one pronunciation or more each, of 39 phonemes without stress.

    Source: The CMU Pronouncing Dictionary, Carnegie Mellon University, 1993-2015, BSD-2.
    """
    phonemes, words, ways = _text("pronunciations").split("\n\n")
    table = {ord(sign): f"{each} " for sign, each in zip(SIGNS, phonemes.split(" "), strict=False)}
    said = ways.translate(table).replace(" ,", ",").replace(" \n", "\n").rstrip().split("\n")
    answers = [tuple(each.split(",")) for each in said]
    return {"train": Samples("pronunciations", "text", words.split("\n"), answers)}


SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _text(name: str) -> str:
    return _bytes(f"{name}.txt.gz").decode()


def _bytes(name: str) -> bytes:
    return gzip.decompress((HOME / name).read_bytes())
