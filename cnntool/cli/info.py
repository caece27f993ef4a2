"""`cnntool info`: a network layer by layer, and how a model file came about."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.console import print_json
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, flag, option, refuse, takes
from cnntool.cli.types import Number, PathName, Spec, WholeNumber, whole_number
from cnntool.errors import RequestError
from cnntool.wording import shape_text

if TYPE_CHECKING:
    from cnntool.networks.model import Trained
    from cnntool.networks.network import Network

LARGEST_SIDE = 1 << 16
USUAL_CLASSES = 10
OF_NETWORKS = ("input", "classes", "width")


def read_shape(text: str) -> tuple[int, ...]:
    """The shape of an image: channels, height and width."""
    match = re.fullmatch(r"(\d+)x(\d+)x(\d+)", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(
            f"'{text}' is no shape: expected channels x height x width, such as 3x32x32"
        )
    shape = tuple(map(whole_number, match.groups()))
    if not all(1 <= number <= LARGEST_SIDE for number in shape):
        raise ValueError(f"'{text}' is out of range: expected 1 to {LARGEST_SIDE}")
    return shape


@dataclass(frozen=True)
class Asked:
    """Which network, and over what."""

    section = "Network"
    target: str = argument(
        "MODEL|NAME|LAYERS", PathName("a model file, a network such as lenet, or layers")
    )
    input: tuple[int, ...] | None = option(
        "--input",
        Spec("CxHxW", read_shape),
        "The shape of an image.  [default: that of MODEL; 1x28x28, or the smallest that the "
        "named network takes]",
    )
    classes: int | None = option(
        "--classes", WholeNumber(1, 1 << 20), "Outputs of a named network.  [default: 10]"
    )
    width: float | None = option(
        "--width",
        Number(above=0, metavar="W"),
        "A named network with W times as many filters and units.",
    )
    as_json: bool = flag("--json", "Report as JSON.", section="Running")


@dataclass(frozen=True, eq=False)
class Subject:
    """What is shown: a network, and the model file that it came from, if it did."""

    name: str
    network: Network
    trained: Trained | None = None

    @property
    def of_steps(self) -> str:
        """What reads sequences or says some, but goes on with no text, is called; else ""."""
        from cnntool.networks.joined import Joined
        from cnntool.networks.model import SequenceModel
        from cnntool.networks.model_file import KINDS

        if isinstance(self.trained, SequenceModel):
            return KINDS[self.trained.header.kind]
        return "an encoder and a decoder" if isinstance(self.network, Joined) else ""

    @property
    def has_arrays(self) -> bool:
        """Whether it is shown as a lecture shows networks of tokens."""
        return self.network.is_sequential and not self.of_steps


@click.command(
    "info",
    cls=SectionedCommand,
    epilog="""\b
