"""Filters: banks of kernels, built by name from the catalogue.

A kernel's weights are written as cross-correlation applies them: the weight at the upper left
multiplies the pixel at the upper left. Angles are in degrees, counterclockwise as seen on the
screen: 0 points right, 90 up, 45 along '/'. Array rows grow downward, so a brightness that grows
with the row has the direction -90.
"""

from dataclasses import dataclass, field

import numpy as np

from cnntool.errors import RequestError
from cnntool.imaging.kernel_catalogue import CATALOGUE, Entry
from cnntool.specs import short_number
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

    @property
    def weights(self) -> np.ndarray:
        """All that a response is the sum of, (responses, weights)."""
        return self.bank.reshape(self.count, -1)

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
    values = entry.form.filled(parameters)
    changed = {p.name: values[p.name] for p in entry.parameters if values[p.name] != p.default}
    label = "-".join([entry.name, *(f"{key}{short_number(x)}" for key, x in changed.items())])
    weights = entry.build(**values)
    return Filter(
        label=label,
        spec=entry.form.text(changed),
        bank=weights if weights.ndim == 3 else weights[None],
        combine=entry.combine,
        names=entry.names or (label,),
        directions=entry.directions,
    )


def _unknown_kernel(name: str) -> str:
    shown = shortened(name, 60)
    remedy = did_you_mean(name, CATALOGUE)
    if remedy:
        return f"unknown kernel {shown!r}: {remedy} 'cnntool kernels' lists them all"
    return (
        f"unknown kernel {shown!r}: give a name that 'cnntool kernels' lists, a matrix such as "
        "'1 0 -1; 2 0 -2; 1 0 -1', or a file (.txt, .csv, .json, .npy)"
    )
