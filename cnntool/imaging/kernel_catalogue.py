"""The named kernels: what each does, the numbers it takes, its formula, and who published it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cnntool.imaging import kernel_weights as weights
from cnntool.imaging.kernel_weights import LARGEST_SIZE
from cnntool.specs import Form, Parameter

LARGEST_SIGMA = 250.0  # a Gaussian cut at four sigma is then 2001 weights wide


class Entry(NamedTuple):
    """One named kernel: `build(**parameters)` gives its weights, (kh, kw) or (F, kh, kw)."""

    name: str
    group: str  # 'edge' | 'blur' | 'line' | 'other'
    summary: str
    formula: str
    source: str
    build: Callable[..., np.ndarray]
    parameters: tuple[Parameter, ...] = ()
    combine: str = "none"
    names: tuple[str, ...] = ()  # () means one kernel, named as the filter is labelled
    directions: tuple[float, ...] | None = None
    shown: str = ""  # the range that 'auto' stands for, '' where the weights decide that

    @property
    def form(self) -> Form:
        """What a spec of it may say."""
        return Form(self.name, self.parameters)


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
        lambda: weights.compass(ring),
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
        weights.gradient([1, 2, 1]),
        ("[1 2 1]ᵀ ⊗ [-1 0 1]", "[-1 0 1]ᵀ ⊗ [1 2 1]"),
    ),
    *_gradient_entries(
        "prewitt",
        'J. M. S. Prewitt, "Object Enhancement and Extraction", '
        "in Picture Processing and Psychopictorics, 1970",
        weights.gradient([1, 1, 1]),
        ("[1 1 1]ᵀ ⊗ [-1 0 1]", "[-1 0 1]ᵀ ⊗ [1 1 1]"),
    ),
    *_gradient_entries(
        "scharr",
        "H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, "
        "Heidelberg, 2000; integer weights as cv2.Scharr",
        weights.gradient([3, 10, 3]),
        ("[3 10 3]ᵀ ⊗ [-1 0 1]", "[-1 0 1]ᵀ ⊗ [3 10 3]"),
    ),
    *_gradient_entries(
        "roberts",
        'L. G. Roberts, "Machine Perception of Three-Dimensional Solids", dissertation, MIT, 1963',
        weights.roberts(),
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
        weights.laplacian,
        (Parameter("neighbours", 4, "how many neighbours count", kind=int, choices=(4, 8)),),
    ),
    Entry(
        "log",
        "edge",
        "Laplacian of Gaussian: edges and spots as wide as sigma",
        "g''(x) g(y) + g(x) g''(y), g(x) = exp(-x² / 2σ²) / sum, "
        "g'' = (x² / σ⁴ - 1 / σ²) g, less g times its sum",
        f"{_MARR}; cut off as scipy.ndimage.gaussian_laplace",
        weights.laplacian_of_gaussian,
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
        weights.difference_of_gaussians,
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
        weights.box,
        (_size(3, "weights on a side"),),
    ),
    Entry(
        "gaussian",
        "blur",
        "smooth blur without corners or ringing",
        "g(x) g(y), g(x) = exp(-x² / 2σ²) / sum",
        "size from sigma as scipy.ndimage.gaussian_filter (truncate=4), "
        "sigma from size as cv2.getGaussianKernel",
        weights.gaussian,
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
        weights.binomial,
        (_size(3, "weights on a side"),),
    ),
    Entry(
        "motion",
        "blur",
        "blur along a line, as of a moving camera",
        "mean of `length` samples one pixel apart along the line, each interpolated bilinearly",
        f"{_GONZALEZ}, 'Estimating the Degradation Function' (uniform linear motion)",
        weights.motion,
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
        weights.horizontal_line,
    ),
    Entry(
        "vertical-line",
        "line",
        "bright vertical lines one pixel wide",
        "[1 1 1]ᵀ ⊗ [-1 2 -1]",
        f"{_GONZALEZ}, 'Line Detection'",
        weights.vertical_line,
    ),
    Entry(
        "diagonal-line",
        "line",
        "bright diagonal lines one pixel wide",
        "3 D - 1, D = 1 on the diagonal",
        f"{_GONZALEZ}, 'Line Detection'",
        weights.diagonal_line,
        (Parameter("angle", 45.0, "45 for '/', 135 for '\\'", choices=(45.0, 135.0)),),
    ),
    Entry(
        "all-lines",
        "line",
        "bright lines: the strongest of four directions",
        "maximum of horizontal-line, diagonal-line 45, vertical-line, diagonal-line 135",
        f"{_GONZALEZ}, 'Line Detection'",
        weights.all_lines,
        combine="maximum",
        names=("horizontal-line", "diagonal-line-45", "vertical-line", "diagonal-line-135"),
    ),
    Entry(
        "identity",
        "other",
        "changes nothing",
        "δ: [0 0 0; 0 1 0; 0 0 0]",
        "the unit impulse",
        weights.identity,
    ),
    Entry(
        "sharpen",
        "other",
        "sharper edges: the Laplacian taken away",
        "δ - amount * laplacian",
        f"{_GONZALEZ}, 'The Laplacian'",
        weights.sharpen,
        (_AMOUNT,),
    ),
    Entry(
        "unsharp",
        "other",
        "unsharp mask: detail finer than sigma made stronger",
        "δ + amount * (δ - G(σ))",
        f"{_GONZALEZ}, 'Unsharp Masking and Highboost Filtering'",
        weights.unsharp,
        (_sigma(1.0, "standard deviation of the blur taken away, in pixels"), _AMOUNT),
    ),
    Entry(
        "emboss",
        "other",
        "relief lit from one side, on the image itself",
        "δ - sqrt(2) * (cos(angle) prewitt-x - sin(angle) prewitt-y)",
        "GIMP User Manual, 'Convolution Matrix', Emboss (angle 135)",
        weights.emboss,
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
        weights.gabor,
        (
            Parameter("wavelength", 8.0, "pixels from crest to crest", 2, 800),
            _angle(0.0, "direction in which the wave travels: 0 for vertical stripes"),
            _sigma(None, "standard deviation in pixels; by default 0.56 wavelength (one octave)"),
            Parameter("phase", 0.0, "0: bright line in the middle; 90: edge", -360, 360),
        ),
        shown="abs",  # a wave: its weights sum to nearly 0
    ),
]

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
