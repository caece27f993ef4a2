"""One HTML file that holds its data, its scripts and its style, and reaches for nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np

from cnntool.wording import readable

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript><p>This page computes what it shows: let it run its own script.</p></noscript>
<main id="page"></main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def page(title: str, data: dict[str, Any], scripts: Sequence[str]) -> bytes:
    """The file, for what the ``scripts`` read of the ``data``; the last of them begins.

    scripts: names of modules of this folder without ``.js``. They share one scope, in this order.

    Nothing but the script and the style of the file itself may run: the content security policy
    names them by their SHA-256 (W3C, Content Security Policy Level 3, section 2.3).
    """
    script = "\n".join(["'use strict';", *(_own(f"{name}.js") for name in scripts)])
    style = _own("page.css")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    # '<' could end the element that holds it
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    facts = {"policy": policy, "title": html.escape(str(readable(title))), "style": style}
    return TEMPLATE.format(**facts, data=text, script=script).encode()


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON holds it: its shape, and its numbers as base64 of little-endian float32."""
    numbers = np.ascontiguousarray(array, "<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(numbers.tobytes()).decode()}


def packed_bytes(array: np.ndarray) -> dict[str, Any]:
    """Pixels (uint8) as JSON holds them, a byte each."""
    data = base64.b64encode(np.ascontiguousarray(array, np.uint8).tobytes()).decode()
    return {"shape": list(array.shape), "bytes": data}


def _own(name: str) -> str:
    return resources.files("cnntool.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
