"""Filters: banks of kernels, built by name from the catalogue.

A kernel's weights are written as cross-correlation applies them: the weight at the upper left
multiplies the pixel at the upper left. Angles are in degrees, counterclockwise as seen on the
screen: 0 points right, 90 up, 45 along '/'. Array rows grow downward, so a brightness that grows
with the row has the direction -90.
"""

import numbers
from dataclasses import dataclass, field

import numpy as np

from cnntool.errors import RequestError
from cnntool.imaging.kernel_catalogue import CATALOGUE, Entry, Parameter
from cnntool.imaging.kernel_weights import LARGEST_SIZE
from cnntool.wording import did_you_mean

__all__ = [
    "CATALOGUE",
    "LARGEST_SIZE",
    "Entry",
    "Filter",
    "Parameter",
    "build",
    "build_entry",
    "number_text",
]


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
    where the weights decide that.
    """

    label: str  # short and safe in a file name: 'sobel', 'gaussian-sigma2', 'kernel3x3'
    spec: str  # what rebuilds it: 'gaussian:sigma=2'
    bank: np.ndarray = field(repr=False)
    combine: str
    names: tuple[str, ...]
    directions: tuple[float, ...] | None = None
    is_colour: bool = False
    shown: str = ""

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

    def by_response(self, values: np.ndarray) -> np.ndarray:
        """Of values by kernel, such as sums of weights (F,), those by response."""
        return values.reshape(self.count, -1).sum(axis=1)

    def __post_init__(self) -> None:
        bank = np.array(self.bank, dtype=np.float64) + 0.0  # + 0.0 turns -0.0 into 0.0
        bank.setflags(write=False)
        object.__setattr__(self, "bank", bank)


def build(name: str, **parameters: float | None) -> Filter:
    """Build a filter of the catalogue: `build('gaussian', sigma=2).bank.shape == (1, 17, 17)`.

    A parameter that is None counts as not given. Raises RequestError for a name that the
    catalogue does not have, a parameter that the kernel does not take, and a value out of range.
    """
    if name not in CATALOGUE:
        raise RequestError(_unknown_kernel(name))
    return build_entry(CATALOGUE[name], **parameters)


def build_entry(entry: Entry, **parameters: float | None) -> Filter:
    """Build the filter that an entry of any catalogue describes; see :func:`build`."""
    name = entry.name
    given = {key: value for key, value in parameters.items() if value is not None}
    known = [parameter.name for parameter in entry.parameters]
    for key in given:
        if key not in known:
            raise RequestError(_unknown_parameter(name, key, known))
    values = {p.name: p.default for p in entry.parameters}
    values |= {
        p.name: _checked(p, given[p.name], name) for p in entry.parameters if p.name in given
    }
    changed = [(p.name, values[p.name]) for p in entry.parameters if values[p.name] != p.default]
    label = "-".join([name, *(f"{key}{_short_text(value)}" for key, value in changed)])
    settings = ",".join(f"{key}={number_text(value)}" for key, value in changed)
    weights = entry.build(**values)
    return Filter(
        label=label,
        spec=f"{name}:{settings}" if settings else name,
        bank=weights if weights.ndim == 3 else weights[None],
        combine=entry.combine,
        names=entry.names or (label,),
        directions=entry.directions,
    )


def number_text(value: float) -> str:
    """The shortest text that reads back as exactly this number: '2', '0.1', '1e-05'."""
    return short if float(short := _short_text(value)) == value else repr(float(value))


def _short_text(value: float) -> str:
    """Six digits of a number, all of a whole one up to a thousand million: '0.333333', '1234567'.

    Sizes of that many samples differ in every digit.
    """
    is_whole = abs(value) <= 1e9 and value == int(value)
    return f"{int(value)}" if is_whole else f"{value:g}"


def _unknown_kernel(name: str) -> str:
    shown = name if len(name) <= 60 else name[:57] + "..."
    remedy = did_you_mean(name, CATALOGUE)
    if remedy:
        return f"unknown kernel {shown!r}: {remedy} 'cnntool kernels' lists them all"
    return (
        f"unknown kernel {shown!r}: give a name that 'cnntool kernels' lists, a matrix such as "
        "'1 0 -1; 2 0 -2; 1 0 -1', or a file (.txt, .csv, .json, .npy)"
    )


def _unknown_parameter(kernel: str, key: str, known: list[str]) -> str:
    if not known:
        return f"{kernel} takes no parameters, and {key!r} was given: write just '{kernel}'"
    listed = " and ".join(filter(None, [", ".join(known[:-1]), known[-1]]))
    near = did_you_mean(key, known)
    return f"{kernel} has no parameter {key!r}: {near}{' ' if near else ''}it takes {listed}"


def _checked(parameter: Parameter, value: float, kernel: str) -> float:
    """The value as the parameter's kind, or a RequestError that says what it may be."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
    fits = (
        is_real
        and (value > parameter.minimum or not parameter.exclusive_minimum)
        and parameter.minimum <= value <= parameter.maximum  # False for NaN
        and (not parameter.choices or value in parameter.choices)
        and (parameter.kind is float or value == int(value))
    )
    if fits:
        return parameter.kind(value)
    shown = _short_text(value) if is_real and abs(value) < 1e300 else f"{str(value)[:40]!r}"
    if parameter.default is not None:
        example = parameter.default
    else:
        example = 5 if parameter.kind is int else 1
    raise RequestError(
        f"{kernel}: {parameter.name} is {shown}, but must be {parameter.expected}: "
        f"for example {kernel}:{parameter.name}={example:g}"
    )
