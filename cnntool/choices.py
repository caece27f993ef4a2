"""The words that options offer and what lies below understands: each list stands here alone.

Without NumPy, so that the help can list them at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

BORDERS = {
    "reflect": ("reflect", "symmetric", "grid-mirror"),
    "mirror": ("mirror", "reflect101", "reflect-101", "reflect_101"),
    "edge": ("edge", "nearest", "replicate"),
    "wrap": ("wrap", "circular", "grid-wrap", "periodic"),
    "constant": ("constant", "grid-constant", "zeros", "zero"),
}
"""Each border rule with the names that SciPy, NumPy, OpenCV and PyTorch have for it."""

COMBINATIONS = ("none", "magnitude", "maximum", "orientation")
"""How the responses of a bank of kernels become one picture."""

RANGES = ("auto", "clip", "abs", "offset", "stretch", "raw")
"""How signed numbers of any size become pixels."""

POOLS = ("max", "average", "lp", "gaussian", "min", "median")
"""How a window of a picture is summed up."""

LARGEST_KERNEL = 15
"""Rows and columns of a kernel whose weights are fields of a page."""

EDGES = ("partial", "drop", "pad")
"""What becomes of the last window, where it reaches beyond the picture."""

IMAGE_FORMATS = (
    "png",
    "jpeg",
    "tiff",
    "webp",
    "bmp",
    "ppm",
    "pgm",
    "pnm",
    "gif",
    "avif",
    "jp2",
    "npy",
)
IMAGE_DEPTHS = {"8": "uint8", "16": "uint16", "float": "float32"}
"""The depths of an image's channels, as NumPy names them."""

ALPHAS = ("keep", "drop", "last")
"""What becomes of transparency."""

SIGNAL_FORMATS = {"text": ".txt", "csv": ".csv", "npy": ".npy", "wav": ".wav"}
"""What signals are stored as, each with the end of its file's name."""

WAV_DEPTHS = ("8", "16", "24", "32", "float", "float64")
METHODS = ("auto", "direct", "fft")
"""How a signal is filtered."""

LARGEST_SIGNAL_KERNEL = 1 << 23
"""Samples that a kernel may span, dilation included: what is held of a signal at a time."""

NETWORKS = {
    "light": "from 8 pixels",
    "small": "from 8, with batch norm",
    "lenet": "from 16",
    "lenet5": "as published, from 32",
    "alexnet": "from 32",
}
"""The networks that have names, each with the images that it takes."""

USUAL_NETWORKS = "light for grey images below 64 pixels, else small"
COLOURS = ("auto", "grey", "rgb")
"""What images are read as: ``auto`` is colour where an image has it."""

INITIALISATIONS = ("he", "glorot", "lecun")


class Rates(NamedTuple):
    """What an optimizer takes for granted."""

    learning_rate: float
    momentum: float | None = None  # None where the rule has none
    weight_decay: float = 0.0


OPTIMIZERS = {
    "sgd": Rates(0.1),
    "momentum": Rates(0.02, momentum=0.9),
    "nesterov": Rates(0.02, momentum=0.9),
    "rmsprop": Rates(0.001, momentum=0.0),
    "adam": Rates(0.002),
    "adamw": Rates(0.002, weight_decay=0.01),
}
"""Each with the rate that small networks learn well by; the momentum is the usual one of rules that
are nothing without it, all else PyTorch's."""

RATES_OF_TASKS = {
    ("cnn", "adamw"): Rates(0.003, weight_decay=0.3),
    ("captioner", "adamw"): Rates(0.003, weight_decay=0.3),
    ("classifier", "adam"): Rates(0.004),
    ("tagger", "adam"): Rates(0.003),
    ("translator", "adam"): Rates(0.004),
}
"""Where a task has others. Those of adamw tell digits apart best that a small network has not seen,
of a few thousand: strong decay keeps weights small where without it the images are learned by
heart. Decoders with gradients of norm 1 at most learn sums and spelling sooner by twice the rate.
"""

