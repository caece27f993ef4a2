"""The catalogue of named kernels: how each is made, what it does, and who published it.

A kernel's weights are written as cross-correlation applies them: the weight at the upper left
multiplies the pixel at the upper left. Angles are in degrees, counterclockwise as seen on the
screen: 0 points right, 90 up, 45 along '/'. Array rows grow downward, so a brightness that grows
with the row has the direction -90.
"""

import difflib
import math
import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from cnntool.errors import RequestError

LARGEST_SIZE = 4095  # weights on a side: 128 MB in float64
LARGEST_SIGMA = 500.0  # a Gaussian cut at four sigma is then 4001 weights wide


@dataclass(frozen=True, eq=False)
class Filter:
    """A bank of kernels and the way their responses become one.

    `bank` is (F, kh, kw) float64 and read-only, the weights as cross-correlation applies them.
    `combine` is 'none' (F feature maps), 'magnitude' (root of the sum of squares) or 'maximum';
    a caller may replace it, also by 'orientation' (the direction of steepest ascent in degrees).
    `names` has one name a kernel. `directions`, in degrees, is the direction of increasing
    brightness that each kernel answers most positively to; None where that has no meaning.
    """

    label: str  # short and safe in a file name: 'sobel', 'gaussian-sigma2', 'kernel3x3'
    spec: str  # what rebuilds it: 'gaussian:sigma=2'
    bank: np.ndarray = field(repr=False)
    combine: str
    names: tuple[str, ...]
    directions: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        bank = np.array(self.bank, dtype=np.float64) + 0.0  # + 0.0 turns -0.0 into 0.0
        bank.setflags(write=False)
        object.__setattr__(self, "bank", bank)


@dataclass(frozen=True)
class Parameter:
    """One number that a named kernel takes, and the values it may have."""

    name: str
    default: float | None  # None: made from the other parameters, as `help` says
    help: str
    minimum: float = -math.inf
    maximum: float = math.inf
    kind: type = float  # int: only whole numbers
    exclusive_minimum: bool = False
    choices: tuple[float, ...] = ()

    @property
    def expected(self) -> str:
        """The values it may have, in words: 'a whole number from 1 to 4095'."""
        if self.choices:
            return " or ".join(f"{choice:g}" for choice in self.choices)
        noun = "a whole number" if self.kind is int else "a number"
        start = "above" if self.exclusive_minimum else "from"
        joint = "and at most" if self.exclusive_minimum else "to"
        return f"{noun} {start} {self.minimum:g} {joint} {self.maximum:g}"


@dataclass(frozen=True)
class Entry:
    """One named kernel: `build(**parameters)` gives its weights, (kh, kw) or (F, kh, kw)."""

    name: str
    group: str  # 'edge' | 'blur' | 'line' | 'other'
    summary: str
    formula: str
    source: str
    build: Callable[..., np.ndarray] = field(repr=False)
    parameters: tuple[Parameter, ...] = ()
    combine: str = "none"
    names: tuple[str, ...] = ()  # () means one kernel, named as the filter is labelled
    directions: tuple[float, ...] | None = None


def build(name: str, **parameters: float | None) -> Filter:
    """Build a filter of the catalogue: `build('gaussian', sigma=2).bank.shape == (1, 17, 17)`.

    A parameter that is None counts as not given. Raises RequestError for a name that the
    catalogue does not have, a parameter that the kernel does not take, and a value out of range.
    """
    entry = CATALOGUE.get(name)
    if entry is None:
        raise RequestError(_unknown_kernel(name))
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
    label = "-".join([name, *(f"{key}{value:g}" for key, value in changed)])
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


