"""`cnntool sweep`: many trainings of one kind, and which settings do best."""

from __future__ import annotations

import os
from copy import copy
from typing import Any

import click

from cnntool.cli.console import complain
from cnntool.cli.help import LazyGroup, Option, SectionedCommand
from cnntool.cli.options import refuse, takes
from cnntool.cli.sweeps.options import Asked, Sweep
from cnntool.cli.sweeps.settings import (
    SEED,
    SWITCH,
    Axis,
    Setting,
    Several,
    axis,
    drawn,
    grid,
)
from cnntool.cli.types import Choice, PathName
from cnntool.wording import counted

TRAINERS = {
    "train-cnn": "Networks on labelled images.",
    "train-lstm": "Language models on a text.",
    "train-classifier": "Classifiers of texts or series.",
    "train-tagger": "Taggers of words, rows or frames.",
    "train-translator": "An encoder and a decoder, from one text to another.",
    "train-captioner": "Convolutions and a decoder, from pictures to texts.",
}

EXAMPLES = {
    "train-cnn": (
        "digits --lr 0.001,0.003,0.01 --network light,small --seed 0..4",
        "digits --epochs 3 --augment shift=1,rotate=10 --augment cutout=2 --picture sweep.png",
        "digits --random 20 --lr 1e-4..1e-2 --batch-size 16..128 --seed 0..2",
    ),
    "train-lstm": (
        "text.txt --cell lstm,gru --hidden-size 32,64 --tie-weights off,on",
        "text.txt --random 10 --lr 1e-3..1e-1 --dropout 0..0.5",
    ),
    "train-classifier": (
        "names --cell lstm,gru --hidden-size 32,64 --seed 0..2",
        "vowels --pool last,mean,max --dry-run",
    ),
    "train-tagger": ("addresses --letters 0,32,64 --seed 0..2",),
    "train-translator": ("dates --attention general,additive,none --seed 0,1",),
    "train-captioner": ("shapes --schedule cosine --schedule cosine:warmup=200 --seed 0..2",),
}

MANAGED = ("output", "resume", "force", "log", "dry_run", "as_json", "quiet")
"""Options of a trainer that a sweep sees to."""


class Sweeps(LazyGroup):
    """A command a trainer, with its options, which take several values here."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        trainer = super().get_command(ctx, name)
        return None if trainer is None else _swept(trainer)


class SweptCommand(SectionedCommand):
    """A switch alone is ``on``; with values behind it, it is compared with and without."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        switches = {
            name
            for each in self.params
            if isinstance(each.type, Several) and getattr(each.type.own, "choices", ()) == SWITCH
            for name in each.opts
        }
        words = []
        for word, following in zip(args, [*args[1:], ""], strict=False):
            has_values = following.lower() in SWITCH
            has_values |= "," in following and not os.path.exists(following)
            is_alone = word in switches and not has_values
            words.append(f"{word}={SWITCH[0]}" if is_alone else word)
        return super().parse_args(ctx, words)


def _swept(trainer: click.Command) -> click.Command:
    """The command that sweeps over the settings of a trainer."""
    name = trainer.name or ""
    own = [each for each in trainer.params if each.name not in MANAGED]
    options = [each for each in own if isinstance(each, Option)]
    names = {each.name: _name(each) for each in options}

    @takes(Sweep)
    def command(sweep: Sweep, **values: Any) -> int:
        from cnntool.cli.sweeps.session import run

        data = next(values[each.name] for each in own if isinstance(each, click.Argument))
        given = {names[key]: sum(values[key], ()) for key in names if values[key]}
        given = dict(sorted(given.items(), key=lambda each: each[0] == SEED))  # seeds vary fastest
        axes = [axis(key, parts, sweep.random is not None) for key, parts in given.items()]
        if "processes" not in given:
            axes.append(Axis("processes", ("1",)))
        paths = [_name(each) for each in own if _may_be_a_path(each)]
        varied = [each.name for each in axes if each.varies]
        settings = _settings(axes, sweep)
        data = (data,) if isinstance(data, str) else data or ()
        return run(Asked(name, tuple(data), settings, varied, paths, sweep))

    command.__doc__ = f"""Train with every combination of settings: {name} with several values.

    {_RULES}"""
    made = click.command(
        name, cls=SweptCommand, epilog="\b\nExamples:\n" + "\n".join(_examples(name))
    )(command)
    data = [each for each in own if isinstance(each, click.Argument)]
    made.params = [*map(_needed, data), *made.params, *map(_several, options)]
    return made


