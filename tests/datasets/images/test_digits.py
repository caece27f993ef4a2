"""The built-in digits against what UCI says of them, and the script that packs them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cnntool.datasets.images import dataset

ROOT = Path(__file__).parents[3]
FIRST = """
0  0  5 13  9  1  0  0
0  0 13 15 10 15  5  0
0  3 15  2  0 11  8  0
0  4 12  0  0  8  8  0
0  5  8  0  0  9  8  0
0  4 11  0  1 12  7  0
0  2 14  5 10 12  0  0
0  0  6 13 10  0  0  0
"""  # the first line of optdigits.tes


def test_the_digits_are_those_of_uci():
    data = dataset.load_digits()
    assert (data.x.shape, data.x.dtype, data.white) == ((1797, 1, 8, 8), np.uint8, 16.0)
    assert data.class_counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    np.testing.assert_array_equal(data.x[0, 0], np.array(FIRST.split(), int).reshape(8, 8))
    assert (data.x.min(), data.x.max(), data.labels) == (0, 16, tuple("0123456789"))


def test_the_file_is_small_and_its_source_and_licence_stand_beside_it():
    assert dataset.FILE.stat().st_size < 60_000
    text = dataset.FILE.with_name("ATTRIBUTION.md").read_text("utf-8")
    for word in ("Alpaydin", "Kaynak", "CC BY 4.0", "10.24432/C50P49", "scikit-learn"):
        assert word in text


def test_the_script_packs_the_same_file_from_the_text(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("pack_digits", ROOT / "docs" / "pack_digits.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    data = dataset.load_digits()
    text = tmp_path / "digits.csv"
    np.savetxt(text, np.column_stack([data.x.reshape(-1, 64), data.y]), "%.18e", ",")
    monkeypatch.setattr(script, "TARGET", tmp_path / "digits.npy.gz")
    monkeypatch.setattr("sys.argv", ["pack_digits.py", str(text)])
    script.main()
    monkeypatch.setattr(dataset, "FILE", tmp_path / "digits.npy.gz")
    assert dataset.load_digits().fingerprint == data.fingerprint
    text.write_text("1,2,3\n")
    with pytest.raises(SystemExit, match="does not hold"):
        script.main()
