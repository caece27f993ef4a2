"""One call of a training command: say what comes, train, keep the files, say what came of it."""

from __future__ import annotations

import math
import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from cnntool.cli.console import complain, print_json, print_line, tell
from cnntool.cli.files import output_of
from cnntool.cli.interruption import Interruption, finishing_first
from cnntool.cli.training.live import Log, PlainView, watching
from cnntool.cli.training.plan import Beside, Plan, Saved
from cnntool.cli.training.sequence_options import RunOptions
from cnntool.errors import InputError, not_finite
from cnntool.files.atomic import written_alone
from cnntool.networks.joined import Joined
from cnntool.networks.layers.layer import total
from cnntool.networks.model import network_of
from cnntool.networks.model_file import Model, save_model
from cnntool.networks.network import Network
from cnntool.networks.summary import multiply_adds
from cnntool.training.advice import advice
from cnntool.training.checkpoint import best_of, model_of
from cnntool.training.footprint import least_seconds
from cnntool.training.loop import Epoch, Step, Trainer
from cnntool.training.measures import ACCURACY, Measure, judge
from cnntool.training.progress import JUDGED
from cnntool.training.task import Diverged
from cnntool.wording import bytes_text, counted, duration

Options = TypeVar("Options", bound=RunOptions)

TRIAL_STEPS, TRIAL_SECONDS = 10, 2.0
"""What a dry run takes to say how long training would."""


def train(command: str, make_plan: Callable[[Options], Plan], options: Options) -> int:
    """Do what a command was asked for; the exit code."""
    output = output_of(options.output, options.resume)
    with nullcontext() if options.dry_run else written_alone(output):
        return _train(command, make_plan, options)


def _train(command: str, make_plan: Callable[[Options], Plan], options: Options) -> int:
    began = time.perf_counter()
    plan = make_plan(options)
    if not plan.has_arrays:
        return _reckoned(plan, options)
    with plan.trainer as trainer:
        _describe(plan, options)
        if options.dry_run:
            return _dry_run(trainer, options)
        told = plan.options  # also of a run that goes on
        log = Log(told.log, bool(plan.name), plan.task.name, told.log_steps)
        try:
            with finishing_first() as asked, watching(trainer, options.quiet) as view:
                _begin(plan)
                with _naming_files(plan, command):
                    _run(plan, log, view, asked)
            if asked.number and not trainer.is_done:
                return _interrupted(plan, asked, command)
        finally:
            log.close()
        with _naming_files(plan, command):
            model = best_of(trainer) or model_of(trainer)
            network = network_of(model)
            beside = {part: plan.beside(feed, network) for part, feed in plan.judged_on.items()}
            found = results(plan, time.perf_counter() - began, beside, model, network)
    if not options.quiet:
        say_results(plan, found, beside)
    if options.as_json:
        print_json(found)
    else:
        print_line(found["model"] or found["last"])
    return 0 if log.is_whole else 1


def _begin(plan: Plan) -> None:
    """Write the run before its first step, from which it can go on."""
    has_best = plan.trainer.best is not None
    if plan.replaces and not has_best and not plan.options.quiet:
        complain(f"the model of an earlier run in {plan.output} stays until this one has its first")
    _save(plan, has_best)


@contextmanager
def _naming_files(plan: Plan, command: str) -> Iterator[None]:
    """While a run has files: whatever ends it there, a second signal or want of memory, what is
    left behind is named on stderr."""
    try:
        yield
    except Diverged as error:
        raise InputError(f"{error}; {_after_divergence(plan, error, command)}") from error
    except BaseException:
        complain(
            f"the run as last saved stands in {plan.last}{_model(plan)}; {_again(plan, command)}"
        )
        raise