_RULES = """Numbers, sizes and words of a choice may be several: a,b,c, and 0..4 of whole numbers;
    a switch may be off,on. Other options are given again for another value, so that commas stay.
    With --random N, 1e-4..1e-2 is a range: each decade is as likely between ends ten times apart
    or more, else each number.

    Each run is a process of its own, of --processes 1 unless more is said. The same sweep again
    goes on with runs that were stopped, and skips those that are done; more settings add runs."""


def _examples(name: str) -> list[str]:
    return [f"  cnntool sweep {name} {words}" for words in EXAMPLES[name]]


def _name(parameter: click.Parameter) -> str:
    """The shortest of the long names, without dashes: ``lr``."""
    long = [name for name in parameter.opts if name.startswith("--")]
    return min(long, key=len)[2:] if long else parameter.name or ""


def _may_be_a_path(parameter: click.Parameter) -> bool:
    is_option = isinstance(parameter, click.Option)
    return is_option and (isinstance(parameter.type, PathName) or parameter.name == "layers")


def _needed(data: click.Argument) -> click.Argument:
    """The data of a trainer, which goes on without being told, and a sweep does not."""
    needed = copy(data)
    needed.required = True
    return needed


def _several(parameter: Option) -> Option:
    """The option of a trainer as one of a sweep."""
    metavar = parameter.metavar or getattr(parameter.type, "metavar", None)
    kind = Several(Choice(SWITCH, "position") if parameter.is_flag else parameter.type)
    help = parameter.help or ""
    if parameter.name == "processes":
        help = f"{help.split('  [')[0]}  [default: 1]"
    if parameter.is_flag:
        metavar = "off,on"
    elif kind.takes_parts:
        metavar = f"{metavar},..."
    return Option(
        [parameter.name, *parameter.opts],
        type=kind,
        multiple=True,
        help=help,
        metavar=metavar,
        section=parameter.section,
    )


def _settings(axes: list[Axis], sweep: Sweep) -> list[Setting]:
    if sweep.random is None:
        refuse(sweep, ["sweep_seed"], "is of --random: give that, too, or leave it out")
        return grid(axes)
    if not any(each.varies for each in axes if each.name != SEED):
        raise click.UsageError(
            f"--random {sweep.random} has nothing to draw: give a range such as --lr 1e-4..1e-2, "
            "or a list"
        )
    found = drawn(axes, sweep.random, sweep.sweep_seed)
    seeds = next((len(each.values) for each in axes if each.name == SEED), 1)
    if len(found) < sweep.random * seeds and not sweep.quiet:
        count = counted(len(found) // seeds, "different setting")
        complain(f"--random {sweep.random} found {count}, and no more")
    return found


@click.group(
    "sweep",
    cls=Sweeps,
    commands_help=TRAINERS,
    package="cnntool.cli",
    epilog="""\b
Examples:
  cnntool sweep train-cnn digits --lr 0.001,0.003,0.01 --network light,small --seed 0..4
  cnntool sweep train-cnn digits --random 20 --lr 1e-4..1e-2 --width 0.5..4 --jobs 2
  cnntool sweep train-classifier names --cell lstm,gru --hidden-size 32,64 --seed 0..2
  cnntool sweep train-tagger --help""",
)
def command() -> None:
    """Train with many settings, and compare what comes of them.

    Every option of the trainer may have several values, and every combination is a run in a folder
    of its own. A table of scores on the validation part goes to stdout, with their spread over
    seeds and what is within the noise of the best; then the command that trains the best.
    """
