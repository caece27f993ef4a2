"""Optimizers, schedules, the training loop and what is measured."""
