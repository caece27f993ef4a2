"""What `cnntool train-cnn` learns from: its images, and the network and the task over them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnntool.cli.console import reading
from cnntool.cli.predictions import differences
from cnntool.cli.training.options import ImageOptions
from cnntool.cli.training.origin import origin_of
from cnntool.cli.training.plan import Beside, Plan, Start, begin, check_agreement, check_network
from cnntool.datasets.feeds import ImageFeed
from cnntool.datasets.images.augmentation import augmentation_spec, parse_augmentation
from cnntool.datasets.images.dataset import Dataset, LoadOptions
from cnntool.datasets.images.parts import (
    Parts,
    check_classes,
    hold_out,
    unlearned,
)
from cnntool.datasets.images.preprocessing import fit_preprocessing
from cnntool.datasets.images.sources import load_images, not_of_folders
from cnntool.errors import InputError, RequestError
from cnntool.networks.batch_sizes import batch_size_for
from cnntool.networks.layers.convolutions import connected, read_connections
from cnntool.networks.network import Network
from cnntool.networks.objective import begin_at_frequencies
from cnntool.networks.zoo import build, usual_network
from cnntool.training.baselines import Unigram, linear_accuracy, majority_accuracy
from cnntool.training.footprint import check_parameters, least_batch
from cnntool.training.measures import ACCURACY
from cnntool.training.task import Task
from cnntool.wording import counted, shape_text

IMAGES_A_PROCESS = 16
"""Of a batch; with fewer, telling a process of its part costs more than it saves."""

KEPT = ("val_split", "resize", "colour", "init")
"""What a file keeps of the options."""

MOST_VALUES = 1 << 30
"""Pixels of a training part for which the linear classifier is worth its time."""


def plan_images(options: ImageOptions) -> Plan:
    """The run that was asked for; InputError or RequestError before any work where it cannot be."""
    options = _checked(options)
    start = begin(options, _files(options), "cnn")
    is_named = options.data is not None
    if start.trained is not None:
        _check_agreement(options, start)
        options = _as_before(options, start.origin)
        start.check_apart(_files(options))
    with start.telling_of_moves("data", "train-cnn DATA", is_named):
        parts = _load(options)
    start.check_data(parts.train.fingerprint, options.data or "")
    validation = parts.validation if options.val_split is None else None
    start.check_validation(validation, options.valid or options.data)
    fingerprint, known = parts.train.fingerprint, replace(options, colour=options.colour or "auto")
    origin = start.origin or origin_of(known, validation, KEPT)
    others = [part for part in (parts.validation, parts.test) if part is not None]
    if options.valid is None:
        parts = hold_out(parts, start.streams["split"], options.val_split)

    if start.trained is None:
        network = _network(options, parts.train)
        preprocessing = fit_preprocessing(parts.train)
    else:
        network, preprocessing = start.trained.network, start.trained.preprocessing
        if parts.train.image_shape != network.input_shape:
            raise InputError(
                f"{parts.train.name} has images of {parts.train.image_shape}, and "
                f"{options.resume} takes {network.input_shape}"
            )
    given = {name: getattr(options, name) for name in ("strict", "no_cache")}
    unused = not_of_folders(given, options.data, options.valid, options.test)
    unlike = [note for part in others for note in differences(part.name, part, preprocessing)]
    batch = min(start.settings.batch_size, len(parts.train))
    start.share(network, batch, IMAGES_A_PROCESS)

    settings = start.settings
    if start.trained is None:
        remedy = "write smaller layers, or set a smaller --resize or --width"
        check_parameters(network, batch, settings, remedy)
        if not start.is_reckoned(network, batch):
            network.initialise(start.streams["start"], options.init)
            begin_at_frequencies(network, Unigram(parts.train.class_counts).distribution)
    augmentation = parse_augmentation(settings.augment) if settings.augment else None
    least = least_batch(network, settings.batch_size, "image")
    feed = ImageFeed(parts.train, preprocessing, settings.batch_size, augmentation, least)
    held_out, test = (
        None if part is None else ImageFeed(part, preprocessing, batch_size_for(network))
        for part in (parts.validation, parts.test)
    )
    task = Task("cnn", network, feed, held_out, settings, ACCURACY, fingerprint, origin)
    return start.plan(
        task,
        (*unused, *parts.notes, *unlearned(parts.train), *unlike),
        data=(_line(parts),),
        test=test,
        beside=lambda feed, _: _beside(parts.train, feed, settings.seed),
        more=lambda best: {},
    )


def _checked(options: ImageOptions) -> ImageOptions:
    """The options, with the augmentation as settings have it; RequestError where they contradict
    each other."""
    if options.data is None and options.resume is None:
        raise RequestError("DATA is missing: name a data set, such as digits, or --resume a run")
    if options.layers is not None and options.network is not None:
        raise RequestError("--layers and --network contradict each other: use one of them")
    if options.layers is not None and options.width is not None:
        raise RequestError("--width scales a named network: write the numbers into --layers")
    if options.augment is None:
        return options
    spec = augmentation_spec(parse_augmentation(options.augment))
    return replace(options, augment="" if spec == "none" else spec)


def _files(options: ImageOptions) -> dict[str, str | None]:
    """The files that are read, by what they are called in a message."""
    return {
        "DATA": options.data,
        "--valid": options.valid,
        "--test": options.test,
        "--layers": options.layers,
        "--connections": options.connections,
    }


def _load(options: ImageOptions) -> Parts:
    """The parts of the data, not yet split."""
    how = LoadOptions(
        options.resize, options.colour or "auto", options.strict, not options.no_cache
    )
    source = options.data or ""
    with reading(source, options.quiet) as advance:
        parts = load_images(source, how, advance)
    check_classes(parts.train)
    for part, path in (("validation", options.valid), ("test", options.test)):
        if path is not None:
            with reading(path, options.quiet) as advance:
                expected = replace(how, levels=parts.train.levels)
                other = load_images(path, expected, advance).alone(part)
            parts = parts.but(**{part: other})
    return parts


def _as_before(options: ImageOptions, origin: dict[str, Any]) -> ImageOptions:
    """What was given, and what was not as it was when the run began."""
    name = options.resume
    keys = "data", "valid", "test"
    source, *others = (getattr(options, key) or origin.get(key) for key in keys)
    if not isinstance(source, str) or not all(isinstance(path, str | None) for path in others):
        raise InputError(f"{name} does not say where its data is: name it before --resume")
    try:
        height, width = map(int, origin["resize"] or (1, 1))
        resize = (height, width) if origin["resize"] else None
        how = {"resize": resize, "colour": origin["colour"], "val_split": origin["val_split"]}
        if how["val_split"] is not None and not 0 <= how["val_split"] < 1:
            raise ValueError(f"it held out {how['val_split']} of it")
        LoadOptions(resize, origin["colour"])
    except (KeyError, TypeError, ValueError, RequestError) as error:
        raise InputError(f"{name} does not say how its data was read: {error}") from error
    return replace(options, data=source, valid=others[0], test=others[1], **how)


def _check_agreement(options: ImageOptions, start: Start) -> None:
    """RequestError for an option that was given again in another way than the run began with."""
    check_agreement(start, options, KEPT)
    keys = ("network", "layers", "connections", "width")
    given = [f"--{key}" for key in keys if getattr(options, key) is not None]
    header = start.trained.header
    if given:
        check_network(start, given[0], _built(options, header.input_shape, len(header.labels)))


def _network(options: ImageOptions, train: Dataset) -> Network:
    network = _built(options, train.image_shape, len(train.labels))
    if not network.parameters():
        raise RequestError("the network has no parameters, so nothing can be learned: add dense")
    return network


def _built(options: ImageOptions, shape: tuple[int, ...], classes: int) -> Network:
    """The network that the options describe; empty layers, those of a shell's unset variable, are
    not the default."""
    if options.layers is not None and not options.layers.strip():
        raise RequestError(
            "--layers is empty: write layers such as 'conv 8 3x3; relu; max 2; dense 10', or leave "
            "it out"
        )
    architecture = options.layers or options.network or usual_network(shape)
    network = build(architecture, shape, classes, options.width)
    if options.connections is None:
        return network
    table = read_connections(options.connections)
    return Network(connected(network.layers, table, options.connections), shape)


def _line(parts: Parts) -> str:
    train, sizes = parts.train, (f"{len(part):,} {name}" for name, part in parts.each.items())
    images = f"images of {shape_text(train.image_shape)} in {counted(len(train.labels), 'class')}"
    return f"data: {train.name}, {images}: {', '.join(sizes)}"


def _beside(train: Dataset, judged: ImageFeed, seed: int) -> Beside:
    """What always the same answer comes to, and a network of one layer."""
    majority = majority_accuracy(train, judged.data)
    values, strongest = {"always the most frequent class": majority}, "the most frequent class"
    facts = {"majority_accuracy": majority}
    if train.x.size <= MOST_VALUES:
        linear = linear_accuracy(train, judged.data, judged.preprocessing, seed)
        values["a linear classifier"] = facts["linear_accuracy"] = linear
        strongest = "the linear classifier"
    return Beside("beside it", values, strongest, facts)
