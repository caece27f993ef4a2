"""`cnntool gradcheck`: proofs of the gradients of the engine, and of networks made with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cnntool.cli.console import complain, print_json, progress, reason, show, styled, table
from cnntool.cli.help import SectionedCommand
from cnntool.cli.options import argument, flag, option, takes
from cnntool.cli.types import Number, Spec, WholeNumber
from cnntool.errors import InputError, RequestError
from cnntool.wording import shown_layer, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cnntool.engine.gradient_cases import Case
    from cnntool.engine.gradient_check import GradientCheck
    from cnntool.networks.gradient_cases import LayerCase

GOOD_TO = 1e-8
"""The relative error of differences themselves."""

STYLES = {"ok": "green", "kink": "yellow", "wrong": "bold red"}


def _operations() -> Iterable[str]:
    from cnntool.engine.gradient_cases import OPERATIONS

    return OPERATIONS


@dataclass(frozen=True)
class Asked:
    """What is checked, and how strictly."""

    section = "Running"
    operations: tuple[str, ...] = argument(
        "[OPERATION|MODEL.npz]...", Spec("operation", str, _operations), many=True, required=False
    )
    seed: int = option("--seed", WholeNumber(0), "Of the random inputs.  [default: 0]", default=0)
    tolerance: float = option(
        "--tolerance",
        Number(above=0, metavar="E"),
        "The largest relative error that is right; differences are good to about 1e-8.  "
        "[default: 1e-6]",
        default=1e-6,
    )
    as_json: bool = flag("--json", "Report as JSON.")


@click.command(
    "gradcheck",
    cls=SectionedCommand,
    epilog="""\b
Verdicts:
  ok     right
  kink   right wherever there is a derivative; at some points, such as relu at 0, there is none
  wrong  the element and both values stand on stderr, and the exit code is 1
Past kinks are checks with a finer step, as the usual one went over a kink nearby.

\b
Examples:
  cnntool gradcheck
  cnntool gradcheck conv2d max_pool2d
  cnntool gradcheck softmax_cross_entropy --seed 7 --tolerance 1e-7
  cnntool gradcheck digits.npz
  cnntool gradcheck words.npz
  cnntool gradcheck --json""",
)
@takes(Asked)
def command(asked: Asked) -> int:
    """Check every operation of the engine, or those named: is its gradient the true one?

    The way back is compared with central differences of the way forward, in float64: element by
    element for small inputs, along random directions for large ones. Of a model file, each layer's
    parameters and input are checked, and then the parameters through the whole network: of a model
    of text also the states, through some steps of time.
    """
    problems: list[str] = []
    cases = _cases(asked.operations, asked.seed, asked.tolerance, problems)
    proofs = []
    with progress("checking", len(cases), quiet=asked.as_json) as advance:
        for case, check in cases:
            proofs.append(Proof(case, check()))
            advance()
    if asked.as_json:
        print_json([_entry(proof) for proof in proofs])
    elif proofs:
        _show(proofs)
    for problem in problems:
        complain(problem)
    for proof in proofs:
        for line in proof.complaints:
            complain(line)
    wrong = [proof for proof in proofs if proof.verdict == "wrong"]
    if any(asked.tolerance < proof.error <= GOOD_TO for proof in wrong):
        complain(
            f"--tolerance {asked.tolerance:g} is finer than differences are good to, about "
            f"{GOOD_TO:g}: what is wrong by less may be right, a larger one tells"
        )
    return int(bool(problems) or bool(wrong))


def _cases(
    names: Sequence[str], seed: int, tolerance: float, problems: list[str]
) -> list[tuple[Case | LayerCase, Callable[[], tuple[GradientCheck, ...]]]]:
    """What is to be checked, each with its check: the cases of all operations in the order of the
    table, or of those that are named, and then those of model files. A line is added to the
    problems for each file that is none."""
    from cnntool.engine.gradient_cases import CASES, OPERATIONS, check

    models = [name for name in names if name not in OPERATIONS and _is_path(name)]
    operations = [name for name in names if name not in models]
    for name in operations:
        if name not in OPERATIONS:
            raise RequestError(f"no operation '{name[:40]}'{suggestion(name, OPERATIONS)}")
    asked = operations or (() if models else OPERATIONS)
    cases = [
        (case, lambda case=case: check(case, seed, tolerance))
        for case in CASES
        if case.operation in asked
    ]
    return cases + [(case, case.check) for case in _of_models(models, seed, tolerance, problems)]


def _is_path(name: str) -> bool:
    return name.endswith(".npz") or os.sep in name or os.path.exists(name)


def _of_models(
    paths: Iterable[str], seed: int, tolerance: float, problems: list[str]
) -> list[LayerCase]:
    from cnntool.networks.gradient_cases import network_cases
    from cnntool.networks.model import load_trained

    cases: list[LayerCase] = []
    for path in paths:
        try:
            cases += network_cases(load_trained(path).network, seed, tolerance)
        except (InputError, OSError) as error:
            problems.append(reason(error, path))
    return cases


@dataclass(frozen=True)
class Proof:
    """A case and what was found of each of its inputs."""

    case: Case | LayerCase
    checks: tuple[GradientCheck, ...]

    @property
    def error(self) -> float:
        return max(check.error for check in self.checks)

    @property
    def verdict(self) -> str:
        found = {check.verdict for check in self.checks}
        return next(verdict for verdict in ("wrong", "kink", "ok") if verdict in found)

    @property
    def checked(self) -> str:
        """As in ``54 elements, 8 directions, 2 past kinks``."""
        counts = {
            by: sum(check.checked for check in self.checks if check.by == by)
            for by in ("elements", "directions")
        }
        counts["past kinks"] = sum(check.passed for check in self.checks)
        return ", ".join(f"{count:,} {by}" for by, count in counts.items() if count)

    @property
    def complaints(self) -> list[str]:
        """One line for each input whose gradient is wrong."""
        lines = []
        for check in self.checks:
            back, true = check.analytic, check.numeric
            if check.verdict == "wrong" and back is not None and true is not None:
                one, other = _apart(back, true)
                lines.append(
                    f"{self.case.operation}, {self.case.geometry}: d{check.input}"
                    f"{list(check.where or [])} is {one} on the way back, {other} "
                    f"{self.case.beside}: they differ by {abs(back - true):.1e}, and the largest "
                    f"relative error is {check.error:.1e}"
                )
        return lines


def _apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers in nine digits, or as many more as tell them apart."""
    texts = ((f"{one:.{digits}g}", f"{other:.{digits}g}") for digits in range(9, 18))
    return next((pair for pair in texts if pair[0] != pair[1]), (str(one), str(other)))


def _entry(proof: Proof) -> dict:
    return {
        "operation": proof.case.operation,
        "geometry": proof.case.geometry,
        "verdict": proof.verdict,
        "error": proof.error,
        "inputs": proof.checks,
    }


def _show(proofs: list[Proof]) -> None:
    words = "geometry", "checked", "verdict"
    rows = table("geometry", "checked", "largest error", "verdict", names="operation", left=words)
    for proof in proofs:
        geometry = styled(shown_layer(proof.case.geometry))
        verdict = styled(proof.verdict, style=STYLES[proof.verdict])
        row = geometry, proof.checked, f"{proof.error:.1e}", verdict
        rows.add_row(proof.case.operation, *row)
    show(rows)