LEARNING: dict[str, dict[str, Any]] = {
    "cnn": {
        "epochs": 10,
        "batch_size": 64,
        "optimizer": "adamw",
        "clip": 0.0,
        "schedule": "cosine",
    },
    "rnn": {
        "epochs": 1,
        "batch_size": 20,
        "optimizer": "adam",
        "clip": 0.5,
        "schedule": "constant",
    },
    "classifier": {
        "epochs": 12,
        "batch_size": 32,
        "optimizer": "adam",
        "clip": 1.0,
        "schedule": "cosine",
    },
    "tagger": {
        "epochs": 12,
        "batch_size": 16,
        "optimizer": "adam",
        "clip": 1.0,
        "schedule": "cosine",
    },
    "translator": {
        "epochs": 10,
        "batch_size": 64,
        "optimizer": "adam",
        "clip": 1.0,
        "schedule": "cosine",
    },
    "captioner": {
        "epochs": 18,
        "batch_size": 64,
        "optimizer": "adamw",
        "clip": 1.0,
        "schedule": "cosine",
    },
}
"""What a task takes for granted of how it learns; of running texts as in the lecture."""

WARM_UP = 200
"""Steps that the rate grows in, or a tenth of the run, where nothing is said of it: of classifiers,
and of networks over pictures, of which else one in three starts so badly that it stays behind."""

LEAST_STEPS = {"classifier": 600, "tagger": 1200, "translator": 1500, "captioner": 1000}
MOST_TIMES = 100
"""Of a run of sequences whose epochs nobody says: little data is gone through more often, but so
many times at most."""

SIZES: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "lstm", "embed_size": 32, "hidden_size": 32, "dropout": 0.0},
    "classifier": {
        "cell": "lstm",
        "embed_size": 64,
        "hidden_size": 64,
        "letters": 0,
        "dropout": 0.1,
    },
    "tagger": {"cell": "lstm", "embed_size": 32, "hidden_size": 64, "letters": 64, "dropout": 0.3},
    "translator": {
        "cell": "gru",
        "embed_size": 64,
        "hidden_size": 128,
        "letters": 0,
        "dropout": 0.0,
    },
    "captioner": {
        "cell": "gru",
        "embed_size": 32,
        "hidden_size": 64,
        "letters": 0,
        "dropout": 0.1,
    },
}
"""What networks of sequences are made of, where nothing is said."""

TOKENS = ("word", "symbol", "char", "byte")
"""What a token of a text with an answer is: symbols are what stands between white space."""

TIME_POOLS = ("last", "mean", "max")
ATTENTIONS = ("general", "additive", "none")
MOST_MISTAKES = 48
"""That are drawn of what a network takes for something else, the surest first."""

MOST_BEAM = 100
"""Texts that a beam keeps in sight."""

CLASS_WEIGHTS = ("none", "balanced")


def rates_of(task: str, optimizer: str) -> Rates:
    """What a task takes for granted of an optimizer."""
    return RATES_OF_TASKS.get((task, optimizer), OPTIMIZERS[optimizer])


LEVELS = ("word", "char", "byte")
"""What a token of a text is."""

CELLS = ("lstm", "gru", "rnn")
MEASURES = ("loss", "accuracy", "perplexity")
"""What a curve may show; the perplexity is ``exp(loss)``, the loss being in nats."""

PARTS = ("validation", "test", "train", "all")
"""Of a data set, which images are meant."""

SCALES = ("bank", "each", "minmax")
"""Which weights share one scale of grey in a picture of filters."""

SAMPLE_FORMATS: dict[str, dict[str, str]] = {
    "classifier": {
        "npz": "series as arrays x, lengths and y",
        "ts": "series as sktime and aeon have them",
        "folders": "a folder of texts a class",
        "fasttext": "lines of __label__x text",
        "jsonl": "JSON, an object a line",
        "files": "a file CLASS.txt a class, an item a line",
        "tsv": "columns parted by tabs",
        "csv": "columns parted by commas",
    },
    "tagger": {
        "npz": "series as arrays x, lengths and y",
        "clips": "a folder of videos",
        "conllu": "CoNLL-U",
        "jsonl": "JSON, an object a sentence",
        "slashes": "lines of word/tag",
        "csv": "columns with names, a row a word or step",
        "conll": "a word a line, its tag in the last column",
    },
    "translator": {
        "parallel": "two files, line by line",
        "jsonl": "JSON, an object a pair",
        "sigmorphon": "lemma, inflected form and features",
        "tsv": "source and target, parted by a tab",
        "lexicon": "WORD P P P",
    },
    "captioner": {
        "coco": "COCO's JSON",
        "jsonl": "metadata.jsonl beside the pictures",
        "captions": "captions.txt beside the pictures, as Flickr8k has it",
        "beside": "NAME.txt or NAME.gt.txt beside each picture",
    },
}
"""Of each task the formats that its data may be in, the first that suits being taken."""