def _run(plan: Plan, log: Log, view: PlainView | None, asked: Interruption) -> None:
    """Train until the end, or until a signal.

    Whatever ends the program at whatever moment, the run goes on from its last file as if nothing
    had happened: that has all of the run, the best model too, which is written behind it.
    """
    trainer = plan.trainer
    saved, last, best = time.monotonic(), trainer.place, trainer.place  # where the files stand
    for event in trainer.run():
        judged = event if isinstance(event, Epoch) else event.judged
        _log(log, event, judged)
        if judged is not None or 0 < plan.options.save_every <= time.monotonic() - saved:
            has_better = judged is not None and judged.is_best
            if _save_or_say(plan, has_better):
                last, best = trainer.place, trainer.place if has_better else best
            saved = time.monotonic()
        if view and isinstance(event, Step):
            view.step(event)
        if view and judged is not None:
            view.epoch(judged)
        if asked.number:
            break
    if last != trainer.place:
        _save(plan, trainer.best is not None)
    elif best != last:  # which knows nothing of the epochs behind it yet
        _save_best(plan)


def _model(plan: Plan) -> str:
    """Which model stands there as a run ends early."""
    output = plan.output
    if not os.path.exists(output):
        return f", and no model in {output} yet"
    return f", {'that of an earlier run' if plan.replaces else 'its best model'} in {output}"


def _after_divergence(plan: Plan, error: Diverged, command: str) -> str:
    """What is left of a run, and how to go on from there; or to train anew, where that is none."""
    saved, model = plan.saved, _model(plan)
    is_begun = saved is not None and any(saved.place)
    if saved is None or not error.is_changeable or (is_begun and not saved.has_learned):
        return f"{plan.last} is none to go on from{model}: train anew with {error.remedy} -f"
    epoch, step = saved.place
    after = f"after epoch {epoch}, step {step}" if is_begun else "before its first step"
    again = f"{_again(plan, command)} {error.remedy}"
    return f"the run {after} stands in {plan.last}{model}; {again}"


def _save(plan: Plan, has_better: bool = False) -> None:
    """Write the run as it stands, and then its best model where that is another now. Diverged where
    nothing could go on from it."""
    trainer = plan.trainer
    trainer.check()
    save_model(plan.last, model_of(trainer, plan.kept), overwrite=True)
    plan.saved = Saved(trainer.place, trainer.has_learned)
    if has_better:
        _save_best(plan)


def _save_best(plan: Plan) -> None:
    best = best_of(plan.trainer)
    if best is None:
        return
    save_model(plan.output, best, overwrite=True)
    if plan.replaces:  # which is done
        plan.replaces = False
        _save(plan)


def _save_or_say(plan: Plan, has_better: bool) -> bool:
    """The same of a run that goes on, and saves what is not saved now a next time; whether it is
    saved."""
    try:
        _save(plan, has_better)
    except Diverged:
        raise
    except InputError as error:
        complain(f"{error}; training goes on, and the next save may succeed")
        return False
    return True


def _log(log: Log, event: Step | Epoch, judged: Epoch | None) -> None:
    """A line of what came of an epoch, or of a part of one, and where they are wanted of each step.

    They come before the file that knows of them: a line that comes again, of a run that was killed
    between, is one that counts.
    """
    if isinstance(event, Step) and log.has_steps:
        log.write("step", {key: value for key, value in vars(event).items() if key != "judged"})
    if judged is not None:
        log.write("epoch" if isinstance(event, Epoch) else "part", judged.to_json())


def _interrupted(plan: Plan, asked: Interruption, command: str) -> int:
    epoch, step = plan.trainer.place
    complain(f"stopped after epoch {epoch}, step {step}{_model(plan)}; {_again(plan, command)}")
    return asked.exit_code


def _again(plan: Plan, command: str) -> str:
    return f"go on with: cnntool {command} --resume {shlex.quote(str(plan.last))}"


