"""Training and sampling a recurrent language model side by side with PyTorch, on as many cores.

    python benchmarks/lstm.py [--rounds 9] [--only words|characters|sampling]

``words`` times training steps with the settings of the lecture and a vocabulary of 10,000:
embedding, LSTM, output layer, cross-entropy, clipping and Adam, the state carried from window to
window. ``characters`` is the same for 65 symbols and a larger network. ``sampling`` draws 10,000
characters, each from the softmax after the one before it.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import numpy as np
from harness import TURN, Machine, print_machine, race, report, turns

from cnntool.datasets.feeds import WindowFeed
from cnntool.datasets.texts.corpus import Corpus
from cnntool.datasets.texts.tokens import UNKNOWN
from cnntool.datasets.texts.vocabulary import Vocabulary
from cnntool.engine.fast.threads import available_cores
from cnntool.networks.network import Network
from cnntool.networks.sampling import Choice, draws, primed
from cnntool.networks.sequence_zoo import language_model
from cnntool.networks.summary import multiply_adds
from cnntool.training.loop import Step, Trainer
from cnntool.training.measures import measure_of
from cnntool.training.settings import Settings
from cnntool.training.shards import CAN_FORK
from cnntool.training.task import Task

try:
    torch = importlib.import_module("torch")
except ImportError:
    torch = None

CORES = available_cores()
LEARNING_RATE, CLIP = 0.002, 0.5
WINDOWS = 40
"""Of the text, which is random: its tokens cost the same as those of a real one."""


@dataclass(frozen=True)
class Size:
    """A network, and the batches that it learns from."""

    vocabulary: int
    embed: int
    hidden: int
    batch: int
    window: int

    def text(self) -> np.ndarray:
        """Ids whose frequencies fall as those of words do, Zipf's law."""
        frequencies = 1 / np.arange(1, self.vocabulary + 1)
        count = self.batch * (self.window * WINDOWS + 1)
        rng = np.random.default_rng(0)
        return rng.choice(self.vocabulary, count, p=frequencies / frequencies.sum())

    def __str__(self) -> str:
        return (
            f"{self.vocabulary} tokens, embed {self.embed}, hidden {self.hidden}, "
            f"batch {self.batch}, window {self.window}"
        )


SIZES = {"words": Size(10_000, 32, 32, 20, 30), "characters": Size(65, 64, 128, 50, 50)}


def our_network(size: Size) -> Network:
    network = language_model("lstm", size.vocabulary, size.embed, size.hidden)
    return network.initialise(np.random.default_rng(0))


def our_steps(size: Size, shards: int) -> tuple[Trainer, Callable[[], object]]:
    """A trainer on a random text, and what takes its next step."""
    settings = Settings(
        epochs=10**6,
        batch_size=size.batch,
        learning_rate=LEARNING_RATE,
        clip=CLIP,
        shards=shards,
        schedule="constant",
    )
    characters = map(chr, range(0x4E00, 0x4E00 + size.vocabulary - 1))
    vocabulary = Vocabulary("char", (UNKNOWN, *characters))
    corpus = Corpus("random", size.text(), vocabulary)
    feed, measure = WindowFeed(corpus, size.batch, size.window), measure_of("char")
    trainer = Trainer(Task("rnn", our_network(size), feed, None, settings, measure))
    events = trainer.run()

    def step() -> None:
        while not isinstance(next(events), Step):
            pass

    return trainer, step


def our_sampling(size: Size, count: int) -> Callable[[], object]:
    """What draws so many tokens, one after the other."""
    model = our_network(size)

    def sample() -> list[int]:
        logits, states = primed(model, np.zeros(1, np.intp))
        drawn = draws(model, logits, states, Choice(), np.random.default_rng(0))
        return [draw.token for draw in islice(drawn, count)]

    return sample


def torch_layers(size: Size) -> tuple:
    """Embedding, LSTM over (T, B, features), output layer."""
    nn = torch.nn
    torch.manual_seed(0)
    return (
        nn.Embedding(size.vocabulary, size.embed),
        nn.LSTM(size.embed, size.hidden),
        nn.Linear(size.hidden, size.vocabulary),
    )


def torch_steps(size: Size) -> Callable[[], object]:
    """PyTorch's step on the same windows, which it holds as tensors already."""
    embedding, lstm, output = torch_layers(size)
    params = [p for layer in (embedding, lstm, output) for p in layer.parameters()]
    optimizer = torch.optim.Adam(params, LEARNING_RATE)
    streams = torch.from_numpy(size.text()).reshape(size.batch, -1).T.contiguous()  # (T, B)
    start, state = 0, None

    def step() -> None:
        nonlocal start, state
        if start + size.window >= len(streams):
            start, state = 0, None
        stop = start + size.window
        ids, targets = streams[start:stop], streams[start + 1 : stop + 1]
        optimizer.zero_grad()
        hidden, state = lstm(embedding(ids), state)
        logits = output(hidden.reshape(-1, size.hidden))
        torch.nn.functional.cross_entropy(logits, targets.reshape(-1)).backward()
        torch.nn.utils.clip_grad_norm_(params, CLIP)
        optimizer.step()
        state = tuple(part.detach() for part in state)
        start = stop

    return step


def torch_sampling(size: Size, count: int) -> Callable[[], object]:
    embedding, lstm, output = torch_layers(size)

    def sample() -> list[int]:
        token, state, drawn = torch.zeros(1, dtype=torch.long), None, []
        with torch.inference_mode():
            for _ in range(count):
                hidden, state = lstm(embedding(token)[None], state)
                token = torch.multinomial(output(hidden[0]).softmax(-1), 1)[0]
                drawn.append(token.item())
        return drawn

    return sample


def time_steps(machine: Machine, name: str, rounds: int) -> None:
    size = SIZES[name]
    trainer, step = our_steps(size, CORES if CAN_FORK else 1)
    with trainer:
        _, alone = our_steps(size, 1)
        contenders = {"cnntool": step, "cnntool, one process": alone}
        if torch:
            contenders["PyTorch"] = torch_steps(size)
        tokens = TURN * size.batch * size.window
        limit = machine.products(6 * tokens * multiply_adds(trainer.task.network))
        report(f"{TURN} training steps: {name}, {size}", race(turns(contenders), rounds), *limit)


def time_sampling(rounds: int, count: int = 10_000) -> None:
    size = SIZES["characters"]
    contenders = {"cnntool": our_sampling(size, count)}
    if torch:
        contenders["PyTorch"] = torch_sampling(size, count)
    report(f"{count} characters drawn: hidden {size.hidden}", race(contenders, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=[*SIZES, "sampling"])
    options = parser.parse_args()
    machine = print_machine(CORES)
    if torch:
        torch.set_num_threads(CORES)
    for name in SIZES:
        if options.only in (None, name):
            time_steps(machine, name, options.rounds)
    if options.only in (None, "sampling"):
        time_sampling(min(options.rounds, 5))


if __name__ == "__main__":
    main()
