"""From what was asked of `cnntool train-lstm` to a run that can start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from cnntool.cli.console import complain, reading
from cnntool.cli.files import check_apart, output_of
from cnntool.cli.text_wording import judged, unit
from cnntool.cli.training.live import Wording
from cnntool.cli.training.outcome import outcome
from cnntool.cli.training.plan import (
    Plan,
    best_beside,
    changed,
    check_epochs,
    check_log,
    check_places,
    check_settings,
    going_on,
    going_on_in,
    processes_for,
    settings_from,
    telling_of_moves,
)
from cnntool.cli.training.settings_line import going_on_line, settings_line
from cnntool.cli.training.text_memory import check_parameters, check_window, window_bytes
from cnntool.cli.training.text_options import TextOptions
from cnntool.datasets.memory import size_text
from cnntool.datasets.texts.corpus import Corpus, load_corpus, split
from cnntool.datasets.texts.text import STDIN, checked_encoding
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.errors import InputError, RequestError
from cnntool.networks.language_model import LanguageModel
from cnntool.networks.language_spec import Architecture, architecture_lines
from cnntool.networks.layers.layer import total
from cnntool.networks.model_file import Model
from cnntool.networks.sampling import Choice, draws, line_start, primed
from cnntool.networks.trained_text import TrainedText, language_model_of, load_text_model
from cnntool.training.baselines import cross_entropy
from cnntool.training.checkpoint import Run, check_data, origin_of, resumed, settings_of
from cnntool.training.loop import Trainer
from cnntool.training.settings import Settings, Streams
from cnntool.training.text_evaluation import judge_text
from cnntool.training.text_task import TextParts, TextTask
from cnntool.wording import counted

DEFAULTS = {"epochs": 1, "batch_size": 20, "clip": 0.5, "schedule": "constant"}
SEQ_LENGTH, EMBED_SIZE, HIDDEN_SIZE, VAL_SPLIT = 30, 32, 32, 0.1

ROWS_A_PROCESS = 8
"""Of a batch; with fewer, telling a process of its part costs more than it saves."""


def plan_text(options: TextOptions) -> Plan:
    """The run that was asked for; InputError or RequestError before any work where it cannot be."""
    check_log(options)
    return _new(options) if options.resume is None else _resumed(options)


def _read(options: TextOptions) -> dict[str, str | None]:
    """The files that are read, by what they are called in a message."""
    read = {
        f"TEXT {number}" if number > 1 else "TEXT": path
        for number, path in enumerate(options.texts, 1)
    }
    read |= {"--valid": options.valid, "--test": options.test}
    return {name: None if path == STDIN else path for name, path in read.items()}


def _new(options: TextOptions) -> Plan:
    if not options.texts:
        raise RequestError("TEXT is missing: name a text file, or - for stdin, or --resume a run")
    if options.valid is not None and options.val_split is not None:
        raise RequestError("--valid and --val-split contradict each other: use one of them")
    _check_stdin(options)
    output = output_of(options.output, None)
    check_places(options, output, _read(options))
    settings = settings_from(options, **DEFAULTS)
    architecture = _architecture(options, 2)
    encoding = checked_encoding("utf-8" if options.encoding is None else options.encoding)
    corpus = _load(options, encoding)
    architecture = replace(architecture, vocabulary_size=len(corpus.vocabulary))
    check_parameters(architecture)
    val_split = VAL_SPLIT if options.val_split is None else options.val_split
    origin = {
        "data": list(options.texts),
        "valid": options.valid,
        "test": options.test,
        "val_split": None if options.valid is not None else val_split,
        "vocab_size": options.vocab_size,
        "min_count": options.min_count,
    }
    parts, notes, fingerprint = _parts(corpus, origin, encoding, options.quiet)
    origin["validation_fingerprint"] = fingerprint
    shards = processes_for(options.processes, settings.batch_size, ROWS_A_PROCESS)
    settings = replace(settings, shards=shards)
    streams = Streams(settings.seed)
    network = LanguageModel(architecture).initialise(streams["start"])
    seq_length = options.seq_length or SEQ_LENGTH
    vocabulary = corpus.vocabulary
    task = TextTask(network, parts, seq_length, settings, vocabulary, encoding, corpus.name)
    check_window(task)
    trainer = Trainer(task, streams)
    return Plan(Run(trainer, corpus.fingerprint, origin), output, options.force, notes=notes)


def _check_stdin(options: TextOptions) -> None:
    readers = [*options.texts, options.valid, options.test].count(STDIN)
    if readers > 1:
        raise RequestError("- stands for stdin, which can be read once: name it once")


def _architecture(options: TextOptions, vocabulary_size: int) -> Architecture:
    """What was asked for; with tied weights a size that was not given is the other one."""
    embed, hidden = options.embed_size, options.hidden_size
    if options.tie_weights:
        embed, hidden = embed or hidden, hidden or embed
    return Architecture(
        options.cell or "lstm",
        vocabulary_size,
        embed or EMBED_SIZE,
        hidden or HIDDEN_SIZE,
        options.layers or 1,
        options.dropout or 0.0,
        options.tie_weights,
    )


def _load(options: TextOptions, encoding: str, vocabulary: Vocabulary | None = None) -> Corpus:
    """The text to learn from, with its own vocabulary or that of a run."""
    cuts = {} if vocabulary else {"size": options.vocab_size, "min_count": options.min_count or 1}
    level = options.level or "word"
    with reading(options.texts[0], options.quiet) as advance:
        return load_corpus(
            options.texts, level, encoding, vocabulary=vocabulary, advance=advance, **cuts
        )


def _parts(
    corpus: Corpus, origin: dict[str, Any], encoding: str, quiet: bool
) -> tuple[TextParts, tuple[str, ...], str | None]:
    """What to learn from, to validate on and to test on; what there is to say of it; and the
    fingerprint of a validation text of its own."""
    train, held = corpus, None
    if origin["val_split"] is not None:
        train, held = split(corpus, origin["val_split"])
    valid, test = (
        None if origin[key] is None else _other(origin[key], corpus, encoding, quiet)
        for key in ("valid", "test")
    )
    notes = tuple(_notes("--valid", valid, corpus)) + tuple(_notes("--test", test, corpus))
    validation = valid if held is None else held
    ids = [None if part is None else part.ids for part in (validation, test)]
    return TextParts(train.ids, *ids), notes, None if valid is None else valid.fingerprint


def _other(path: str, corpus: Corpus, encoding: str, quiet: bool) -> Corpus:
    """Another text, as the vocabulary of the one to learn from sees it."""
    with reading(path, quiet) as advance:
        other = load_corpus(path, encoding=encoding, vocabulary=corpus.vocabulary, advance=advance)
    if len(other) < 2:
        raise InputError(f"{path} has {len(other)} token: it needs two, one to predict")
    return other


def _notes(option: str, other: Corpus | None, corpus: Corpus) -> Iterator[str]:
    """What makes the loss on another text mean less than it seems to."""
    if other is None:
        return
    if other.unknown_rate:
        yield f"{other.name}: {other.unknown_rate:.2%} of its tokens are unknown"
    if other.fingerprint == corpus.fingerprint:
        yield f"{option} {other.name} is the text to learn from: its loss says little of others"


def _resumed(options: TextOptions) -> Plan:
    name = options.resume
    trained = load_text_model(name)
    model = trained.model
    settings, origin = settings_of(model, name), _checked_origin(origin_of(model), name)
    output = output_of(options.output, name)
    check_places(options, output, _read(options))
    best = best_beside(options, model, output, lambda path: load_text_model(path).model)
    _check_agreement(options, trained, settings, origin)
    settings = changed(settings, options)
    parts, notes, source = _same_data(options, trained, origin)
    rows = settings.batch_size
    settings, more = going_on_in(
        options, settings, lambda asked: processes_for(asked, rows, ROWS_A_PROCESS)
    )
    task = TextTask(
        trained.network,
        parts,
        trained.seq_length,
        settings,
        trained.vocabulary,
        trained.encoding,
        source,
    )
    run = resumed(model, task, model.header.fingerprint, name)
    return going_on(Plan(run, output, True, name, best, notes + more), name)


def _checked_origin(origin: dict[str, Any], name: str) -> dict[str, Any]:
    """The origin with every key that reading the data again takes; InputError where it is none."""
    keys = ("data", "valid", "test", "val_split", "validation_fingerprint")
    plain = {key: origin.get(key) for key in (*keys, "vocab_size", "min_count")}
    texts, split_at = plain["data"], plain["val_split"]
    is_sound = isinstance(texts, list) and all(isinstance(path, str) and path for path in texts)
    is_sound &= all(plain[key] != "" and isinstance(plain[key], str | None) for key in keys[1:3])
    if not is_sound or not texts:
        raise InputError(f"{name} does not say where its text is: it cannot go on")
    is_share = isinstance(split_at, int | float) and not isinstance(split_at, bool)
    if split_at is not None and not (is_share and 0 <= split_at < 1):
        raise InputError(f"{name} is damaged: it held out {split_at!r} of its text")
    return plain


def _same_data(
    options: TextOptions, trained: TrainedText, origin: dict[str, Any]
) -> tuple[TextParts, tuple[str, ...], str]:
    """The parts that a run was training on, their notes, and what to call them; InputError where
    they are others."""
    name = options.resume
    texts = options.texts or tuple(origin["data"])
    others = {key: getattr(options, key) or origin[key] for key in ("valid", "test")}
    is_named = STDIN in (*options.texts, options.valid, options.test)
    options = replace(options, texts=texts, **others)
    if STDIN in (*texts, *others.values()) and not is_named:
        what = next((f"--{key} " for key, path in others.items() if path == STDIN), "")
        raise RequestError(
            f"{name} had its text from stdin: name {what or 'it '}again, a file with the same or - "
            "for stdin"
        )
    _check_stdin(options)
    best = str(output_of(None, name))
    read = {**_read(options), "--resume": name, "the best model": best}
    check_apart({"--log": options.log}, read)
    moved = "train-lstm", "text", "TEXT", name if texts == tuple(origin["data"]) else None
    with telling_of_moves(*moved):
        corpus = _load(options, trained.encoding, trained.vocabulary)
    check_data(trained.model, corpus.fingerprint, corpus.name, name)
    with telling_of_moves(*moved):
        parts, notes, fingerprint = _parts(
            corpus, {**origin, **others}, trained.encoding, options.quiet
        )
    saved = origin["validation_fingerprint"]
    if saved is not None and fingerprint != saved:
        raise InputError(
            f"{options.valid} is not what {name} was validated on: it differs; name the same text "
            "with --valid, or train anew without --resume"
        )
    return parts, notes, corpus.name


def _check_agreement(
    options: TextOptions, trained: TrainedText, settings: Settings, origin: dict[str, Any]
) -> None:
    """RequestError for an option that was given again in another way than the run began with."""
    architecture = trained.network.architecture
    sizes = ("cell", "embed_size", "hidden_size", "layers", "dropout")
    plain = {key: getattr(architecture, key) for key in sizes}
    plain |= {key: origin[key] for key in ("val_split", "vocab_size", "min_count")}
    plain |= {
        "level": trained.vocabulary.level,
        "encoding": trained.encoding,
        "seq_length": trained.seq_length,
    }
    if options.encoding is not None:
        options = replace(options, encoding=checked_encoding(options.encoding))
    check_settings(options, settings, options.resume, plain)
    if options.valid is not None and origin["valid"] is None:
        raise RequestError(
            f"--valid {options.valid}: {options.resume} was trained without one; leave it out, or "
            "train anew"
        )
    if options.tie_weights and not architecture.tie_weights:
        raise RequestError(
            f"--tie-weights: the weights of {options.resume} are not tied; leave it out, or train "
            "anew"
        )
    check_epochs(options, trained.model)


def wording(plan: Plan) -> Wording:
    level = _task(plan).vocabulary.level
    return Wording(f"{unit(level)}s", lambda loss, _: judged(loss, level))


def describe(plan: Plan) -> Iterator[str]:
    """The text, the network and the settings, a line each or a few."""
    trainer, task = plan.run.trainer, _task(plan)
    yield from plan.notes
    parts, noun = task.parts, unit(task.vocabulary.level)
    each = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    sizes = ", ".join(f"{len(ids):,} {name}" for name, ids in each.items() if ids is not None)
    yield f"text: {task.name}, {counted(len(task.vocabulary), 'kind')} of {noun}: {sizes}"
    yield from architecture_lines(task.network.architecture)
    count = total(task.network.parameters())
    yield f"{counted(count, 'parameter')}, about {size_text(memory(plan))} of memory"
    rows, length = task.settings.batch_size, task.windows.seq_length
    yield settings_line(trainer, f"{counted(rows, 'row')} x {counted(length, noun)}")
    yield from going_on_line(plan)


def _task(plan: Plan) -> TextTask:
    return plan.run.trainer.task


def memory(plan: Plan) -> int:
    """Bytes of the text, of parameters with all that a step keeps of them, and of a window's."""
    task = _task(plan)
    settings, architecture = task.settings, task.network.architecture
    parts = task.parts.train, task.parts.validation, task.parts.test
    texts = sum(ids.nbytes for ids in parts if ids is not None)
    parameters = sum(array.nbytes for array in task.network.params.values())
    tokens = settings.batch_size * min(task.windows.seq_length, task.windows.steps)
    return texts + parameters * (4 + settings.shards) + window_bytes(architecture, tokens)