Examples:
  cnntool info digits.npz
  cnntool info lenet5
  cnntool info alexnet --input 3x224x224 --classes 1000 --width 1
  cnntool info 'conv 8 3x3 pad 1; relu; max 2; dense 10' --input 1x28x28
  cnntool info layers.txt --input 3x64x64
  cnntool info words.npz
  cnntool info say.npz
  cnntool info 'embedding 9 x 4; gru 8 => embedding 7 x 4; gru 8; attend; dense 7'
  cnntool info digits.npz --json | jq '.layers[].parameters'""",
)
@takes(Asked)
def command(asked: Asked) -> None:
    """Show a network layer by layer: MODEL is a file that cnntool trained, NAME one of the zoo
    (light, small, lenet, lenet5, alexnet), LAYERS a text such as 'conv 8 3x3; relu; dense 10' or a
    file of it. Of weights that another tool saved, .npy, .npz or .safetensors, the arrays are
    listed.

    A network of sequences may have an encoder and a decoder, with => between.

    A row gives the shape of the layer's output, its trained parameters, its connections (inputs
    and biases that reach its outputs, each counted where it does), the multiply-adds of one image,
    and its receptive field: the window of the image that one output sees, padding included. Of a
    model file also what it learned from, how, and with what result.
    """
    from cnntool.networks.weight_files import are_weights

    if is_model(asked.target) and are_weights(asked.target):
        _show_weights(asked)
        return
    subject = read_subject(asked)
    if asked.as_json:
        print_json(_entry(subject))
        return
    from cnntool.cli.network_tables import show_arrays, show_layers, show_model, show_steps

    if subject.has_arrays:
        show_arrays(subject.name, subject.network, subject.trained)
    elif subject.of_steps:
        show_steps(subject.name, subject.network, subject.of_steps)
    else:
        show_layers(subject.name, subject.network)
    if subject.trained is not None:
        show_model(subject.trained.model, os.path.getsize(subject.name))


def _show_weights(asked: Asked) -> None:
    """The arrays of a file that another tool saved."""
    from cnntool.cli.network_tables import show_weights
    from cnntool.networks.weight_files import read_facts

    target = asked.target
    refuse(asked, OF_NETWORKS, f"is for networks: {target} holds weights alone")
    facts = read_facts(target)
    if asked.as_json:
        arrays = [{**fact._asdict(), "dtype": fact.dtype.name} for fact in facts]
        print_json({"name": target, "arrays": arrays, "bytes": os.path.getsize(target)})
    else:
        show_weights(target, facts)


def read_subject(asked: Asked) -> Subject:
    """The network that a person names."""
    from cnntool.networks.model import load_trained
    from cnntool.networks.model_file import KINDS
    from cnntool.networks.zoo import LEAST_SIZE, ZOO, build

    target, shape, classes = asked.target, asked.input, asked.classes
    if is_model(target):
        trained = load_trained(target)
        kind = trained.header.kind
        if kind != "cnn":
            refuse(asked, OF_NETWORKS, f"is for networks of images: {target} is {KINDS[kind]}")
        refuse(asked, ("classes", "width"), f"is for named networks: {target} has been trained")
        return Subject(target, _resized(trained.network, shape, target), trained)
    is_named = target in ZOO
    if not is_named:
        refuse(asked, ["width"], f"is for named networks: {', '.join(ZOO)}")
    elif shape and min(shape[1:]) < LEAST_SIZE[target]:
        least = "x".join(map(str, (shape[0], *2 * (LEAST_SIZE[target],))))
        raise RequestError(
            f"--input {'x'.join(map(str, shape))} is too small for {target}: use {least} or larger"
        )
    if is_named and classes is None:
        classes = USUAL_CLASSES
    network = build(target, shape, classes, asked.width)
    return Subject(target if is_named else "network", network)


def is_model(target: str) -> bool:
    """Whether a file is meant, and not one of layers."""
    if target.endswith(".npz"):
        return True
    try:
        with open(target, "rb") as file:
            return b"\0" in file.read(1024)
    except (OSError, ValueError):
        return False


def _resized(network: Network, shape, name: str) -> Network:
    """A trained network for images of another size; RequestError where it takes none."""
    from cnntool.networks.network import Network

    if shape is None or shape == network.input_shape:
        return network
    if not network.takes_any_size or shape[0] != network.input_shape[0]:
        only = "of any size" if network.takes_any_size else "only"
        raise RequestError(
            f"--input {'x'.join(map(str, shape))}: {name} takes images of "
            f"{shape_text(network.input_shape)} {only}, leave it out"
        )
    return Network(network.layers, shape)


def _entry(subject: Subject) -> dict[str, Any]:
    network, trained = subject.network, subject.trained
    entry: dict[str, Any] = {"name": subject.name, "spec": network.spec}
    entry |= _arrays(network, trained) if subject.has_arrays else _layers(network)
    if trained is not None:
        entry["kind"] = trained.header.kind
        names = ("labels", "preprocessing", "seed", "training", "history", "fingerprint", "version")
        entry |= {name: getattr(trained.header, name) for name in names}
        entry["bytes"] = os.path.getsize(subject.name)
        entry["resumable"] = bool(trained.model.state)
        if not subject.has_arrays:
            entry["filters_of_epochs"] = list(trained.model.filters)
    return entry


def _layers(network: Network) -> dict[str, Any]:
    from cnntool.networks.summary import summarize

    layers = summarize(network)
    sums = ("parameters", "connections", "multiply_adds")
    return {
        "input": network.input_shape,
        "any_size": network.takes_any_size,
        "layers": layers,
        "totals": {name: sum(getattr(layer, name) for layer in layers) for name in sums},
    }


def _arrays(network: Network, trained: Trained | None) -> dict[str, Any]:
    from cnntool.networks.model import TrainedText
    from cnntool.networks.sequence_zoo import language_sizes
    from cnntool.networks.summary import array_shapes, multiply_adds

    entry: dict[str, Any] = {}
    batch = None
    if isinstance(trained, TrainedText):
        entry = {**language_sizes(network), "seq_length": trained.seq_length}
        batch = trained.batch_size
    arrays = array_shapes(network, batch)
    totals = {
        "parameters": sum(array.parameters for array in arrays),
        "multiply_adds": multiply_adds(network),
    }
    return {**entry, "arrays": arrays, "totals": totals}
