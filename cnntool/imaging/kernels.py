"""Filters: banks of kernels, as a person types them: by name, as a matrix, a file, or learned.

A kernel's weights are written as cross-correlation applies them: the weight at the upper left
multiplies the pixel at the upper left. Angles are in degrees, counterclockwise as seen on the
screen: 0 points right, 90 up, 45 along '/'. Array rows grow downward, so a brightness that grows
with the row has the direction -90.
"""

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnntool.errors import RequestError
from cnntool.imaging.kernel_catalogue import CATALOGUE, Entry
from cnntool.imaging.kernel_files import FILE_KINDS, STDIN, read_kernel_file, read_numbers
from cnntool.imaging.kernel_weights import LARGEST_SIZE
from cnntool.specs import number_text, short_number
from cnntool.wording import did_you_mean, shortened

COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Filter:
    """A bank of kernels and the way their responses become one.

    `bank` is (F, kh, kw) float64 and read-only, the weights as cross-correlation applies them.
    `combine` is 'none' (F feature maps), 'magnitude' (root of the sum of squares) or 'maximum';
    a caller may replace it, also by 'orientation' (the direction of steepest ascent in degrees).
    `names` has one name a kernel. `directions`, in degrees, is the direction of increasing
    brightness that each kernel answers most positively to; None where that has no meaning.

    Of `is_colour` filters each three kernels in a row see red, green and blue, and their sum is one
    response, in grey; each three have one name. `shown` is the range that 'auto' stands for, ''
    where the weights decide that. `bias` is added to the responses, once they are combined.
    """

    label: str  # short and safe in a file name: 'sobel', 'gaussian-sigma2', 'kernel3x3'
    spec: str  # what rebuilds it: 'gaussian:sigma=2'
    bank: np.ndarray = field(repr=False)
    combine: str = "none"
    names: tuple[str, ...] = ()  # () means by the label
    directions: tuple[float, ...] | None = None
    is_colour: bool = False
    shown: str = ""
    bias: float = 0.0

    @property
    def digest(self) -> str:
        """A hash of all that makes a difference to its responses, beyond what processors round."""
        import hashlib

        facts = (self.bank.shape, self.combine, self.directions, self.is_colour, self.bias)
        digest = hashlib.blake2b(repr((*facts, self.shown)).encode(), digest_size=16)
        digest.update(self.bank.astype("<f4").tobytes())
        return digest.hexdigest()

    @property
    def count(self) -> int:
        """Responses, before they are combined."""
        return len(self.bank) // (3 if self.is_colour else 1)

    @property
    def kernel_names(self) -> tuple[str, ...]:
        """A name for each kernel of the bank."""
        if not self.is_colour:
            return self.names
        return tuple(f"{name}-{colour}" for name in self.names for colour in COLOURS)

    @property
    def weights(self) -> np.ndarray:
        """All that a response is the sum of, (responses, weights)."""
        return self.bank.reshape(self.count, -1)

    def __post_init__(self) -> None:
        bank = np.array(self.bank, dtype=np.float64) + 0.0  # + 0.0 turns -0.0 into 0.0
        bank.setflags(write=False)
        object.__setattr__(self, "bank", bank)
        if not self.names:
            many = tuple(f"{self.label}-{i + 1}" for i in range(len(bank)))
            object.__setattr__(self, "names", many if len(bank) > 1 else (self.label,))


Learned = Callable[[str, str | None], Filter]
"""From a file and a place in it, such as ``conv1/7``, None for none, to learned kernels."""

_LEARNED = re.compile(r"(?s)(.+\.(?:npz|safetensors))(?::(.*))?|(.+\.npy):(.*)", re.IGNORECASE)
_MATRIX_START = re.compile(r"[\[{]|[+\-−]?(\.?\d|(nan|inf|infinity)\b)", re.ASCII | re.IGNORECASE)


