"""The node cases that ONNX publishes: for an operator the attributes, inputs and expected outputs.

They come with the ``onnx`` package; where it is not installed, the module that asks is skipped.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@dataclass(frozen=True, eq=False)
class OnnxCase:
    """One node: its attributes by name, its inputs and its outputs in the operator's order, None
    where one of them is left out."""

    name: str
    attributes: dict
    inputs: tuple[np.ndarray | None, ...]
    outputs: tuple[np.ndarray | None, ...]

    @property
    def spatial_axes(self) -> int:
        """1 for signals (N, C, L), 2 for images (N, C, H, W), 3 for volumes."""
        return self.inputs[0].ndim - 2

    def per_axis(self, attribute: str, default: int = 1) -> tuple[int, ...]:
        """Such as ``strides`` or ``dilations``: one number a spatial axis."""
        return tuple(self.attributes.get(attribute, [default] * self.spatial_axes))

    def pads(self, kernel_shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """(before, after) a spatial axis; ``auto_pad`` is worked out as the specification says."""
        axes = self.spatial_axes
        auto_pad = self.attributes.get("auto_pad", "NOTSET")
        if auto_pad == "VALID":
            return ((0, 0),) * axes
        if auto_pad == "NOTSET":
            pads = self.attributes.get("pads", [0] * (2 * axes))
            return tuple(zip(pads[:axes], pads[axes:], strict=True))
        pads = []
        for size, kernel, stride, dilation in zip(
            self.inputs[0].shape[2:],
            kernel_shape,
            self.per_axis("strides"),
            self.per_axis("dilations"),
            strict=True,
        ):
            extent = (kernel - 1) * dilation + 1
            total = max(0, (-(-size // stride) - 1) * stride + extent - size)
            less, more = total // 2, total - total // 2
            pads.append((less, more) if auto_pad == "SAME_UPPER" else (more, less))
        return tuple(pads)


def onnx_cases(operator: str, *spatial_axes: int) -> list:
    """The published cases of an operator, as parameters for pytest with their names.

    With ``spatial_axes`` only those with as many. Skips the calling module without ``onnx``.
    """
    onnx = pytest.importorskip("onnx")
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"
    cases = []
    for path in sorted(folder.glob(f"test_*{operator.lower()}*")):
        model = onnx.load(path / "model.onnx")
        nodes = model.graph.node
        if len(nodes) == 1 and nodes[0].op_type == operator:
            case = _read(onnx, path, nodes[0])
            if not spatial_axes or case.spatial_axes in spatial_axes:
                cases.append(pytest.param(case, id=case.name))
    return cases


def _read(onnx, path: Path, node) -> OnnxCase:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
    inputs, outputs = (
        _tensors(onnx, path / "test_data_set_0", kind, names)
        for kind, names in (("input", node.input), ("output", node.output))
    )
    return OnnxCase(path.name.removeprefix("test_"), attributes, inputs, outputs)


def _tensors(onnx, folder: Path, kind: str, names) -> tuple[np.ndarray | None, ...]:
    """Those that have a name, which are numbered one after the other; None for the others."""
    numbers = iter(range(len(names)))
    return tuple(
        _tensor(onnx, folder / f"{kind}_{next(numbers)}.pb") if name else None for name in names
    )


def _tensor(onnx, path: Path) -> np.ndarray:
    return onnx.numpy_helper.to_array(onnx.load_tensor(path))
