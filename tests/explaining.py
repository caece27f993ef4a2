"""Running `cnntool explain` in this process."""

from __future__ import annotations

import json

from click.testing import CliRunner

from cnntool.cli.main import cli


def explain(*arguments, stdin: bytes | None = None) -> str:
    """What it prints on stdout; raises what it raises."""
    words = ["explain", *map(str, arguments)]
    done = CliRunner().invoke(cli, words, input=stdin, standalone_mode=False)
    if done.exception:
        raise done.exception
    assert not done.stderr
    return done.stdout


def explain_json(*arguments, stdin: bytes | None = None):
    """What it prints with --json, parsed by the letter: no NaN, no infinity."""

    def refuse(word: str):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(explain(*arguments, "--json", stdin=stdin), parse_constant=refuse)


def rows_of(text: str, head: str) -> list[list[str]]:
    """The words of the lines below the one that starts with ``head``, up to an empty line."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith(head))
    rows = []
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        rows.append(line.split())
    return rows
