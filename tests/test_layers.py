"""The floors of the house: imports run down, and words that stand twice agree."""

import ast
import re
from pathlib import Path

import pytest

import cnntool

PACKAGE = Path(cnntool.__file__).parent
BELOW = {
    "engine": (),
    "files": (),
    "imaging": ("engine", "files"),
    "signals": ("engine", "files", "imaging"),
    "datasets": ("engine", "files"),
    "networks": ("engine", "files", "datasets"),
    "study": ("engine", "files", "imaging", "datasets", "networks"),
    "explain": ("engine", "files", "imaging", "datasets", "networks"),
    "training": ("engine", "files", "datasets", "networks"),
    "visuals": ("engine", "study"),
    "page": ("engine", "files", "imaging", "datasets", "networks"),
}
"""What each floor may import of the house, beside itself and the modules without a floor."""

LIBRARIES = {
    "engine": {"numpy"},
    "files": {"numpy", "PIL", "tifffile", "imagecodecs"},
    "imaging": {"numpy", "PIL"},
    "signals": {"numpy"},
    "datasets": {"numpy", "PIL"},
    "networks": {"numpy", "safetensors"},
    "study": {"numpy"},
    "explain": {"numpy"},
    "training": {"numpy"},
    "visuals": {"numpy", "PIL", "matplotlib"},
    "page": {"numpy"},
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


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> set[str]:
    """The modules of the house that a file imports: ``from a import b`` may mean ``a.b``."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "cnntool":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = (PACKAGE.parent / inner.replace(".", "/")).with_suffix(".py").exists()
                names.add(inner if is_module else node.module)
    return names


def test_every_floor_is_known():
    folders = {path.name for path in PACKAGE.iterdir() if any(path.glob("*.py"))}
    assert folders - {"cli"} == set(BELOW) == set(LIBRARIES)


@pytest.mark.parametrize("floor", BELOW)
def test_imports_run_down(floor):
    above = {*BELOW, "cli"} - {floor, *BELOW[floor]}
    for path in (PACKAGE / floor).rglob("*.py"):
        for name in imported(path):
            assert name.split(".")[1:2] not in [[other] for other in above], (path, name)


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions count: a reader meets them all the same."""
    edges = {module_name(path): imported_modules(path) for path in PACKAGE.rglob("*.py")}
    while leaves := [name for name, below in edges.items() if not below & set(edges) - {name}]:
        for name in leaves:
            del edges[name]
    assert not edges


@pytest.mark.parametrize("floor", LIBRARIES)
def test_lower_floors_use_few_libraries(floor):
    import sys

    for path in (PACKAGE / floor).rglob("*.py"):
        tops = {name.partition(".")[0] for name in imported(path)}
        foreign = tops - LIBRARIES[floor] - set(sys.stdlib_module_names) - {"cnntool"}
        assert not foreign, path


def test_modules_without_a_floor_need_the_standard_library_alone():
    """So that help, which lists words and numbers, comes at once."""
    import sys

    for path in set(PACKAGE.glob("*.py")) - {PACKAGE / "__main__.py"}:
        tops = {name.partition(".")[0] for name in imported(path)}
        assert tops <= {*sys.stdlib_module_names, "cnntool"}, path


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