def _dry_run(trainer: Trainer, options: RunOptions) -> int:
    """A few steps that nobody keeps, and the time that all would take."""
    epoch, step = trainer.place
    epochs = epoch if trainer.is_done else trainer.settings.epochs
    total = trainer.steps * (epochs - epoch) - step
    steps, began, taken = trainer.run(), time.perf_counter(), []
    for event in steps:
        if isinstance(event, Epoch):
            break
        taken.append(event.seconds)
        if len(taken) >= TRIAL_STEPS or time.perf_counter() - began > TRIAL_SECONDS:
            break
    taken = sorted(taken[1:] or taken)  # the first one makes room
    each = taken[len(taken) // 2] if taken else 0.0  # of a run that is done
    return _say_time(options, total, each)


def _reckoned(plan: Plan, options: RunOptions) -> int:
    """The time that all steps would take at least, where none is tried."""
    task = plan.task
    _describe(plan, options)
    return _say_time(options, task.settings.epochs * task.feed.steps, least_seconds(task), True)


def _say_time(options: RunOptions, steps: int, each: float, is_least: bool = False) -> int:
    facts = {"steps": steps, "seconds_a_step": each, "seconds": steps * each, "at_least": is_least}
    if options.as_json:
        print_json(facts)
    else:
        least = "at least " if is_least else ""
        complain(
            f"{counted(steps, 'step')} of {least}{duration(each)} would take "
            f"{least}{duration(steps * each)}, and validation after each epoch; nothing is written"
        )
    return 0


def _describe(plan: Plan, options: RunOptions) -> None:
    if not options.quiet:
        for line in describe(plan):
            complain(line)


def describe(plan: Plan) -> Iterator[str]:
    """The data, the network and the settings, a line each or a few."""
    task = plan.task
    network, settings = task.network, task.settings
    yield from plan.notes
    yield from plan.data
    yield from str(network).splitlines()
    work = ""
    if not network.is_sequential and not isinstance(network, Joined):
        work = f"{counted(multiply_adds(network), 'multiply-add')} an {task.feed.unit}, "
    count = counted(total(network.parameters()), "parameter")
    about = "about" if plan.has_arrays else "at least"
    yield f"{count}, {work}{about} {bytes_text(plan.memory)} of memory"
    text = (
        f"{settings.optimizer} at {settings.learning_rate:g} ({settings.schedule}), "
        f"{counted(settings.epochs, 'epoch')} of {counted(task.feed.steps, 'step')} of "
        f"{task.feed.step_text}"
    )
    if settings.shards > 1:
        text += f", in {counted(settings.shards, 'process')}"
    yield text + f"; seed {settings.seed}"
    if plan.name:
        yield plan.standing


def results(
    plan: Plan, seconds: float, beside: dict[str, Beside], model: Model, network: Network
) -> dict[str, Any]:
    """What came of a run, as plain values: where the files are, how long it was, what the best
    epoch and the last one reached, the best model on the test part, and what to compare each with.

    What is of the test part begins with ``test_``. model, network: of the best epoch, of the last
    one where none was.
    """
    trainer, has_best = plan.trainer, plan.trainer.best is not None
    found: dict[str, Any] = {
        "model": str(plan.output) if has_best else None,
        "last": str(plan.last),
        "epochs": len(trainer.history),
        "best_epoch": trainer.stopping.best_epoch,
        "stopped_early": len(trainer.history) < trainer.settings.epochs,
        "parameters": total(plan.task.network.parameters()),
        "seconds": round(seconds, 3),
        "notes": list(plan.notes),
    }
    rows = {"best": trainer.best_row, "final": trainer.history[-1]}
    keys = (*JUDGED, "step")  # a step where it was best on its way
    found |= {name: {k: row[k] for k in keys if k in row} for name, row in rows.items() if row}
    if has_best and "validation" in beside:
        found["score"] = _score(plan.task.measure, trainer.best_row or {}, beside["validation"])
    found |= plan.more(model)
    for part, each in beside.items():
        start = "test_" if part == "test" else ""
        found |= {f"{start}{name}": value for name, value in each.facts.items()}
    if has_best:
        found |= _judged(plan, network)
    return found


def _score(measure: Measure, best: dict[str, Any], beside: Beside) -> dict[str, Any]:
    """The one number to compare runs by, of the best model on the validation part."""
    name, by_loss = measure.name, measure.by_loss
    value = measure.scored(best[f"validation_{measure.kind}"])
    if beside.report is not None:
        headline = beside.report.score
        name, value, by_loss = headline.name, headline.value, False
    return {"name": name, "value": value, "better": "lower" if by_loss else "higher"}


def _judged(plan: Plan, best: Network) -> dict[str, Any]:
    """The best model on the test part; and where there are unknown tokens, their share and the loss
    on all others."""
    kind, found = plan.task.measure.kind, {}
    for part, feed in plan.judged_on.items():
        if part == "validation" and not feed.has_unknown:  # the loop has judged it
            continue
        judged = judge(best, feed)
        if not math.isfinite(judged.loss):
            raise not_finite(f"{plan.output}: on the {part} part, its network")
        if part == "test":
            found[f"test_{kind}"] = getattr(judged, kind)
        if judged.unknown:
            found[f"{part}_unknown_rate"] = judged.unknown / judged.count
            found[f"{part}_known_loss"] = judged.known_loss
    return found


def say_results(plan: Plan, found: dict[str, Any], beside: dict[str, Beside]) -> None:
    """The same in a few lines on stderr: beside each score what it is to beat."""
    measure = plan.task.measure
    if found["stopped_early"]:
        complain(f"stopped early, after {counted(found['epochs'], 'epoch')}")
    best = found.get("best")
    if best is None:
        complain("no epoch had a loss that is a number: there is no best model")
    elif best["validation_loss"] is None:
        unit = plan.task.feed.unit
        complain(
            f"best epoch {best['epoch']}: loss {best['loss']:.4f} on the {unit}s it learned from"
        )
    else:
        _say_validation(measure, best, found["final"])
        _say_beside(
            plan, "validation", found, best[f"validation_{measure.kind}"], beside["validation"]
        )
    reached = found.get(f"test_{measure.kind}")
    if reached is not None:
        loss = f"loss {reached:.4f}, " if measure.by_loss else ""
        if measure.by_loss or beside["test"].report is None:  # which begins with the same accuracy
            complain(f"test {loss}{measure.fully(reached)}")
        _say_beside(plan, "test", found, reached, beside["test"])
    if "sample" in found:
        complain(f"a sample of the model of epoch {found['best_epoch'] or found['epochs']}:")
        tell(found["sample"])


def _say_validation(measure: Measure, best: dict[str, Any], last: dict[str, Any]) -> None:
    reached, ending = (facts[f"validation_{measure.kind}"] for facts in (best, last))
    loss, at = f"{best['validation_loss']:.4f}", f"epoch {best['epoch']}"
    if "step" in best:
        at += f" to step {best['step']:,}"
    if measure.by_loss:
        text = f"validation loss {loss} nats, {measure.fully(reached)} ({at}); last "
    else:
        text = f"validation {measure.judged(reached)} ({at}, loss {loss}); last "
    complain(text + ("none" if ending is None else measure.number(ending)))


def _say_beside(
    plan: Plan, part: str, found: dict[str, Any], reached: float, beside: Beside
) -> None:
    """What the score is without unknown tokens, and what the model has to beat on the same part; an
    honest word where it does not."""
    measure = plan.task.measure
    if f"{part}_known_loss" in found:
        rate, known = found[f"{part}_unknown_rate"], found[f"{part}_known_loss"]
        complain(
            f"{rate:.2%} of that is unknown; without it loss {known:.4f}, {measure.judged(known)}"
        )
    if beside.report is not None:
        measure, reached = ACCURACY, beside.report.score.value
        for number, line in enumerate(beside.report.lines()):
            complain(line if number else f"{part}: {line}")
    else:
        shown = (
            f"{name} {measure.number(value)}"
            + (f" ({measure.text(value)})" if measure.by_loss else "")
            for name, value in beside.values.items()
        )
        complain(f"{beside.lead}: {', '.join(shown)}")
    *_, strongest = beside.values.values()
    if measure.is_better(reached, strongest):
        return
    most = 100 if beside.report is not None and beside.report.score.name == "BLEU" else 1
    if not measure.by_loss and min(reached, strongest) > most - 1e-9:
        complain(f"{beside.strongest} and the network are both right on all")
    else:
        trainer = plan.trainer
        by_chance = not measure.is_better(reached, beside.by_chance)
        answers, name = trainer.network.output_shape[-1], plan.task.name
        settings, history, steps = trainer.settings, trainer.history, trainer.steps
        what = advice(name, settings, history, answers, by_chance, steps)
        complain(f"{beside.strongest} is as good or better: {what}")
