"""Classifiers, taggers, translators and captioners side by side with PyTorch, on as many cores.

    python benchmarks/sequences.py [--rounds 9] [--only tagger] [--cpu]

A step is that of a run: the batch from the feed, forward, loss, backward, clipping and Adam.
PyTorch learns from the same batches, which it has as tensors already, with the same weights, and
packs sequences whose lengths differ; before anything is timed both have to find the same loss.
``reading`` says 10,000 words, phoneme by phoneme. Below stands what the products alone would take
at the peak of the machine's matrix product, and the most memory of a process that does no more.

``--cpu`` counts the seconds of one thread instead of those on the clock: for a busy machine.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import numpy as np
from harness import SGEMM_FLOPS, peak_megabytes, race, report, sgemm

from cnntool.datasets.sequences.feeds import PairFeed, SequenceFeed, like_lengths
from cnntool.datasets.sequences.inputs import ArrayRows, TextInput, TextRows
from cnntool.datasets.sequences.packed import pronunciations
from cnntool.datasets.sequences.ragged import Ragged
from cnntool.engine.fast.threads import available_cores
from cnntool.networks.joined import Joined, parse_network
from cnntool.networks.network import Network
from cnntool.networks.sequence_answers import texts_said
from cnntool.training.loop import Step, Trainer
from cnntool.training.measures import ACCURACY
from cnntool.training.settings import Settings
from cnntool.training.shards import CAN_FORK
from cnntool.training.task import Task

try:
    torch = importlib.import_module("torch")
    peers = importlib.import_module("torch_sequences")
except ImportError:
    torch = peers = None

CORES = available_cores()
LEARNING_RATE, CLIP = 0.001, 1.0
BATCHES = 8
"""Of an epoch, and of a turn: what is random costs the same as what is real."""

END = 0
"""The id of what ends a text."""


@dataclass(frozen=True)
class Case:
    """A network and what it learns from: sources and texts of so many steps, least and most.

    frame: the shape of a picture, or of a frame. said: None where nothing is said, each source has
    a label, or each step a tag if ``is_aligned``.
    """

    title: str
    spec: str
    batch: int
    steps: tuple[int, int] | None = None
    said: tuple[int, int] | None = None
    frame: tuple[int, ...] = ()
    tokens: int = 0
    answers: int = 2
    is_aligned: bool = False

    @property
    def input_shape(self) -> tuple:
        return (None, *self.frame) if self.steps else self.frame

    def network(self) -> Network:
        return parse_network(self.spec, self.input_shape).initialise(np.random.default_rng(0))

    def feed(self) -> PairFeed | SequenceFeed:
        rng, count = np.random.default_rng(0), BATCHES * self.batch
        rows, lengths = self._rows(rng, count)
        if self.said is not None:
            return PairFeed(
                rows, tokens_of(rng, count, self.said, self.answers), self.batch, end=END
            )
        if not self.is_aligned:
            return SequenceFeed(rows, rng.integers(0, self.answers, count), self.batch)
        tags = Ragged(rng.integers(0, self.answers, lengths.sum()), lengths)
        return SequenceFeed(rows, tags, self.batch)

    def _rows(self, rng: np.random.Generator, count: int) -> tuple[Any, Any]:
        if self.tokens:
            ids = tokens_of(rng, count, self.steps or (1, 1), self.tokens)
            return TextRows(ids, np.zeros(self.tokens, bool)), ids.lengths
        if self.steps is None:
            return ArrayRows(rng.random((count, *self.frame), np.float32), np.negative), None
        lengths = rng.integers(self.steps[0], self.steps[1] + 1, count)
        values = rng.random((lengths.sum(), *self.frame), np.float32)
        return ArrayRows(Ragged(values, lengths), np.negative), lengths


def tokens_of(rng: np.random.Generator, count: int, steps: tuple[int, int], kinds: int) -> Ragged:
    """Random texts of so many tokens each, whose frequencies fall as those of words do."""
    lengths = rng.integers(steps[0], steps[1] + 1, count)
    odds = 1 / np.arange(1, kinds + 1)
    return Ragged(rng.choice(kinds, lengths.sum(), p=odds / odds.sum()), lengths)


TRANSLATOR = "embedding 40 x 64; gru 256 => embedding {0} x 64; gru 256; attend; dense {0}"
PLACES = "conv 16 3x3 pad 1; relu; max 2; conv 32 3x3 pad 1; relu; max 2; "
CASES = {
    "translator": Case(
        "translator: gru 256 with attention, 20 symbols to 20 of 40",
        TRANSLATOR.format(40), 64, (20, 20), (20, 20), (), 40, 40,
    ),
    "translator-lengths": Case(
        "the same, 10 to 20 symbols to 10 to 20",
        TRANSLATOR.format(40), 64, (10, 20), (10, 20), (), 40, 40,
    ),
    "translator-words": Case(
        "the same, 20 symbols to 20 of 8,000 words",
        TRANSLATOR.format(8000), 64, (20, 20), (20, 20), (), 40, 8000,
    ),
    "tagger": Case(
        "tagger: lstm 128 in both directions, 15 to 30 words",
        "embedding 5000 x 100; lstm 128 both; dense 17",
        32, (15, 30), None, (), 5000, 17, True,
    ),
    "tagger-equal": Case(
        "the same, all 30 words long",
        "embedding 5000 x 100; lstm 128 both; dense 17",
        32, (30, 30), None, (), 5000, 17, True,
    ),
    "classifier": Case(
        "classifier: lstm 128, the largest of 25 to 50 words",
        "embedding 5000 x 100; lstm 128; max-steps; dense 2", 64, (25, 50), None, (), 5000,
    ),
    "classifier-equal": Case(
        "the same, all 50 words long",
        "embedding 5000 x 100; lstm 128; max-steps; dense 2", 64, (50, 50), None, (), 5000,
    ),
    "captioner": Case(
        "captioner: conv 16-32 on 3x32x32, gru 128 with attention over 64 places, 10 words",
        PLACES + "places => embedding 40 x 64; gru 128; attend; dense 40",
        64, None, (8, 11), (3, 32, 32), 0, 40,
    ),
    "captioner-lstm": Case(
        "captioner: conv 16-32-64 on 3x32x32, lstm 256, 10 words",
        PLACES + "conv 64 3x3 pad 1; relu; max 2; dense 256; relu"
        " => embedding 40 x 64; lstm 256; dense 40",
        64, None, (10, 10), (3, 32, 32), 0, 40,
    ),
    "frames": Case(
        "frame tagger: conv 8-16 on 16x16, gru 64, 20 frames",
        "each conv 8 3x3 pad 1; each relu; each max 2; each conv 16 3x3 pad 1; each relu; "
        "each max 2; each dense 64; each relu; gru 64; dense 11",
        16, (20, 20), None, (1, 16, 16), 0, 11, True,
    ),
    "frames-lengths": Case(
        "the same, 8 to 40 frames",
        "each conv 8 3x3 pad 1; each relu; each max 2; each conv 16 3x3 pad 1; each relu; "
        "each max 2; each dense 64; each relu; gru 64; dense 11",
        16, (8, 40), None, (1, 16, 16), 0, 11, True,
    ),
}  # fmt: skip


def our_steps(case: Case, shards: int) -> tuple[Trainer, Callable[[], object]]:
    """A trainer, and what takes an epoch's steps."""
    settings = Settings(
        epochs=10**6,
        batch_size=case.batch,
        learning_rate=LEARNING_RATE,
        clip=CLIP,
        shards=shards,
        schedule="constant",
    )
    trainer = Trainer(Task("tagger", case.network(), case.feed(), None, settings, ACCURACY))
    events = trainer.run()

    def epoch() -> None:
        taken = 0
        while taken < BATCHES:
            taken += isinstance(next(events), Step)

    return trainer, epoch


