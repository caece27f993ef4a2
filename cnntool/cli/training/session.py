"""One call of a training command: say what comes, train, keep the files, say what came of it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cnntool.cli.console import complain, print_json
from cnntool.cli.training.live import Interruption, Log, PlainView, finishing_first, watching
from cnntool.cli.training.options import RunOptions
from cnntool.cli.training.plan import Beside, Plan
from cnntool.errors import InputError
from cnntool.networks.layers.layer import total
from cnntool.networks.model import network_of
from cnntool.networks.model_file import Model, save_model
from cnntool.training.checkpoint import model_of, with_whole_history
from cnntool.training.loop import Diverged, Epoch, Trainer
from cnntool.training.measures import Measure, judge
from cnntool.training.task import task_bytes
from cnntool.wording import bytes_text, counted, duration

Options = TypeVar("Options", bound=RunOptions)

TRIAL_STEPS, TRIAL_SECONDS = 10, 2.0
"""What a dry run takes to say how long training would."""

OF_AN_EPOCH = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")


def train(command: str, make_plan: Callable[[Options], Plan], options: Options) -> int:
    """Do what a command was asked for; the exit code."""
    began = time.perf_counter()
    plan = make_plan(options)
    with plan.trainer as trainer:
        if not options.quiet:
            for line in describe(plan):
                complain(line)
        if options.dry_run:
            return _dry_run(trainer, options)
        log = Log(options.log, plan.resumed_from is not None, options.log_steps)
        try:
            with finishing_first() as asked, watching(trainer, options.quiet) as view:
                last = _run(plan, log, view, asked)
            if asked.number and not trainer.is_done:
                return _interrupted(plan, asked, command)
        finally:
            log.close()
        if plan.best is not None:
            plan.best = with_whole_history(plan.best, last)
            save_model(plan.output, plan.best, overwrite=True)
        beside = plan.beside()
        found = results(plan, last, time.perf_counter() - began, beside)
    if not options.quiet:
        say_results(plan, found, beside)
    if options.as_json:
        print_json(found)
    else:
        print(plan.output if plan.best is not None else plan.last)
    return 0


def _run(plan: Plan, log: Log, view: PlainView | None, asked: Interruption) -> Model:
    """Train until the end, or until a signal; the run as it stands then, which its file holds."""
    trainer, last = plan.trainer, None
    if plan.resumed_from is None:  # so that even a run that is killed in its first epoch goes on
        save_model(plan.last, model_of(trainer), overwrite=True)
    try:
        for event in trainer.run():
            if isinstance(event, Epoch):
                last = model_of(trainer)
                save_model(plan.last, last, overwrite=True)
                if event.is_best:
                    plan.best = last
                    save_model(plan.output, last, overwrite=True)
                log.write("epoch", event.to_json())
                if view:
                    view.epoch(event)
            else:
                last = None
                if log.has_steps:
                    log.write("step", vars(event))
                if view:
                    view.step(event)
            if asked.number:
                break
    except Diverged as error:
        save_model(plan.last, model_of(trainer), overwrite=True)
        raise InputError(f"{error}; the last good state stands in {plan.last}") from error
    if last is None:
        last = model_of(trainer)
        save_model(plan.last, last, overwrite=True)
    return last


def _interrupted(plan: Plan, asked: Interruption, command: str) -> int:
    epoch, step = plan.trainer.place
    complain(
        f"stopped after epoch {epoch}, step {step}; go on with: cnntool {command} --resume "
        f"{shlex.quote(str(plan.last))}"
    )
    return asked.exit_code


def _dry_run(trainer: Trainer, options: RunOptions) -> int:
    """A few steps that nobody keeps, and the time that all would take."""
    epoch, step = trainer.place
    total = trainer.steps * (trainer.settings.epochs - epoch) - step
    steps, began, taken = trainer.run(), time.perf_counter(), []
    for event in steps:
        if isinstance(event, Epoch):
            break
        taken.append(event.seconds)
        if len(taken) >= TRIAL_STEPS or time.perf_counter() - began > TRIAL_SECONDS:
            break
    taken = sorted(taken[1:] or taken)  # the first one makes room
    each = taken[len(taken) // 2]
    facts: dict[str, Any] = {"steps": total, "seconds_a_step": each, "seconds": total * each}
    if options.as_json:
        print_json(facts)
    else:
        complain(
            f"{counted(total, 'step')} of {1000 * each:.3g} ms would take "
            f"{duration(total * each)}, and validation after each epoch; nothing is written"
        )
    return 0


def describe(plan: Plan) -> Iterator[str]:
    """The data, the network and the settings, a line each or a few."""
    trainer, network, settings = plan.trainer, plan.task.network, plan.trainer.settings
    yield from plan.notes
    yield plan.data
    yield from str(network).splitlines()
    work = ""
    if not network.is_sequential:
        adds = sum(layer.multiply_adds(shape) for _, layer, shape in network.each())
        work = f"{counted(adds, 'multiply-add')} an {plan.task.feed.unit}, "
    count = counted(total(network.parameters()), "parameter")
    feeds = plan.task.feed, plan.task.held_out, plan.test
    memory = sum(feed.nbytes for feed in feeds if feed is not None) + task_bytes(plan.task)
    yield f"{count}, {work}about {bytes_text(memory)} of memory"
    text = (
        f"{settings.optimizer} at {settings.learning_rate:g} ({settings.schedule}), "
        f"{counted(settings.epochs, 'epoch')} of {counted(trainer.steps, 'step')} of "
        f"{plan.task.feed.step_text}"
    )
    if settings.shards > 1:
        text += f", in {counted(settings.shards, 'process')}"
    yield text + f"; seed {settings.seed}"
    if plan.resumed_from is not None:
        epoch, step = trainer.place
        behind = f"{counted(epoch, 'epoch')} and {counted(step, 'step')}"
        yield f"going on from {plan.resumed_from}: {behind} are behind it"


def results(plan: Plan, last: Model, seconds: float, beside: Beside | None) -> dict[str, Any]:
    """What came of a run, as plain values: where the files are, how long it was, what the best
    epoch and the last one reached, what to compare it with, and the best model on the test part."""
    stopping = plan.trainer.stopping
    found: dict[str, Any] = {
        "model": str(plan.output) if plan.best is not None else None,
        "last": str(plan.last),
        "epochs": len(last.header.history),
        "best_epoch": stopping.best_epoch,
        "stopped_early": stopping.should_stop,
        "parameters": total(plan.task.network.parameters()),
        "seconds": round(seconds, 3),
    }
    for name, model in (("best", plan.best), ("final", last)):
        if model is not None:
            epoch = found["best_epoch"] if name == "best" else found["epochs"]
            facts = model.header.history[epoch - 1]
            found[name] = {key: facts[key] for key in OF_AN_EPOCH}
    found |= plan.more(plan.best or last)
    if beside is not None:
        found |= beside.facts
    if plan.test is not None and plan.best is not None:
        judged = judge(network_of(plan.best), plan.test)
        kind = plan.task.measure.kind
        found[f"test_{kind}"] = getattr(judged, kind)
    return found


def say_results(plan: Plan, found: dict[str, Any], beside: Beside | None) -> None:
    """The same in a few lines on stderr."""
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
    reached = found.get(f"test_{measure.kind}")
    if reached is not None:
        loss = f"loss {reached:.4f}, " if measure.by_loss else ""
        complain(f"test {loss}{measure.judged(reached)}")
    if beside is not None:
        if best is not None and best["validation_loss"] is not None:
            reached = best[f"validation_{measure.kind}"]
        _say_beside(measure, beside, reached)
    if "sample" in found:
        complain(f"a sample of the model of epoch {found['best_epoch'] or found['epochs']}:")
        for line in found["sample"].split("\n"):
            complain(line)


def _say_validation(measure: Measure, best: dict[str, Any], last: dict[str, Any]) -> None:
    reached, ending = (facts[f"validation_{measure.kind}"] for facts in (best, last))
    loss, epoch = f"{best['validation_loss']:.4f}", best["epoch"]
    if measure.by_loss:
        text = f"validation loss {loss} nats, {measure.judged(reached)} (epoch {epoch}); last "
    else:
        text = f"validation {measure.judged(reached)} (epoch {epoch}, loss {loss}); last "
    complain(text + ("none" if ending is None else measure.number(ending)))


def _say_beside(measure: Measure, beside: Beside, reached: float | None) -> None:
    """What the model has to beat, and an honest word where it does not."""
    shown = (
        f"{name} {measure.number(value)}" + (f" ({measure.text(value)})" if measure.by_loss else "")
        for name, value in beside.values.items()
    )
    complain(f"{beside.lead}: {', '.join(shown)}")
    *_, strongest = beside.values.values()
    if reached is not None and not measure.is_better(reached, strongest):
        complain(
            f"{beside.strongest} is as good or better: this network has learned no more; train it "
            "longer, or make it larger"
        )
