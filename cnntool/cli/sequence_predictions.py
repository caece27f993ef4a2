"""What models of sequences answer, an input at a time: a line each, JSON, or columns to be seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from cnntool import choices
from cnntool.cli.console import complain, console, json_text, one_line, reason
from cnntool.cli.one_input import one_input
from cnntool.cli.predictions import as_cells, as_facts, as_fields, ranked, run_predictions
from cnntool.datasets.sequences.clips import find_clips
from cnntool.datasets.sequences.inputs import (
    ArrayRows,
    PixelInput,
    Rows,
    SeriesInput,
    TextInput,
    TextRows,
)
from cnntool.datasets.sequences.ragged import Ragged
from cnntool.datasets.sequences.reading import check_unread
from cnntool.datasets.sequences.unlabelled import (
    is_of_table,
    line_blocks,
    sentence_blocks,
    series_blocks,
)
from cnntool.datasets.texts.encodings import checked_encoding
from cnntool.datasets.texts.text import checked_sources, source_name
from cnntool.datasets.texts.tokens import UNITS
from cnntool.errors import InputError
from cnntool.networks.decoding import Said
from cnntool.networks.model import SequenceModel
from cnntool.networks.sequence_answers import class_odds, tag_odds, texts_said
from cnntool.wording import counted, readable

if TYPE_CHECKING:
    from rich.text import Text

    from cnntool.cli.options import Limits, Sources, Spread


MOST_FRAMES = 100_000
"""Of a clip."""


def tell_sequences(
    asking: Asking, sources: Sequence[str], encoding: str | None, is_columns: bool | None
) -> int:
    """Print the answers to the lines, or the series, of all files; returns the exit code.

    is_columns: whether sentences are in columns, None for what they look like.
    """
    model = asking.model
    if isinstance(model.reader, SeriesInput) and all(each.endswith(".npz") for each in sources):
        check_unread({"encoding": encoding}, *sources)
    encoding = checked_encoding(model.encoding if encoding is None else encoding)

    def blocks(source: str) -> Iterator[Sequence[Any]]:
        if isinstance(model.reader, SeriesInput):
            return series_blocks(source, encoding, len(model.reader.mean))
        if model.reader.form == "text":
            return asking.noting_tables(source, line_blocks(source, encoding))
        found, are_columns = sentence_blocks(source, encoding, is_columns)
        if are_columns and not is_columns and not asking.is_quiet:
            complain(f"{source_name(source)}: read as columns, a word a line, for its tabs")
        return found

    return _tell(asking, [str(each) for each in checked_sources(sources)], blocks)


def tell_videos(asking: Asking, sources: Sequence[str], is_recursive: bool, limits: Limits) -> int:
    """Print the tags of the frames of clips, each an animation or a folder of frames; returns the
    exit code. is_recursive: whether folders hold clips."""
    names: list[str] = []
    is_failed = False
    for source in sources:
        if not (is_recursive and Path(source).is_dir()):
            names.append(source)
        elif clips := find_clips(Path(source)):
            names += [str(clip.path) for clip in clips]
        else:
            complain(f"{one_line(source)} holds no clips: name a folder of folders of frames")
            is_failed = True

    def frames(source: str) -> Iterator[Sequence[Any]]:
        yield [one_input(asking.model, None, source, MOST_FRAMES, limits).x[:, 0]]

    return int(_tell(asking, names, frames) or is_failed)


def _tell(
    asking: Asking, sources: Sequence[str], blocks: Callable[[str], Iterator[Sequence[Any]]]
) -> int:
    answered = {"classifier": asking.labels, "tagger": asking.tags, "translator": asking.texts}
    answer, is_failed = answered[asking.model.header.kind], False
    for source in sources:
        asking.begin(source_name(source))
        is_empty = not asking.is_quiet
        try:
            for block in blocks(source):
                is_empty = is_empty and not block
                for line in answer(block):
                    asking.print(line)
            if is_empty:
                complain(f"{source_name(source)} is empty: there is nothing to answer")
        except (InputError, MemoryError) as error:
            complain(reason(error, source_name(source)))
            is_failed = True
    asking.say_notes()
    return int(is_failed)


class Asking:
    """A model that is asked, what it is to tell, and what there was to note on the way."""

    def __init__(
        self,
        model: SequenceModel,
        top: int | None = None,
        beam: int | None = None,
        as_json: bool = False,
        is_quiet: bool = False,
    ) -> None:
        self.model, self.as_json, self.is_quiet = model, as_json, is_quiet
        self.has_odds, self.top = top is not None, top or 1  # odds: of texts that are said
        self.beam = self.top if beam is None else beam
        if self.top > choices.MOST_BEAM and model.writer is not None:
            raise click.UsageError(
                f"--top {self.top} takes a beam of as many: expected 1 to {choices.MOST_BEAM}"
            )
        if self.beam < self.top and model.writer is not None:
            raise click.UsageError(f"--top {self.top} takes --beam {self.top} or more")
        self._screen = console()
        self._is_seen = self._screen.is_terminal and not self.as_json
        self._source, self._count = "", 0
        self._tokens = self._unknown = self._texts = self._broken_off = 0

    def begin(self, source: str) -> None:
        """Go on with another file."""
        self._source, self._count = source, 0

    def noting_tables(self, source: str, blocks: Iterable[list[str]]) -> Iterator[list[str]]:
        """The same lines; a note comes first where they look like those of a table."""
        is_begun = self.is_quiet
        for block in blocks:
            first = next((line for line in block if line.strip()), "")
            if first and not is_begun and is_of_table(first):
                complain(
                    f"{source_name(source)} looks like a table: each line is read whole, its label "
                    "included; evaluate takes tables"
                )
            is_begun = is_begun or bool(first)
            yield block

    def print(self, line: str | Text) -> None:
        if isinstance(line, str):
            print(line, flush=True)
        else:
            self._screen.print(line, no_wrap=True, soft_wrap=line.overflow != "ellipsis")

    def labels(self, inputs: Sequence[Any]) -> Iterator[str | Text]:
        """Of each input a line: its likeliest labels."""
        width = max(map(len, self.model.labels))
        for given, odds in self._each(inputs, partial(class_odds, self.model.network)):
            found = [] if odds is None else ranked(self.model.labels, odds, self.top)
            if self.as_json:
                none: dict[str, Any] = {"top": []} if self.top > 1 and not found else {}
                yield json_text(self._named(given) | as_facts(found, "label") | none)
            elif self._is_seen and found:
                shown = given if isinstance(given, str) else f"series {self._count}"
                line = _in_columns((*as_cells(found, width), one_line(shown)))
                line.overflow = "ellipsis"
                yield line
            else:
                yield "\t".join(as_fields(found))

    def tags(self, inputs: Sequence[Any]) -> Iterator[str | Text]:
        """Of each sentence a line a word: the word and its likeliest tags; of others the number of
        the step; and an empty one behind."""
        for given, odds in self._each(inputs, partial(tag_odds, self.model.network)):
            words = given if isinstance(given, tuple) else [*map(str, range(1, len(given) + 1))]
            every = [
                ranked(self.model.labels, each, self.top) for each in ([] if odds is None else odds)
            ]
            if self.as_json:
                yield json_text(self._named(given) | _tag_facts(every, self.top))
                continue
            width = max(map(len, words), default=0)
            label_width = max(map(len, self.model.labels))
            for word, found in zip(words, every, strict=True):
                if self._is_seen:
                    yield _in_columns([one_line(word).ljust(width), *as_cells(found, label_width)])
                else:
                    yield "\t".join([one_line(word), *as_fields(found)])
            yield ""

    def _named(self, given: Any) -> dict[str, Any]:
        """What was answered, as JSON has it."""
        if isinstance(given, tuple):
            return {"words": given}
        if isinstance(given, str):
            return {"text": given}
        if self.model.reader.form == "frames":
            return {"clip": readable(self._source)}
        return {"file": readable(self._source), "series": self._count}

    def texts(self, inputs: Sequence[str]) -> Iterator[str]:
        """Of each text a line: what it becomes."""
        for given, found in self._each(inputs, self.said):
            yield self.said_line(found or [], {"source": given})

    def _each(self, inputs: Sequence[Any], answered: Callable) -> Iterator[tuple[Any, Any]]:
        """Each input with its answer, None where there is nothing in it."""
        filled, answers = [each for each in inputs if _holds(each)], iter(())
        if filled:
            rows: Rows = self.model.reader.rows(filled)
            if self.model.reader.form == "frames":  # which are prepared already
                rows = ArrayRows(Ragged.of(filled), lambda x: x)
            self._count_unknown(rows)
            answers = iter(answered(rows))
        for each in inputs:
            self._count += 1
            yield each, next(answers) if _holds(each) else None

    def said(self, rows: Rows) -> list[list[Said]]:
        """The best texts for each."""
        model = self.model
        assert model.writer is not None
        found = texts_said(model.joined, rows, model.writer.end, model.longest, self.beam)
        self.count(texts[0] for texts in found)
        return [texts[: self.top] for texts in found]

    def count(self, found: Iterable[Said]) -> None:
        """Note which texts were broken off."""
        for each in found:
            self._texts += 1
            self._broken_off += not each.has_ended

    def said_line(
        self, found: Sequence[Said], given: dict[str, Any] | None = None, *lead: str
    ) -> str:
        """The texts in fields behind others, with the probability of each where that was asked for;
        or as JSON, which names what was given."""
        if self.as_json:
            return json_text({**(given or {}), **self._said_facts(found)})
        assert self.model.writer is not None
        fields = [*lead]
        for each in found:
            fields.append(one_line(self.model.writer.text(each.ids)))
            fields += [f"{_odds(each):.4g}"] if self.has_odds else []
        return "\t".join(fields)

    def _said_facts(self, found: Sequence[Said]) -> dict[str, Any]:
        assert self.model.writer is not None
        facts = [
            {
                "text": self.model.writer.text(each.ids),
                "probability": float(f"{_odds(each):.6g}"),
                "ended": each.has_ended,
            }
            for each in found
        ]
        if not facts:
            none = {"text": "", "probability": None, "ended": True}
            return none | ({"top": []} if self.top > 1 else {})
        return facts[0] | ({"top": facts} if self.top > 1 else {})

    def _count_unknown(self, rows: Any) -> None:
        if isinstance(rows, TextRows) and isinstance(self.model.reader, TextInput):
            ends = len(rows) if self.model.reader.form == "text" else 0
            self._tokens += len(rows.ids.values) - ends
            self._unknown += self.model.reader.vocabulary.count_unknown(rows.ids.values)

    def say_notes(self) -> None:
        """What was unknown, and what was broken off, unless all is to be quiet."""
        for note in () if self.is_quiet else self._notes():
            complain(note)

    def _notes(self) -> Iterator[str]:
        if self._unknown and isinstance(self.model.reader, TextInput):
            unit = {"symbol": "symbol", **UNITS}[self.model.reader.level]
            share = f"{self._unknown:,} of {counted(self._tokens, unit)}"
            yield f"{self.model.name}: {share} ({self._unknown / self._tokens:.1%}) unknown to it"
        if self._broken_off:
            share = f"{self._broken_off:,} of {counted(self._texts, 'text')}"
            most = counted(self.model.longest, "token")
            yield f"{self.model.name}: {share} broken off at {most}, the most that it says"


def _holds(value: Any) -> bool:
    """Whether there is something in it."""
    return bool(value.strip()) if isinstance(value, str) else len(value) > 0


def _in_columns(cells: Iterable[str | Text]) -> Text:
    from rich.text import Text

    line = Text()
    for cell in cells:
        line.append("  " if line else "").append_text(Text(cell) if isinstance(cell, str) else cell)
    return line


def _tag_facts(every: Sequence[Sequence[tuple[str, float]]], top: int) -> dict[str, Any]:
    facts = [as_facts(found, "tag") for found in every]
    columns = {"tags": [each["tag"] for each in facts]}
    columns["probabilities"] = [each["probability"] for each in facts]
    return columns | ({"top": [each.get("top") for each in facts]} if top > 1 else {})


def _odds(said: Said) -> float:
    return math.exp(said.log_probability)


def tell_pictures(asking: Asking, sources: Sources, limits: Limits, spread: Spread) -> int:
    """Print what each picture shows; returns the exit code."""
    model = asking.model
    assert isinstance(model.reader, PixelInput)

    def answer(planes: np.ndarray) -> list[list[Said]]:
        return asking.said(ArrayRows(planes, lambda x: x))

    def show(name: str, found: list[Said]) -> None:
        asking.print(asking.said_line(found, {"image": readable(name)}, one_line(name)))

    preparing = model.reader.preprocessing
    code = run_predictions(preparing, answer, sources, limits, show, asking.is_quiet, spread)
    asking.say_notes()
    return code