def torch_steps(case: Case) -> Callable[[], object]:
    """PyTorch's steps over the same batches."""
    model, feed = peers.Twin(case.network()), case.feed()
    params = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(params, LEARNING_RATE)
    taken = [feed.take(batch) for batch in feed.batches(np.random.default_rng(0))]
    batches = [peers.tensors((t.x, t.targets, t.lengths, t.counts)) for t in taken]

    def epoch() -> None:
        for batch in batches:
            optimizer.zero_grad()
            peers.loss_of(model, *batch).backward()
            torch.nn.utils.clip_grad_norm_(params, CLIP)
            optimizer.step()

    return epoch


def check_losses(case: Case) -> None:
    """Both find the same loss before they learn."""
    feed, network = case.feed(), case.network()
    task = Task("tagger", network, feed, None, Settings(), ACCURACY)
    batch = next(feed.batches(np.random.default_rng(0)))
    grads = {path: np.zeros_like(array) for path, array in network.params.items()}
    ours, taken = task.learn(grads, batch, 1.0, (0, 0)).loss, feed.take(batch)
    given = peers.tensors((taken.x, taken.targets, taken.lengths, taken.counts))
    np.testing.assert_allclose(ours, peers.loss_of(peers.Twin(network), *given).item(), rtol=1e-5)


def products(case: Case) -> float:
    """Multiplications and additions of a step's products there and back, of padding none."""
    network, feed = case.network(), case.feed()
    batch = next(feed.batches())
    taken, joint = feed.take(batch), getattr(network, "joint", len(network.layers))
    read = len(batch.indices) if taken.lengths is None else int(taken.lengths.sum())
    said = int(taken.counts.sum()) if case.said else read
    found = 0.0
    for index, (_, layer, shape) in enumerate(network.each()):
        is_of_samples = shape[0] is not None
        times = len(batch.indices) if is_of_samples else read if index < joint else said
        found += times * layer.multiply_adds(shape) / (1 if is_of_samples else shape[0] or 1)
        if layer.kind == "attend":
            keys = read / len(batch.indices)
            if not case.steps:
                keys = network.encoded_shape[0]
            found += 2 * said * keys * shape[-1]
    return 3 * 2 * found


