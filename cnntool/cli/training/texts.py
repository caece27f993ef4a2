"""What `cnntool train-lstm` learns from: its texts, and the network and the task over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from cnntool.choices import SIZES
from cnntool.cli.console import reading
from cnntool.cli.training.options import TextOptions
from cnntool.cli.training.origin import as_before, check_stdin, files_read, of_empty, origin_of
from cnntool.cli.training.plan import (
    Beside,
    Plan,
    Start,
    begin,
    check_agreement,
    check_layers,
    check_network,
)
from cnntool.datasets.feeds import WindowFeed
from cnntool.datasets.holding_out import DEFAULT_FRACTION
from cnntool.datasets.texts.corpus import Corpus, load_corpus, split
from cnntool.datasets.texts.encodings import check_decoded, checked_encoding
from cnntool.datasets.texts.tokens import UNITS
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError, RequestError
from cnntool.networks.model import network_of
from cnntool.networks.model_file import Model
from cnntool.networks.network import Network
from cnntool.networks.objective import begin_at_frequencies
from cnntool.networks.sampling import Choice, draws, line_start, primed
from cnntool.networks.sequence_zoo import language_model, language_network, language_sizes
from cnntool.training.baselines import Unigram, cross_entropy
from cnntool.training.footprint import check_parameters
from cnntool.training.measures import measure_of
from cnntool.training.task import Task
from cnntool.wording import counted

SEQ_LENGTH = 30

KEPT = ("val_split", "vocab_size", "min_count")
"""What a file keeps of the options."""

RESTART = 20
"""Windows after which a row begins from states of 0 again, at the latest."""

ROWS_A_PROCESS = 8
"""Of a batch; with fewer, telling a process of its part costs more than it saves."""


def plan_text(options: TextOptions) -> Plan:
    """The run that was asked for; InputError or RequestError before any work where it cannot be."""
    options = _checked(options)
    start = begin(options, files_read("TEXT", options), "rnn")
    is_named, trained = bool(options.data), start.trained
    if trained is not None:
        _check_agreement(options, start)
        options = as_before(options, start, ("val_split",), "text")
        start.check_apart(files_read("TEXT", options))
    if not isinstance(options.layers, str):
        _network(options, 1)  # what makes no sense is said before a long text is read
    moves = "text", "train-lstm TEXT", is_named
    with start.telling_of_moves(*moves):
        corpus = _load(options, trained.vocabulary if trained else None)
    start.check_data(corpus.fingerprint, corpus.name)
    network = trained.network if trained else _network(options, len(corpus.vocabulary))
    batch = start.settings.batch_size
    start.share(network, batch, ROWS_A_PROCESS)
    remedy = "set a smaller --hidden-size, --embed-size or --vocab-size"
    check_parameters(network, batch, start.settings, remedy)
    train, held = corpus, None
    if options.valid is None:
        fraction = DEFAULT_FRACTION if options.val_split is None else options.val_split
        train, held = split(corpus, fraction)
    with start.telling_of_moves(*moves):
        valid, test = (_other(path, corpus, options) for path in (options.valid, options.test))
    start.check_validation(valid, options.valid)
    held = valid or held

    seq_length = trained.seq_length if trained else options.seq_length or SEQ_LENGTH
    hides = train.vocabulary.unknown is not None and train.counts[0] == 0
    fed = {"restart": RESTART, "hides": bool(hides)}
    origin = start.origin or origin_of(options, valid, KEPT) | fed
    restart, hides = origin.get("restart", 0), origin.get("hides", False)
    if not (isinstance(restart, int) and restart >= 0 and isinstance(hides, bool)):
        raise InputError(f"{start.name} is damaged: it read its text by {restart!r} and {hides!r}")
    feed = WindowFeed(train, start.settings.batch_size, seq_length, restart, hides)
    held_out, testing = (WindowFeed.whole(part) if part else None for part in (held, test))
    if trained is None and not start.is_reckoned(network, batch):
        network.initialise(start.streams["start"])
        begin_at_frequencies(network, feed.with_hidden(Unigram(train.counts).distribution))
    level = corpus.vocabulary.level
    facts, measure = {"level": level, "vocabulary": len(corpus.vocabulary)}, measure_of(level)
    task = Task("rnn", network, feed, held_out, start.settings, measure, corpus.fingerprint, origin)
    return start.plan(
        task,
        [
            *of_empty(options.data),
            *_encoding_note(corpus),
            *_notes("--valid", valid, corpus),
            *_notes("--test", test, corpus),
        ],
        data=(_line(corpus, {"train": train, "validation": held, "test": test}),),
        test=testing,
        beside=lambda judged, _: _beside(train, judged),
        more=lambda best: facts | _sample(best, corpus.vocabulary, options),
    )


def _checked(options: TextOptions) -> TextOptions:
    """The options, with Python's name of the encoding; RequestError where they contradict each
    other."""
    if not options.data and options.resume is None:
        raise RequestError("TEXT is missing: name a text file, or - for stdin, or --resume a run")
    check_stdin(options)
    check_layers(options, *SIZES["rnn"], "tie_weights")
    if options.encoding is None:
        return options
    if options.level is not None:
        check_decoded(options.encoding, options.level)
    return replace(options, encoding=checked_encoding(options.encoding))


def _load(options: TextOptions, vocabulary: Vocabulary | None) -> Corpus:
    """The text to learn from, with its own vocabulary or that of a run."""
    level, encoding = options.level or "word", options.encoding or "utf-8"
    cuts = (None, 1) if vocabulary else (options.vocab_size, options.min_count or 1)
    with reading(options.data[0], options.quiet) as advance:
        return load_corpus(options.data, level, encoding, *cuts, vocabulary, advance)


def _other(path: str | None, corpus: Corpus, options: TextOptions) -> Corpus | None:
    """Another text, as the vocabulary of the one to learn from sees it."""
    if path is None:
        return None
    vocabulary, encoding = corpus.vocabulary, corpus.encoding
    with reading(path, options.quiet) as advance:
        other = load_corpus(path, encoding=encoding, vocabulary=vocabulary, advance=advance)
    if len(other) < 2:
        raise InputError(f"{path} has {len(other)} token: it needs two, one to predict")
    return other


def _encoding_note(corpus: Corpus) -> Iterator[str]:
    """What tells that a text is in CP1252, where it was said to be in Latin-1, which takes any."""
    tokens = corpus.vocabulary.tokens if corpus.encoding == "iso8859-1" else ()
    controls = (char for token in tokens for char in token if "\x80" <= char < "\xa0")
    if (char := next(controls, None)) and corpus.vocabulary.level != "byte":
        yield (
            f"{corpus.name} holds the control character {char!r} in Latin-1: in --encoding cp1252 "
            "that is a quote, a dash or the like"
        )


def _notes(option: str, other: Corpus | None, corpus: Corpus) -> Iterator[str]:
    """What makes the loss on another text mean less than it seems to."""
    if other is None:
        return
    if other.unknown_rate:
        yield f"{other.name}: {other.unknown_rate:.2%} of its tokens are unknown"
    if other.fingerprint == corpus.fingerprint:
        yield f"{option} {other.name} is the text to learn from: its loss says little of others"


def _check_agreement(options: TextOptions, start: Start) -> None:
    """RequestError for an option that was given again in another way than the run began with."""
    trained = start.trained
    sizes = language_sizes(trained.network)
    facts = {key: sizes[key] for key in (*SIZES["rnn"], "layers")}
    facts |= {"level": trained.vocabulary.level, "encoding": trained.encoding}
    facts["seq_length"] = trained.seq_length
    is_text = isinstance(options.layers, str)
    check_agreement(start, replace(options, layers=None) if is_text else options, KEPT, **facts)
    if isinstance(options.layers, str):
        network = language_network(options.layers, len(trained.vocabulary))
        check_network(start, "--layers", network)
    if options.tie_weights and not sizes["tie_weights"]:
        raise RequestError(
            f"--tie-weights: the weights of {options.resume} are not tied; leave it out, or train "
            "anew"
        )


def _network(options: TextOptions, count: int) -> Network:
    """The network that the options describe, over a vocabulary of ``count``; with tied weights a
    size that was not given is the other one."""
    if isinstance(options.layers, str):
        return language_network(options.layers, count)
    usual, embed, hidden = SIZES["rnn"], options.embed_size, options.hidden_size
    if options.tie_weights:
        embed, hidden = embed or hidden, hidden or embed
    return language_model(
        options.cell or usual["cell"],
        count,
        embed or usual["embed_size"],
        hidden or usual["hidden_size"],
        options.layers or 1,
        options.dropout or 0.0,
        options.tie_weights,
    )


def _line(corpus: Corpus, parts: dict[str, Corpus | None]) -> str:
    noun = UNITS[corpus.vocabulary.level]
    sizes = (f"{len(part):,} {name}" for name, part in parts.items() if part is not None)
    kinds = f"{counted(len(corpus.vocabulary), 'kind')} of {noun}"
    return f"text: {corpus.name}, {kinds}: {', '.join(sizes)}"


def _beside(train: Corpus, judged: WindowFeed) -> Beside:
    """What counting words and pairs comes to."""
    values = cross_entropy(train.ids, judged.text, len(train.vocabulary))._asdict()
    return Beside("beside it, by counting", values, "the bigram model", {"baselines": values})


def _sample(best: Model, vocabulary: Vocabulary, options: TextOptions) -> dict[str, str]:
    """A text of ``--num-samples`` tokens that a model writes, from the beginning of a line."""
    if not options.num_samples:
        return {}
    network = network_of(best)
    banned = () if vocabulary.unknown is None else (vocabulary.unknown,)
    logits, states = primed(network, line_start(vocabulary))
    rng = np.random.default_rng(best.header.seed)
    drawn = draws(network, logits, states, Choice(banned=banned), rng)
    tokens = [draw.token for draw in islice(drawn, options.num_samples)]
    return {"sample": vocabulary.decode(tokens)}