def suggestion(word: str, known: Iterable[str]) -> str:
    """`"did you mean 'sobel'?"` for the known name nearest to `word`; '' where none is near."""
    near = difflib.get_close_matches(word.lower().replace("_", "-"), list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else ""


def number_text(value: float) -> str:
    """The shortest text that reads back as exactly this number: '2', '0.1', '1e-05'."""
    return short if float(short := f"{value:g}") == value else repr(float(value))


def _unknown_kernel(name: str) -> str:
    shown = name if len(name) <= 60 else name[:57] + "..."
    remedy = suggestion(name, CATALOGUE)
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
    near = suggestion(key, known)
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
    shown = f"{float(value):g}" if is_real and abs(value) < 1e300 else f"{str(value)[:40]!r}"
    if parameter.default is not None:
        example = parameter.default
    else:
        example = 5 if parameter.kind is int else 1
    raise RequestError(
        f"{kernel}: {parameter.name} is {shown}, but must be {parameter.expected}: "
        f"for example {kernel}:{parameter.name}={example:g}"
    )


# How the weights are made ------------------------------------------------------------------------

_DIFFERENCE = np.array([-1.0, 0.0, 1.0])
_SECOND_DIFFERENCE = np.array([1.0, -2.0, 1.0])
_DELTA = np.array([0.0, 1.0, 0.0])
_ONES = np.ones(3)
_IDENTITY = np.outer(_DELTA, _DELTA)


def _gradient(smoothing: list[float]) -> np.ndarray:
    """(2, 3, 3): brighter to the right, brighter downward; each smooths across its difference."""
    return np.stack([np.outer(smoothing, _DIFFERENCE), np.outer(_DIFFERENCE, smoothing)])


def _roberts() -> np.ndarray:
    """(2, 2, 2): brighter to the upper left (135 degrees), brighter to the upper right (45)."""
    return np.array([[[1.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [-1.0, 0.0]]])


def _compass(ring: list[float]) -> np.ndarray:
    """(8, 3, 3): the north kernel, then each turned on by 45 degrees counterclockwise.

    `ring` lists the north kernel's outer weights counterclockwise from the upper right corner.
    """
    rows, columns = [0, 0, 0, 1, 2, 2, 2, 1], [2, 1, 0, 0, 0, 1, 2, 2]
    bank = np.zeros((8, 3, 3))
    for turn in range(8):
        bank[turn, rows, columns] = np.roll(ring, turn)
    return bank


def _laplacian(neighbours: int) -> np.ndarray:
    if neighbours == 8:
        return np.outer(_ONES, _ONES) - 9 * _IDENTITY
    return np.outer(_SECOND_DIFFERENCE, _DELTA) + np.outer(_DELTA, _SECOND_DIFFERENCE)


def _centred(size: int) -> np.ndarray:
    """(size,): positions one apart about 0, which an even size has between two."""
    return np.arange(size) - (size - 1) / 2


def _gaussian_size(sigma: float) -> int:
    size = 2 * int(4 * sigma + 0.5) + 1
    if size > LARGEST_SIZE:
        raise RequestError(
            f"a Gaussian of sigma {sigma:g} needs {size} weights on a side, and at most "
            f"{LARGEST_SIZE} are allowed: use a smaller sigma or ratio (at most 511 multiplied)"
        )
    return size


def _gaussian_row(sigma: float, size: int) -> np.ndarray:
    """(size,): exp(-x² / 2σ²), divided by its sum."""
    exponent = -0.5 * (_centred(size) / sigma) ** 2
    row = np.exp(exponent - exponent.max())  # an even size and a tiny sigma: never 0 / 0
    return row / row.sum()


def _gaussian(sigma: float | None, size: int | None) -> np.ndarray:
    if sigma is None:
        sigma = 1.0 if size is None else 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    row = _gaussian_row(sigma, size or _gaussian_size(sigma))
    return np.outer(row, row)


def _laplacian_of_gaussian(sigma: float, size: int | None) -> np.ndarray:
    size = size or _gaussian_size(sigma)
    row = _gaussian_row(sigma, size)
    second = ((_centred(size) / sigma) ** 2 - 1) / sigma**2 * row
    second -= row * second.sum()  # cut and sampled, it no longer sums to 0: now it does
    return np.outer(second, row) + np.outer(row, second)


def _difference_of_gaussians(sigma: float, ratio: float) -> np.ndarray:
    size = _gaussian_size(ratio * sigma)
    return _gaussian(sigma, size) - _gaussian(ratio * sigma, size)


def _binomial(size: int) -> np.ndarray:
    row = np.array([1.0])
    for _ in range(size - 1):
        row = np.convolve(row, [0.5, 0.5])  # the next row of Pascal's triangle, its sum kept at 1
    return np.outer(row, row)


def _direction(angle: float) -> tuple[float, float]:
    """Cosine and sine of an angle in degrees, exactly 0 and 1 where they should be."""
    return round(math.cos(math.radians(angle)), 15), round(math.sin(math.radians(angle)), 15)


def _motion(length: int, angle: float) -> np.ndarray:
    """Each sample shares itself among the four nearest weights by the tent 1 - |distance|."""
    cosine, sine = _direction(angle)

    def tents(positions: np.ndarray) -> np.ndarray:  # (weights, samples)
        reach = math.ceil(np.abs(positions).max())
        distance = np.abs(_centred(2 * reach + 1)[:, None] - positions)
        return np.maximum(0.0, 1.0 - distance)

    samples = _centred(length)
    return tents(-sine * samples) @ tents(cosine * samples).T / length


def _line(line: np.ndarray) -> np.ndarray:
    """2 on the line and -1 beside it: three times the line's 0-1 mask, minus one."""
    return 3 * line - 1.0


def _diagonal_line(angle: float) -> np.ndarray:
    return _line(np.eye(3) if angle == 135 else np.fliplr(np.eye(3)))


def _all_lines() -> np.ndarray:
    horizontal = _line(np.outer(_DELTA, _ONES))
    return np.stack([horizontal, _diagonal_line(45), horizontal.T, _diagonal_line(135)])


def _unsharp(sigma: float, amount: float) -> np.ndarray:
    blur = _gaussian(sigma, None)
    middle = np.arange(len(blur)) == len(blur) // 2
    identity = np.outer(middle, middle)
    return identity + amount * (identity - blur)


def _emboss(angle: float) -> np.ndarray:
    cosine, sine = _direction(angle)
    right, down = _gradient([1, 1, 1])
    towards_light = math.sqrt(2) * (cosine * right - sine * down)
    return np.round(_IDENTITY - towards_light, 12)  # whole numbers on the diagonals


def _gabor(wavelength: float, angle: float, sigma: float | None, phase: float) -> np.ndarray:
    sigma = 0.56 * wavelength if sigma is None else sigma
    cosine, sine = _direction(angle)
    position = _centred(2 * math.ceil(3 * sigma) + 1)
    row = np.exp(-0.5 * (position / sigma) ** 2)
    along = cosine * position[None, :] - sine * position[:, None]  # screen y grows upward
    wave = np.cos(2 * math.pi / wavelength * along + math.radians(phase))
    return np.outer(row, row) * wave / (2 * math.pi * sigma**2)


# The catalogue -----------------------------------------------------------------------------------


def _gradient_entries(
    name: str,
    source: str,
    bank: np.ndarray,
    formula: tuple[str, str],
    ways: tuple[str, str] = ("to the right", "downward"),
    directions: tuple[float, float] = (0.0, -90.0),
) -> list[Entry]:
    """The gradient magnitude of a pair of kernels, and each of the two alone."""
    names = (f"{name}-x", f"{name}-y")
    pair = Entry(
        name,
        "edge",
        "edges of every direction: the gradient's magnitude",
        f"sqrt(x² + y²) with x = {formula[0]}, y = {formula[1]}",
        source,
        lambda: bank,
        combine="magnitude",
        names=names,
        directions=directions,
    )
    singles = [
        Entry(
            names[i],
            "edge",
            f"signed edge: positive where brightness grows {ways[i]}",
            formula[i],
            source,
            lambda i=i: bank[i],
            directions=(directions[i],),
        )
        for i in range(2)
    ]
    return [pair, *singles]


def _compass_entry(name: str, source: str, ring: list[float], formula: str) -> Entry:
    points = ("n", "nw", "w", "sw", "s", "se", "e", "ne")
    return Entry(
        name,
        "edge",
        "edges: the strongest of eight compass directions",
        f"maximum of {formula} turned by 0, 45, ... 315 degrees",
        source,
        lambda: _compass(ring),
        combine="maximum",
        names=tuple(f"{name}-{point}" for point in points),
        directions=(90.0, 135.0, 180.0, -135.0, -90.0, -45.0, 0.0, 45.0),
    )


def _sigma(default: float | None, help: str, minimum: float = 0.01) -> Parameter:
    return Parameter("sigma", default, help, minimum, LARGEST_SIGMA)


def _size(default: int | None, help: str, minimum: int = 1) -> Parameter:
    return Parameter("size", default, help, minimum, LARGEST_SIZE, int)


def _angle(default: float, help: str) -> Parameter:
    return Parameter("angle", default, help, -360, 360)


_AMOUNT = Parameter("amount", 1.0, "strength of the sharpening: 0 changes nothing", 0, 100)
_MARR = 'D. Marr, E. Hildreth, "Theory of Edge Detection", Proc. R. Soc. Lond. B 207, 1980'
_GONZALEZ = "R. C. Gonzalez, R. E. Woods, Digital Image Processing"

_ENTRIES = [
    *_gradient_entries(
        "sobel",
        'I. Sobel, G. Feldman, "A 3x3 Isotropic Gradient Operator for Image Processing", 1968',
        _gradient([1, 2, 1]),
        ("[1 2 1]ᵀ ⊗ [-1 0 1]", "[-1 0 1]ᵀ ⊗ [1 2 1]"),
    ),
    *_gradient_entries(
        "prewitt",
        'J. M. S. Prewitt, "Object Enhancement and Extraction", '
        "in Picture Processing and Psychopictorics, 1970",
        _gradient([1, 1, 1]),
        ("[1 1 1]ᵀ ⊗ [-1 0 1]", "[-1 0 1]ᵀ ⊗ [1 1 1]"),
    ),
    *_gradient_entries(
        "scharr",
        "H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, "
        "Heidelberg, 2000; integer weights as cv2.Scharr",
        _gradient([3, 10, 3]),
        ("[3 10 3]ᵀ ⊗ [-1 0 1]", "[-1 0 1]ᵀ ⊗ [3 10 3]"),
    ),
    *_gradient_entries(
        "roberts",
        'L. G. Roberts, "Machine Perception of Three-Dimensional Solids", dissertation, MIT, 1963',
        _roberts(),
        ("[1 0; 0 -1]", "[0 1; -1 0]"),
        ("towards the upper left", "towards the upper right"),
        (135.0, 45.0),
    ),
    _compass_entry(
        "kirsch",
        'R. A. Kirsch, "Computer determination of the constituent structure of biological images", '
        "Computers and Biomedical Research 4, 1971",
        [5, 5, 5, -3, -3, -3, -3, -3],
        "[5 5 5; -3 0 -3; -3 -3 -3]",
    ),
    _compass_entry(
        "robinson",
        'G. S. Robinson, "Edge detection by compass gradient masks", '
        "Computer Graphics and Image Processing 6, 1977",
        [1, 2, 1, 0, -1, -2, -1, 0],
        "[1 2 1; 0 0 0; -1 -2 -1]",
    ),
    Entry(
        "laplacian",
        "edge",
        "second derivative: spots and both sides of every edge",
        "4: [1 -2 1]ᵀ ⊗ [0 1 0] + [0 1 0]ᵀ ⊗ [1 -2 1]; 8: [1 1 1]ᵀ ⊗ [1 1 1] - 9 δ",
        f"{_GONZALEZ}, 'The Laplacian'; 4 neighbours as scipy.ndimage.laplace",
        _laplacian,
        (Parameter("neighbours", 4, "how many neighbours count", kind=int, choices=(4, 8)),),
    ),
    Entry(
        "log",
        "edge",
        "Laplacian of Gaussian: edges and spots as wide as sigma",
        "g''(x) g(y) + g(x) g''(y), g(x) = exp(-x² / 2σ²) / sum, "
        "g'' = (x² / σ⁴ - 1 / σ²) g, less g times its sum",
        f"{_MARR}; cut off as scipy.ndimage.gaussian_laplace",
        _laplacian_of_gaussian,
        (
            _sigma(1.0, "standard deviation of the Gaussian in pixels", 0.3),
            _size(None, "weights on a side; by default 2 int(4 sigma + 0.5) + 1", 3),
        ),
    ),
    Entry(
        "dog",
        "edge",
        "difference of two Gaussians: a band of detail, close to -log",
        "G(σ) - G(ratio σ)",
        f"{_MARR} (ratio 1.6); sign as skimage.filters.difference_of_gaussians",
        _difference_of_gaussians,
        (
            _sigma(1.0, "standard deviation of the narrow Gaussian in pixels", 0.3),
            Parameter("ratio", 1.6, "how much wider the other is", 1, 10, exclusive_minimum=True),
        ),
    ),
    Entry(
        "box",
        "blur",
        "mean of a square",
        "1 / size²",
        f"{_GONZALEZ}, 'Smoothing Linear Filters'",
        lambda size: np.full((size, size), 1 / size**2),
        (_size(3, "weights on a side"),),
    ),
    Entry(
        "gaussian",
        "blur",
        "smooth blur without corners or ringing",
        "g(x) g(y), g(x) = exp(-x² / 2σ²) / sum",
        "size from sigma as scipy.ndimage.gaussian_filter (truncate=4), "
        "sigma from size as cv2.getGaussianKernel",
        _gaussian,
        (
            _sigma(
                None,
                "standard deviation in pixels; by default 1, "
                "or 0.3 ((size - 1) / 2 - 1) + 0.8 where a size is given",
            ),
            _size(None, "weights on a side; by default 2 int(4 sigma + 0.5) + 1"),
        ),
    ),
    Entry(
        "binomial",
        "blur",
        "near-Gaussian blur with weights from Pascal's triangle",
        "b(x) b(y), b(k) = C(size - 1, k) / 2^(size - 1)",
        "B. Jähne, Digital Image Processing, 'Binomial Filters'",
        _binomial,
        (_size(3, "weights on a side"),),
    ),
    Entry(
        "motion",
        "blur",
        "blur along a line, as of a moving camera",
        "mean of `length` samples one pixel apart along the line, each interpolated bilinearly",
        f"{_GONZALEZ}, 'Estimating the Degradation Function' (uniform linear motion)",
        _motion,
        (
            Parameter("length", 9, "length of the line in pixels", 1, LARGEST_SIZE, int),
            _angle(0.0, "direction of the motion in degrees: 0 is horizontal, 45 is '/'"),
        ),
    ),
    Entry(
        "horizontal-line",
        "line",
        "bright horizontal lines one pixel wide",
        "[-1 2 -1]ᵀ ⊗ [1 1 1]",
        f"{_GONZALEZ}, 'Line Detection'",
        lambda: _line(np.outer(_DELTA, _ONES)),
    ),
    Entry(
        "vertical-line",
        "line",
        "bright vertical lines one pixel wide",
        "[1 1 1]ᵀ ⊗ [-1 2 -1]",
        f"{_GONZALEZ}, 'Line Detection'",
        lambda: _line(np.outer(_ONES, _DELTA)),
    ),
    Entry(
        "diagonal-line",
        "line",
        "bright diagonal lines one pixel wide",
        "3 D - 1, D = 1 on the diagonal",
        f"{_GONZALEZ}, 'Line Detection'",
        _diagonal_line,
        (Parameter("angle", 45.0, "45 for '/', 135 for '\\'", choices=(45.0, 135.0)),),
    ),
    Entry(
        "all-lines",
        "line",
        "bright lines: the strongest of four directions",
        "maximum of horizontal-line, diagonal-line 45, vertical-line, diagonal-line 135",
        f"{_GONZALEZ}, 'Line Detection'",
        _all_lines,
        combine="maximum",
        names=("horizontal-line", "diagonal-line-45", "vertical-line", "diagonal-line-135"),
    ),
    Entry(
        "identity",
        "other",
        "changes nothing",
        "δ: [0 0 0; 0 1 0; 0 0 0]",
        "the unit impulse",
        lambda: _IDENTITY,
    ),
    Entry(
        "sharpen",
        "other",
        "sharper edges: the Laplacian taken away",
        "δ - amount * laplacian",
        f"{_GONZALEZ}, 'The Laplacian'",
        lambda amount: _IDENTITY - amount * _laplacian(4),
        (_AMOUNT,),
    ),
    Entry(
        "unsharp",
        "other",
        "unsharp mask: detail finer than sigma made stronger",
        "δ + amount * (δ - G(σ))",
        f"{_GONZALEZ}, 'Unsharp Masking and Highboost Filtering'",
        _unsharp,
        (_sigma(1.0, "standard deviation of the blur taken away, in pixels"), _AMOUNT),
    ),
    Entry(
        "emboss",
        "other",
        "relief lit from one side, on the image itself",
        "δ - sqrt(2) * (cos(angle) prewitt-x - sin(angle) prewitt-y)",
        "GIMP User Manual, 'Convolution Matrix', Emboss (angle 135)",
        _emboss,
        (_angle(135.0, "where the light comes from, in degrees: 90 is above, 135 upper left"),),
    ),
    Entry(
        "gabor",
        "other",
        "texture of one wavelength and one direction",
        "exp(-(x² + y²) / 2σ²) / (2 π σ²) * cos(2 π x' / wavelength + phase), "
        "x' along the angle, size 2 ceil(3σ) + 1",
        'J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and '
        'orientation", JOSA A 2, 1985; real part, scaled as skimage.filters.gabor_kernel',
        _gabor,
        (
            Parameter("wavelength", 8.0, "pixels from crest to crest", 2, 800),
            _angle(0.0, "direction in which the wave travels: 0 for vertical stripes"),
            _sigma(None, "standard deviation in pixels; by default 0.56 wavelength (one octave)"),
            Parameter("phase", 0.0, "0: bright line in the middle; 90: edge", -360, 360),
        ),
    ),
]

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