def time_steps(case: Case, rounds: int, clock: Callable[[], float], peak: float) -> None:
    shards = CORES if CAN_FORK and clock is time.perf_counter else 1
    trainer, together = our_steps(case, shards)
    with trainer:
        contenders = {"cnntool": together}
        if shards > 1:
            contenders["cnntool, one process"] = our_steps(case, 1)[1]
        if torch:
            check_losses(case)
            contenders["PyTorch"] = torch_steps(case)
        limit = BATCHES * products(case) / peak, "products, at the peak"
        report(f"{BATCHES} steps, {case.title}", race(contenders, rounds, clock), *limit)


def reader() -> tuple[Joined, TextInput, TextInput]:
    """A translator that has learned for a few seconds how words are said, so that it ends about
    where they do; with what it reads and what it says."""
    words = pronunciations()["train"]
    answers = [ways[0] for ways in words.answers]
    read = TextInput.of(words.inputs, "text", "char")
    say = TextInput.of(answers, "text", "symbol", folds=False)
    targets = Ragged.of([say.ids(each) for each in answers[::4]])
    settings = Settings(epochs=1, learning_rate=0.004, clip=CLIP, schedule="constant")
    spec = "embedding {} x 64; gru 128 => embedding {} x 64; gru 128; attend; dense {}"
    sizes = len(read.vocabulary), *[len(say.vocabulary)] * 2
    network = parse_network(spec.format(*sizes), (None,)).initialise(np.random.default_rng(0))
    assert isinstance(network, Joined)
    feed = PairFeed(read.rows(words.inputs[::4]), targets, settings.batch_size, end=say.end)
    with Trainer(Task("translator", network, feed, None, settings, ACCURACY)) as trainer:
        for _ in trainer.run():
            pass
    return network, read, say


def torch_said(model: Any, rows: TextRows, end: int, most: int) -> Callable[[], list]:
    """The likeliest token again and again, until all of a batch have ended."""

    def of_batch(indices: np.ndarray) -> list:
        source, lengths = peers.tensors(rows.take(indices))
        keys, begun = model.encoded(source, lengths)
        given, said = torch.full((1, len(indices)), end), []
        has_ended = torch.zeros(len(indices), dtype=torch.bool)
        while len(said) <= most and not has_ended.all():
            logits, begun = model.decoded(given, None, begun, keys, lengths)
            given = logits.argmax(-1)
            has_ended |= given[0] == end
            said.append(given[0])
        return torch.stack(said).T.tolist()

    def run() -> list:
        with torch.inference_mode():
            return [of_batch(each) for each in like_lengths(rows.lengths, 256, None)]

    return run


def time_reading(rounds: int, clock: Callable[[], float], count: int = 10_000) -> None:
    network, read, say = reader()
    words = pronunciations()["train"].inputs[-count:]
    rows = read.rows(words)

    def ours(width: int) -> Callable[[], list]:
        return lambda: texts_said(network, rows, say.end, 30, width)

    contenders = {"cnntool": ours(1), "cnntool, a beam of 4": ours(4)}
    if torch:
        contenders["PyTorch"] = torch_said(peers.Twin(network), rows, say.end, 30)
    report(f"{count} words said: gru 128 with attention", race(contenders, rounds, clock))


PEAK_CODE = (
    "import sys; sys.path.insert(0, {folder!r}); import sequences as s\n"
    "case = s.CASES[{name!r}]\n"
    "run = s.torch_steps(case) if {torch} else s.our_steps(case, 1)[1]\n"
    "run()"
)


def print_memory(name: str) -> None:
    """The peak of a process that takes an epoch's steps and nothing else."""
    folder, found = str(Path(__file__).parent), []
    for is_torch in (False, True)[: 2 if torch else 1]:
        code = PEAK_CODE.format(folder=folder, name=name, torch=is_torch)
        found.append(peak_megabytes([sys.executable, "-c", code]))
    print("  peak memory: " + ", PyTorch ".join(f"{each:.0f} MB" for each in found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=[*CASES, "reading"])
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    threads = 1 if options.cpu else CORES
    peak = SGEMM_FLOPS * threads / race({"": sgemm(threads)}, 9, clock)[""].median
    print(f"{threads} cores; sgemm {peak / 1e9:.0f} GFLOP/s")
    if torch:
        torch.set_num_threads(threads)
    for name, case in CASES.items():
        if options.only in (None, name):
            time_steps(case, options.rounds, clock, peak)
            print_memory(name)
    if options.only in (None, "reading"):
        time_reading(min(options.rounds, 3), clock)


if __name__ == "__main__":
    main()