def results(plan: Plan, last: Model, seconds: float) -> dict[str, Any]:
    """What came of a run, as plain values; validation and baselines only where there is a part."""
    task = _task(plan)
    parts, vocabulary = task.parts, task.vocabulary
    count = total(task.network.parameters())
    found = outcome(plan, last, count, seconds)
    found |= {"level": vocabulary.level, "vocabulary": len(vocabulary)}
    judge = parts.validation if parts.validation is not None else parts.test
    if judge is not None:
        found["baselines"] = cross_entropy(parts.train, judge, len(vocabulary))._asdict()
    if parts.test is not None and plan.best is not None:
        found["test_loss"] = judge_text(language_model_of(plan.best), parts.test).loss
    return found


def with_sample(found: dict[str, Any], plan: Plan, last: Model, count: int) -> dict[str, Any]:
    """The results with a text of ``count`` tokens that the best model wrote."""
    if not count:
        return found
    task = _task(plan)
    network = language_model_of(plan.best or last)
    return {**found, "sample": sample(network, task.vocabulary, count, task.settings.seed)}


def sample(network: LanguageModel, vocabulary: Vocabulary, count: int, seed: int) -> str:
    """A text of ``count`` tokens, from the beginning of a line on."""
    banned = () if vocabulary.unknown is None else (vocabulary.unknown,)
    logits, states = primed(network, line_start(vocabulary))
    rng = np.random.default_rng(seed)
    drawn = islice(draws(network, logits, states, Choice(banned=banned), rng), count)
    return vocabulary.decode([draw.token for draw in drawn])


