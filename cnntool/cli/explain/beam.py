"""`cnntool explain beam`: how a beam search went, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cnntool.choices import MOST_BEAM
from cnntool.cli.console import show, styled, table
from cnntool.cli.explain.attention import Read
from cnntool.cli.explain.options import Report
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import Limits, option, takes
from cnntool.cli.types import WholeNumber
from cnntool.wording import counted, readable, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

    from cnntool.cli.one_input import OneInput
    from cnntool.explain.attention import BeamTree
    from cnntool.networks.decoding import BeamStep, Candidate, Said
    from cnntool.networks.model import SequenceModel

WIDEST = 26
"""Characters of a beginning: of a longer one the end is shown."""

LONGEST_TEXT = 50
"""Of what was found, of which --json gives all."""

MARK = "*"
STYLES = {"kept": "", "ended": "bold", "dropped": "dim"}


@dataclass(frozen=True)
class Asked(Read):
    """How wide the beam is."""

    section = "What"
    beam: int = option(
        "--beam",
        WholeNumber(1, MOST_BEAM),
        "How many beginnings are kept at each step.  [default: 3]",
        default=3,
    )


@click.command(
    "beam",
    cls=SectionedCommand,
    epilog="""\b
A beam of K keeps the K likeliest beginnings, goes on from each with every token, and stops when K
texts have ended. Of a row log p is that of its last token, and sum that of all of them; the best
text has the highest score, their mean:
  score = sum / tokens, the end among them

\b
Examples:
  cnntool explain beam say.npz --text phone --beam 3
  cnntool explain beam say.npz --text phone --beam 5 --json | jq '.found[0]'
  cnntool explain beam shapes.npz sample_images/coffee.jpg""",
)
@takes(Asked, Limits, Report)
def command(asked: Asked, limits: Limits, report: Report) -> None:
    """Show how a beam search over what a translator or a captioner says went: at each step what was
    kept, what ended, what was dropped and why. A star marks the way to the best text.
    """
    from cnntool.explain.attention import beam_tree

    model = asked.load()
    given = asked.given(model, limits)
    tree = beam_tree(model, given.x, given.lengths, asked.beam)
    report.give(_entry, _show, model, given, tree)


def _entry(model: SequenceModel, given: OneInput, tree: BeamTree) -> dict[str, Any]:
    from cnntool.cli.one_input import said_names

    def candidate(step: BeamStep, each: Candidate) -> dict[str, Any]:
        return {
            "tokens": said_names(model, tree.path(step, each)),
            "log_p": _own(step, each, tree),
            "sum": each.log_probability,
            "score": each.score,
            "became": each.became,
            "why": tree.why(step, each),
            "best": tree.leads_to_best(step, each),
        }

    def text(said: Said) -> dict[str, Any]:
        return {
            "text": _text(model, said),
            "tokens": said_names(model, said.tokens(tree.end)),
            "sum": said.log_probability,
            "score": said.score,
            "ended": said.has_ended,
        }

    return {
        "model": readable(model.name),
        "input": readable(given.name),
        "beam": tree.width,
        "steps": [[candidate(step, each) for each in step.candidates] for step in tree.steps],
        "found": [text(said) for said in tree.found],
        "greedy": text(tree.greedy),
    }


def _own(step: BeamStep, candidate: Candidate, tree: BeamTree) -> float:
    """The log probability of the last token alone."""
    return candidate.log_probability - tree.sums(step)[candidate.beginning]


def _text(model: SequenceModel, said: Said) -> str:
    assert model.writer is not None
    return model.writer.text(said.ids) + ("" if said.has_ended else " ...")


def _show(model: SequenceModel, given: OneInput, tree: BeamTree) -> None:
    show((model.name, "bold cyan"), f"  {given.title}, a beam of {tree.width}")
    for number, step in enumerate(tree.steps, 1):
        show("")
        show(_step(model, tree, step, number))
    show("")
    ended = sum(each.became == "ended" for step in tree.steps for each in step.candidates)
    if ended >= tree.width:
        show(f"{counted(ended, 'text')} have ended: what was kept goes no further")
    else:
        show(f"broken off at {model.longest}, the most tokens that it says")
    show("")
    show(_found(model, tree))
    if tree.greedy.ids != tree.found[0].ids:
        text = shortened(_text(model, tree.greedy), LONGEST_TEXT)
        show(f"a beam of 1, greedy, says {text}: {_figure(tree.greedy.score)}")


def _step(model: SequenceModel, tree: BeamTree, step: BeamStep, number: int) -> Table:
    """The rows of a step, the likeliest first; of what is dropped as many as the beam is wide."""
    rows = table("log p", "sum", "score", "", names=f"step {number}", left=("",))
    dropped = 0
    for each in step.candidates:
        dropped += each.became == "dropped"
        if dropped > tree.width:
            break
        style = STYLES[each.became]
        is_best = tree.leads_to_best(step, each)
        numbers = _own(step, each, tree), each.log_probability, each.score
        rows.add_row(
            _beginning(model, tree.path(step, each), is_best, style),
            *(styled(_figure(number), style=style) for number in numbers),
            styled(tree.why(step, each), style="green" if is_best else style),
        )
    rows.columns[0].min_width = WIDEST + 2
    for column in rows.columns[1:4]:
        column.min_width = 7
    return rows


def _figure(value: float) -> str:
    """Three decimals, and no minus before 0."""
    return f"{round(value, 3) + 0.0:.3f}"


def _beginning(model: SequenceModel, ids: Sequence[int], is_best: bool, style: str) -> Text:
    """``* F OW N``, the last token the brightest."""
    from cnntool.cli.one_input import said_names

    *before, last = said_names(model, ids)
    text = " ".join([*before, ""])
    room = max(0, WIDEST - len(last))
    text = text if len(text) <= room else "..." + text[len(text) - max(0, room - 3) :]
    mark = (f"{MARK} " if is_best else "  ", "bold green")
    return styled(mark, (text, "dim"), (last[:WIDEST], "bold green" if is_best else style))


def _found(model: SequenceModel, tree: BeamTree) -> Table:
    rows = table("tokens", "sum", "score", names="found")
    for number, said in enumerate(tree.found):
        style = "" if number else "bold green"
        mark = "  " if number else f"{MARK} "
        count, total = len(said.log_odds), said.log_probability
        cells = str(count), _figure(total), _figure(said.score)
        rows.add_row(
            styled(mark + shortened(_text(model, said), LONGEST_TEXT), style=style),
            *(styled(c, style=style) for c in cells),
        )
    rows.columns[0].min_width = WIDEST + 2
    return rows
