"""What `tests/fuzz.py` feeds: every reader and spec, with seeds that are taken as they are."""

import importlib
import pkgutil
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import fuzz

import cnntool

READER = re.compile(r"(read|load|parse|open|probe)(_\w+)?")
FOLDERS = "cnntool.files", "cnntool.imaging", "cnntool.signals", "cnntool.datasets"
FOLDERS += "cnntool.networks", "cnntool.training"

OTHERS = {
    "files.signal.read_whole",
    "networks.model.load_sequence_model",
    *(f"training.parts.{name}" for name in ("load_for", "read_options")),
}
"""Those that put together what others have read."""

OF_EXTRAS = {"files.deep.read_tiff": "tifffile"}
"""Those that read through a package that need not be there."""


def readers() -> dict:
    """The public functions that read something, by code, with their names."""
    found = {}
    for module in pkgutil.walk_packages(cnntool.__path__, "cnntool."):
        if module.name.startswith(FOLDERS):
            names = vars(importlib.import_module(module.name))
            for name, function in names.items():
                code = getattr(function, "__code__", None)
                if code and READER.fullmatch(name) and function.__module__ == module.name:
                    found[code] = f"{module.name.removeprefix('cnntool.')}.{name}"
    return found


def test_every_reader_is_fed_with_what_it_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wanted = readers()
    parts = fuzz.parts(Path(tmp_path))
    called = set()

    def note(frame, event, _):
        if event == "call" and frame.f_code in wanted:
            called.add(frame.f_code)

    sys.setprofile(note)
    try:
        for _, seeds, read, _ in parts:
            for seed in seeds:
                read(seed)
    finally:
        sys.setprofile(None)
    missing = {wanted[code] for code in wanted.keys() - called}
    lacking = {name for name, package in OF_EXTRAS.items() if find_spec(package) is None}
    assert missing == OTHERS | lacking