def say_results(found: dict[str, Any]) -> None:
    """The results in a few lines on stderr, and the sample."""
    level = found["level"]
    if found["stopped_early"]:
        complain(f"stopped early, after {counted(found['epochs'], 'epoch')}")
    best = found.get("best")
    if best is None:
        complain("no epoch had a loss that is a number: there is no best model")
    elif best["validation_loss"] is None:
        complain(f"best epoch {best['epoch']}: loss {best['loss']:.4f} on the text it learned from")
    else:
        _say_validation(found)
    if "test_loss" in found:
        complain(f"test loss {found['test_loss']:.4f}, {judged(found['test_loss'], level)}")
    _say_baselines(found)
    if "sample" in found:
        complain(f"a sample of the model of epoch {found['best_epoch'] or found['epochs']}:")
        for line in found["sample"].splitlines():
            complain(line)


def _say_validation(found: dict[str, Any]) -> None:
    best, last, level = found["best"], found["final"], found["level"]
    text = f"validation loss {best['validation_loss']:.4f} nats, "
    text += f"{judged(best['validation_loss'], level)} (epoch {best['epoch']}"
    ending = last["validation_loss"]
    complain(f"{text}); last {'none' if ending is None else f'{ending:.4f}'}")


def _say_baselines(found: dict[str, Any]) -> None:
    """What counting would come to, and an honest word where it comes to more."""
    baselines = found.get("baselines")
    if baselines is None:
        return
    shown = (f"{name} {_loss_text(loss, found['level'])}" for name, loss in baselines.items())
    complain(f"beside it, by counting: {', '.join(shown)}")
    best = found.get("best") or {}
    reached = best.get("validation_loss") or found.get("test_loss")
    if reached is not None and reached >= baselines["bigram"]:
        complain(
            "the bigram model is as good or better: this network has learned no more; train it "
            "longer, or make it larger"
        )


def _loss_text(loss: float, level: str) -> str:
    return f"{loss:.4f} ({judged(loss, level).split()[-1]})"
