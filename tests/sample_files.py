"""Files of samples by hand, read."""

import pytest

from cnntool.datasets.sequences.reading import load_samples
from cnntool.datasets.sequences.samples import ReadOptions
from cnntool.errors import InputError


def read(folder, text, task, name="data.txt", **how):
    """The training part of one file of this text or these bytes."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    samples = load_samples(str(path), task, ReadOptions(**how))["train"]
    assert samples.places is None or len(samples.places) == len(samples)
    return samples


def problem(folder, text, task, name="data.txt", **how):
    """The one line that says what is wrong, without the folder."""
    with pytest.raises(InputError) as raised:
        read(folder, text, task, name, **how)
    assert "\n" not in str(raised.value)
    return str(raised.value).replace(f"{folder}/", "")


def notes(samples, folder):
    return [note.replace(f"{folder}/", "") for note in samples.notes]