def parse_kernel(
    spec: str,
    learned: Learned | None = None,
    catalogue: Mapping[str, Entry] = CATALOGUE,
    largest: int = LARGEST_SIZE,
    **overrides: float | None,
) -> Filter:
    """Read one kernel as a person types it.

    A spec is one of:
    - a name of the catalogue, with parameters or without: 'sobel', 'gaussian:sigma=2,size=9';
    - a matrix, rows split by ';' or a line break, numbers by spaces or commas, fractions allowed:
      '1 0 -1; 2 0 -2; 1 0 -1', '1/9, 1/9, 1/9'; as MATLAB and ImageMagick write it, too:
      '[1 0 -1; 2 0 -2; 1 0 -1]', '3x3: 1,0,-1 2,0,-2 1,0,-1';
    - a file, a pipe or '-', stdin: numbers as text ('#' starts a comment), JSON (nested lists, an
      object with a kernel, or what `cnntool kernels --json` prints) or .npy. There a matrix is one
      kernel, a (F, kh, kw) array a bank of F;
    - where `learned` reads them, the kernels of a model or of weights, .npz or .safetensors, all of
      a layer or one: 'model.npz:conv1', 'model.npz:conv1/7'; of .npy with a colon only.

    `overrides` (size=5, sigma=2, angle=45; None means not given) are parameters of a named kernel.
    What is typed or filed has at most `largest` weights on a side, and is taken as
    cross-correlation applies it. Every mistake raises RequestError with one line that says what was
    found, what was expected and the remedy.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    text = spec.strip()
    if not text:
        raise RequestError(
            f"the kernel is empty: give a name such as {next(iter(catalogue))}, a matrix such as "
            "'1 0 -1; 2 0 -2; 1 0 -1', or a file"
        )
    if re.match(r"[a-z]+://", text):
        fetch = f"curl -LO {shlex.quote(text)}"
        raise RequestError(f"{text!r} is an address: {fetch} fetches what is there, to name here")
    name, colon, settings = text.partition(":")
    if (name := name.strip()) in catalogue:
        return _named(catalogue[name], settings if colon else None, given)
    if learned is not None and (match := _LEARNED.fullmatch(text)):
        _refuse_settings(given, "learned kernel")
        return learned(match[1] or match[3], match[2] or match[4])
    is_text = ";" in text or "\n" in text or _MATRIX_START.match(text)
    is_named_file = Path(spec).suffix.lower() in FILE_KINDS
    if is_named_file or text == STDIN or (not is_text and os.path.exists(spec)):
        kind, fields = "file", read_kernel_file(spec, largest)
    elif is_text:
        kind, fields = "matrix", read_numbers(text, largest=largest)
    else:
        raise RequestError(_unknown(text, catalogue))
    _refuse_settings(given, f"kernel given as a {kind}")
    count, height, width = fields["bank"].shape
    label = f"kernel{height}x{width}"
    if kind == "file":
        text, label = spec, Path(spec).stem if os.path.isfile(spec) else label
    elif count == 1 and not fields.get("bias"):
        text = "; ".join(" ".join(map(number_text, row)) for row in fields["bank"][0])
    kernel = Filter(label, text, **fields)
    check_combination(kernel, kernel.combine)
    return kernel


def build(name: str, **parameters: float | None) -> Filter:
    """Build a filter of the catalogue: `build('gaussian', sigma=2).bank.shape == (1, 17, 17)`.

    A parameter that is None counts as not given. Raises RequestError for a name that the
    catalogue does not have, a parameter that the kernel does not take, and a value out of range.
    """
    if name not in CATALOGUE:
        raise RequestError(_unknown(name, CATALOGUE))
    return _build(CATALOGUE[name], parameters)


def check_combination(kernel: Filter, combine: str) -> None:
    """Raise RequestError where a filter's kernels cannot be combined in this way."""
    if combine in ("magnitude", "maximum") and kernel.count < 2:
        raise RequestError(
            f"{kernel.label} has one kernel, so there is nothing to combine by {combine}: "
            "use --combine none, or a bank such as sobel"
        )
    if combine == "orientation" and (kernel.directions is None or len(kernel.bank) < 2):
        raise RequestError(
            f"{kernel.label} has no orientation: --combine orientation needs kernels of known "
            "directions, such as sobel, scharr, kirsch or robinson"
        )


def _named(entry: Entry, settings: str | None, overrides: Mapping[str, float]) -> Filter:
    values = entry.form.read(settings)
    for key, value in overrides.items():
        if key in values:
            raise RequestError(
                f"{entry.name}: {key} is given twice, as {number_text(values[key])} in the kernel "
                f"and as {number_text(value)} beside it: keep one"
            )
    return _build(entry, {**values, **overrides})


def _build(entry: Entry, parameters: Mapping[str, float | None]) -> Filter:
    values = entry.form.filled(parameters)
    changed = {p.name: values[p.name] for p in entry.parameters if values[p.name] != p.default}
    label = "-".join([entry.name, *(f"{key}{short_number(x)}" for key, x in changed.items())])
    weights = entry.build(**values)
    return Filter(
        label=label,
        spec=entry.form.text(changed),
        bank=weights if weights.ndim == 3 else weights[None],
        combine=entry.combine,
        names=entry.names,
        directions=entry.directions,
        shown=entry.shown,
    )


def _refuse_settings(given: Mapping[str, float], kind: str) -> None:
    if given:
        key, value = next(iter(given.items()))
        raise RequestError(
            f"{key}={number_text(value)} does not apply to a {kind}: leave it out, or use a named "
            "kernel such as gaussian"
        )


def _unknown(text: str, catalogue: Mapping[str, Entry]) -> str:
    """What is said of a text that is no kernel."""
    name, kinds = text.partition(":")[0].strip(), ", ".join(FILE_KINDS)
    has_command = catalogue is CATALOGUE
    if near := did_you_mean(name, catalogue):
        listed = "'cnntool kernels' lists them all"
        listed = listed if has_command else f"there are {', '.join(catalogue)}"
        return f"unknown kernel {shortened(name, 60)!r}: {near} {listed}"
    listed = "that 'cnntool kernels' lists" if has_command else f"({', '.join(catalogue)})"
    return (
        f"unknown kernel {shortened(text, 60)!r}: give a name {listed}, a matrix such as "
        f"'1 0 -1; 2 0 -2; 1 0 -1', or a file ({kinds})"
    )
