"""`cnntool info`: a network layer by layer, and how a model file came about."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, flag, option, takes
from cnntool.cli.types import Number, PathName, Spec, WholeNumber, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnntool.networks.model_file import Model
    from cnntool.networks.network import Network
    from cnntool.networks.summary import LayerSummary

LARGEST_SIDE = 1 << 16
USUAL_SIDE = 28
USUAL_CLASSES = 10


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
    """Which network is shown, and how."""

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
    layers: Sequence[LayerSummary]
    model: Model | None = None


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
  cnntool info digits.npz --json | jq '.layers[].parameters'""",
)
@takes(Asked)
def command(asked: Asked) -> None:
    """Show a network layer by layer: MODEL is a file that cnntool trained, NAME one of the zoo
    (small, lenet, lenet5, alexnet), LAYERS a text such as 'conv 8 3x3; relu; dense 10' or a file
    of it.

    A row gives the shape of the layer's output, its trained parameters, its connections (inputs
    and biases that reach its outputs, each counted where it does), the multiply-adds of one image,
    and its receptive field: the window of the image that one output sees, padding included. Of a
    model file also what it learned from, how, and with what result.
    """
    from cnntool.cli.console import print_json

    if is_text_model(asked.target):
        from cnntool.cli.text_info import show_text_model

        for name in ("input", "classes", "width"):
            if getattr(asked, name) is not None:
                raise click.UsageError(
                    f"--{name} is for networks of images: {asked.target} is one of text"
                )
        show_text_model(asked.target, asked.as_json)
        return
    subject = read_subject(asked)
    if asked.as_json:
        print_json(_entry(subject))
    else:
        from cnntool.cli.network_tables import show_model, show_network

        show_network(subject.name, subject.network, subject.layers)
        if subject.model is not None:
            show_model(subject.model, os.path.getsize(asked.target))


def read_subject(asked: Asked) -> Subject:
    """The network that a person names, and its layers."""
    from cnntool.errors import RequestError
    from cnntool.networks.model import load_classifier
    from cnntool.networks.summary import summarize
    from cnntool.networks.zoo import LEAST_SIZE, ZOO, build

    target, shape, classes, width = asked.target, asked.input, asked.classes, asked.width
    if is_model(target):
        trained = load_classifier(target)
        given = {"--classes": classes, "--width": width}
        unfit = [name for name, value in given.items() if value is not None]
        if unfit:
            raise click.UsageError(f"{unfit[0]} is for named networks: {target} has been trained")
        network = _resized(trained.network, shape, target)
        return Subject(target, network, summarize(network), trained.model)
    is_named = target in ZOO
    if width is not None and not is_named:
        raise click.UsageError(f"--width is for named networks: {', '.join(ZOO)}")
    side = max(USUAL_SIDE, LEAST_SIZE.get(target, 0))
    if is_named and classes is None:
        classes = USUAL_CLASSES
    shape = shape or (1, side, side)
    if is_named and min(shape[1:]) < LEAST_SIZE[target]:
        least = "x".join(map(str, (shape[0], *2 * (LEAST_SIZE[target],))))
        raise RequestError(
            f"--input {'x'.join(map(str, shape))} is too small for {target}: use {least} or larger"
        )
    network = build(target, shape, classes, width)
    return Subject(target if is_named else "network", network, summarize(network))


def is_text_model(target: str) -> bool:
    """Whether a file is a model of text; InputError for a damaged one."""
    from cnntool.networks.model_file import load_header

    return is_model(target) and load_header(target).kind == "rnn"


def is_model(target: str) -> bool:
    """Whether a file is meant, and not one of text."""
    if target.endswith(".npz"):
        return True
    try:
        with open(target, "rb") as file:
            return b"\0" in file.read(1024)
    except (OSError, ValueError):
        return False


def _resized(network: Network, shape, name: str) -> Network:
    """A trained network for images of another size; RequestError where it takes none."""
    from cnntool.errors import RequestError
    from cnntool.networks.layers.layer import shape_text
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
    layers = [asdict(layer) for layer in subject.layers]
    sums = ("parameters", "connections", "multiply_adds")
    entry: dict[str, Any] = {
        "name": subject.name,
        "spec": subject.network.spec,
        "input": list(subject.network.input_shape),
        "any_size": subject.network.takes_any_size,
        "layers": layers,
        "totals": {name: sum(layer[name] for layer in layers) for name in sums},
    }
    if subject.model is not None:
        header = asdict(subject.model.header)
        names = ("labels", "preprocessing", "seed", "training", "history", "fingerprint")
        entry |= {name: header[name] for name in (*names, "version")}
        entry["bytes"] = os.path.getsize(subject.name)
        entry["resumable"] = bool(subject.model.state)
        entry["filters_of_epochs"] = list(subject.model.filters)
    return entry
