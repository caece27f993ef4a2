"""The settings of a run in a line, and where it goes on."""

from __future__ import annotations

from collections.abc import Iterator

from cnntool.cli.training.plan import Plan
from cnntool.training.loop import Trainer
from cnntool.wording import counted


def settings_line(trainer: Trainer, batch: str) -> str:
    """Optimizer, epochs and steps, ``batch`` saying what a step takes."""
    settings = trainer.settings
    text = (
        f"{settings.optimizer} at {settings.learning_rate:g} ({settings.schedule}), "
        f"{counted(settings.epochs, 'epoch')} of {counted(trainer.steps, 'step')} of {batch}"
    )
    if settings.shards > 1:
        text += f", in {counted(settings.shards, 'process')}"
    return text + f"; seed {settings.seed}"


def going_on_line(plan: Plan) -> Iterator[str]:
    """Where a run that was resumed stands; nothing of another."""
    if plan.resumed_from is not None:
        epoch, step = plan.run.trainer.place
        behind = f"{counted(epoch, 'epoch')} and {counted(step, 'step')}"
        yield f"going on from {plan.resumed_from}: {behind} are behind it"
