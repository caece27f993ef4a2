"""Hypothesis without deadlines: a slow machine is no failure. PyTorch on one thread.

Its threads wait for each other at every operation, which on small arrays is nearly all its time.
"""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_modifyitems(items) -> None:
    """The examples of the documentation first, one long test: the other core does the rest."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")
