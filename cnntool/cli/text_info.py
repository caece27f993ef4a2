"""What `cnntool info` shows of a language model."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from cnntool.cli.console import print_json, show
from cnntool.cli.network_tables import show_model
from cnntool.networks.model import TrainedText, load_text_model
from cnntool.networks.summary import ArrayShape, array_shapes, multiply_adds
from cnntool.networks.zoo import language_sizes


def show_text_model(path: str, as_json: bool) -> None:
    """Print the arrays of a language model with their shapes, and how it was trained."""
    trained = load_text_model(path)
    batch = trained.header.training.get("batch_size")
    batch = batch if isinstance(batch, int) else None
    arrays = array_shapes(trained.network, batch)
    if as_json:
        print_json(_entry(trained, arrays))
        return
    _show_arrays(trained, arrays)
    show_model(trained.model, os.path.getsize(path))


def _show_arrays(trained: TrainedText, arrays: tuple[ArrayShape, ...]) -> None:
    takes = f"  {trained.vocabulary.level}s, {trained.seq_length} at a time"
    show(Text.assemble((trained.name, "bold cyan"), takes))
    show(Text(trained.network.spec))
    show("")
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True)
    total = sum(array.parameters for array in arrays)
    table.add_column("array", "total", no_wrap=True, style="cyan", footer_style="bold")
    table.add_column("shape", no_wrap=True)
    table.add_column("here", no_wrap=True, justify="right")
    table.add_column("parameters", f"{total:,}", justify="right", no_wrap=True, footer_style="bold")
    for array in arrays:
        sizes = " x ".join("batch" if size is None else str(size) for size in array.shape)
        count = f"{array.parameters:,}" if array.parameters else ""
        table.add_row(array.name, array.meaning, sizes, count)
    show(table)
    show("")
    show(f"{multiply_adds(trained.network):,} multiply-adds a token")


def _entry(trained: TrainedText, arrays: tuple[ArrayShape, ...]) -> dict[str, Any]:
    header = asdict(trained.header)
    names = ("labels", "preprocessing", "seed", "training", "history", "fingerprint", "version")
    return {
        "name": trained.name,
        "spec": trained.network.spec,
        **language_sizes(trained.network),
        "seq_length": trained.seq_length,
        "arrays": [asdict(array) for array in arrays],
        "totals": {
            "parameters": sum(array.parameters for array in arrays),
            "multiply_adds": multiply_adds(trained.network),
        },
        **{name: header[name] for name in names},
        "bytes": os.path.getsize(trained.name),
        "resumable": bool(trained.model.state),
    }
