"""Random numbers of a run: a generator for each purpose, so that none disturbs another.

``split`` holds images out, ``start`` draws parameters, ``order`` shuffles epochs, and ``batches``
gives each batch a seed, from which its images are changed and its units dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

PURPOSES = ("split", "start", "order", "batches")


class Streams:
    """Generators by purpose, all from one seed; their states can be kept and set again."""

    def __init__(self, seed: int) -> None:
        children = np.random.SeedSequence(seed).spawn(len(PURPOSES))
        self._generators = {
            purpose: np.random.Generator(np.random.PCG64(child))
            for purpose, child in zip(PURPOSES, children, strict=True)
        }

    def __getitem__(self, purpose: str) -> np.random.Generator:
        return self._generators[purpose]

    def to_json(self) -> dict[str, Any]:
        """The states of all, as plain numbers and texts."""
        return {name: rng.bit_generator.state for name, rng in self._generators.items()}

    def restore(self, plain: dict[str, Any]) -> None:
        """Set the states that :meth:`to_json` gave; ValueError where they are none."""
        for name, rng in self._generators.items():
            try:
                rng.bit_generator.state = plain[name]
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"the state of the random numbers for {name} is none") from error
