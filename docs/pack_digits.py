"""Pack the digits that scikit-learn distributes into cnntool/datasets/images/digits.npy.gz.

    python docs/pack_digits.py [digits.csv.gz]

Without a file, the one of the installed scikit-learn is taken. The result is the same to the byte
wherever it is made with the same zlib; where it comes from stands in
cnntool/datasets/images/ATTRIBUTION.md.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parent.parent / "cnntool" / "datasets" / "images" / "digits.npy.gz"


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else installed_file()
    rows = np.loadtxt(source, delimiter=",")
    packed = rows.astype(np.uint8)
    if rows.shape != (1797, 65) or (packed != rows).any() or packed[:, :64].max() != 16:
        sys.exit(f"{source} does not hold 1797 digits of 64 pixels from 0 to 16")
    buffer = io.BytesIO()
    np.save(buffer, packed)
    TARGET.write_bytes(gzip.compress(buffer.getvalue(), 9, mtime=0))
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")


def installed_file() -> Path:
    """The file in scikit-learn, found without importing it."""
    found = importlib.util.find_spec("sklearn")
    if found is None:
        sys.exit("scikit-learn is not installed: install it, or name its digits.csv.gz")
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"


if __name__ == "__main__":
    main()
