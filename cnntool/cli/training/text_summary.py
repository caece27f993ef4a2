"""What is said before a run over a text, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from cnntool.cli.console import complain
from cnntool.cli.text_wording import judged, unit
from cnntool.cli.training.live import Wording
from cnntool.cli.training.outcome import outcome
from cnntool.cli.training.plan import Plan
from cnntool.cli.training.settings_line import going_on_line, settings_line
from cnntool.cli.training.text_memory import window_bytes
from cnntool.datasets.memory import size_text
from cnntool.datasets.vocabulary import Vocabulary
from cnntool.networks.language_model import LanguageModel
from cnntool.networks.language_spec import architecture_lines
from cnntool.networks.layers.layer import total
from cnntool.networks.model_file import Model
from cnntool.networks.sampling import Choice, draws, line_start, primed
from cnntool.networks.trained_text import language_model_of
from cnntool.training.ngrams import cross_entropy
from cnntool.training.text_evaluation import judge_text
from cnntool.training.text_task import TextTask
from cnntool.wording import counted


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
