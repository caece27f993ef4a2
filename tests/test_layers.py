"""The floors of the house: imports run down, and words that stand twice agree."""

import ast
import re
from pathlib import Path

import pytest

import cnntool
from cnntool.cli import convolve, convolve1d, options, pool
from cnntool.cli.explain import layers
from cnntool.cli.visualize import options as pictures
from cnntool.engine import image_pooling
from cnntool.engine.windows import BORDERS
from cnntool.imaging import combining, formats, pooling, tone
from cnntool.signals import filtering, kernels, wav, writing
from cnntool.visuals import filter_grid

PACKAGE = Path(cnntool.__file__).parent
ABOVE = {
    "engine": ("imaging", "signals", "datasets", "networks", "training", "visuals", "cli"),
    "imaging": ("signals", "datasets", "networks", "training", "visuals", "cli"),
    "signals": ("datasets", "networks", "training", "visuals", "cli"),
    "datasets": ("networks", "training", "visuals", "cli"),
    "networks": ("training", "visuals", "cli"),
    "training": ("visuals", "cli"),
    "visuals": ("cli",),
}
"""Of every floor those that it may not import."""

LIBRARIES = {
    "engine": {"numpy"},
    "imaging": {"numpy", "PIL", "tifffile", "imagecodecs"},
    "signals": {"numpy"},
    "datasets": {"numpy", "PIL"},
    "networks": {"numpy", "safetensors"},
    "training": {"numpy"},
    "visuals": {"numpy", "PIL", "matplotlib"},
}


def imported(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module)
    return names


def test_every_floor_is_known():
    folders = {path.name for path in PACKAGE.iterdir() if any(path.glob("*.py"))}
    assert folders - {"cli"} == set(ABOVE) == set(LIBRARIES)


@pytest.mark.parametrize("floor", ABOVE)
def test_imports_run_down(floor):
    for path in (PACKAGE / floor).rglob("*.py"):
        for name in imported(path):
            assert not name.startswith(tuple(f"cnntool.{other}" for other in ABOVE[floor])), path


@pytest.mark.parametrize("floor", LIBRARIES)
def test_lower_floors_use_few_libraries(floor):
    import sys

    for path in (PACKAGE / floor).rglob("*.py"):
        tops = {name.partition(".")[0] for name in imported(path)}
        foreign = tops - LIBRARIES[floor] - set(sys.stdlib_module_names) - {"cnntool"}
        assert not foreign, path


def test_what_the_help_lists_is_what_there_is():
    assert convolve.RANGES == tone.RANGES
    assert convolve.COMBINATIONS == combining.COMBINATIONS
    assert set(options.BORDER_NAMES) == set(BORDERS)
    assert {formats.format_named(name) for name in options.FORMATS} == set(formats.FORMATS)
    assert pool.MODES == layers.POOLS == pooling.MODES == image_pooling.MODES
    assert pool.EDGES == pooling.EDGES
    assert set(layers.GLOBAL) <= set(pool.MODES)
    assert tuple(writing.FORMATS) == convolve1d.FORMATS
    assert (convolve1d.DEPTHS, convolve1d.METHODS) == (wav.DEPTHS, filtering.METHODS)
    assert pictures.SCALES == filter_grid.SCALES
    assert convolve1d.LARGEST == kernels.LARGEST_KERNEL


def test_the_engine_exports_what_it_names():
    """No module may bear the name of a function: imported, it would stand in its place."""
    from cnntool import engine

    modules = {path.stem for path in (PACKAGE / "engine").glob("*.py")}
    assert not modules & set(engine.__all__)
    for name in engine.__all__:
        assert callable(getattr(engine, name))


def test_what_goes_back_from_a_cache_is_exported_beside_its_operation():
    from cnntool import engine

    for path in (PACKAGE / "engine").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for name, end in re.findall(r"^def ([a-z]\w*)_(backward|indices)\([^)]*cache", text, re.M):
            assert {name, f"{name}_{end}"} <= set(engine.__all__)
