"""One call of a training command: say what comes, train, keep the files, say what came of it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from typing import Any, TypeVar

from cnntool.cli.console import complain, print_json
from cnntool.cli.training.live import Interruption, Log, PlainView, finishing_first, watching
from cnntool.cli.training.options import RunOptions
from cnntool.cli.training.plan import Plan
from cnntool.cli.training.summary import describe, results, say_results
from cnntool.errors import InputError
from cnntool.networks.model_file import Model, save_model
from cnntool.training.checkpoint import with_whole_history
from cnntool.training.loop import Diverged, Epoch, Trainer
from cnntool.wording import counted, duration

Options = TypeVar("Options", bound=RunOptions)

TRIAL_STEPS, TRIAL_SECONDS = 10, 2.0
"""What a dry run takes to say how long training would."""


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


def _run(plan: Plan, log: Log, view: PlainView, asked: Interruption) -> Model:
    """Train until the end, or until a signal; the run as it stands then, which its file holds."""
    run, last = plan.run, None
    if plan.resumed_from is None:  # so that even a run that is killed in its first epoch goes on
        save_model(plan.last, run.model(), overwrite=True)
    try:
        for event in run.trainer.run():
            if isinstance(event, Epoch):
                run.keep_filters()
                last = run.model()
                save_model(plan.last, last, overwrite=True)
                if event.is_best:
                    plan.best = last
                    save_model(plan.output, last, overwrite=True)
                log.write("epoch", event.to_json())
                view.epoch(event)
            else:
                last = None
                if log.has_steps:
                    log.write("step", vars(event))
                view.step(event)
            if asked.number:
                break
    except Diverged as error:
        save_model(plan.last, run.model(), overwrite=True)
        raise InputError(f"{error}; it stands in {plan.last}") from error
    if last is None:
        last = run.model()
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
