"""What came of a run of any kind, as plain values."""

from __future__ import annotations

from typing import Any

from cnntool.cli.training.plan import Plan
from cnntool.networks.model_file import Model
from cnntool.training.loop import Trainer

OF_AN_EPOCH = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")


def outcome(plan: Plan, last: Model, parameters: int, seconds: float) -> dict[str, Any]:
    """Where the files are, how long it was, and what the best epoch and the last one reached."""
    trainer: Trainer = plan.run.trainer
    found: dict[str, Any] = {
        "model": str(plan.output) if plan.best is not None else None,
        "last": str(plan.last),
        "epochs": len(last.header.history),
        "best_epoch": trainer.stopping.best_epoch,
        "stopped_early": trainer.stopping.should_stop,
        "parameters": parameters,
        "seconds": round(seconds, 3),
    }
    for name, model in (("best", plan.best), ("final", last)):
        if model is not None:
            epoch = found["best_epoch"] if name == "best" else found["epochs"]
            facts = model.header.history[epoch - 1]
            found[name] = {key: facts[key] for key in OF_AN_EPOCH}
    return found
