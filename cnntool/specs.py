"""Specs that a person types, ``name:key=value,key=value``, and the numbers that stand in them.

Kernels (``gaussian:sigma=2,size=9``), schedules (``step:every=5``) and augmentations
(``shift=2,flip``, which have no name) are read and written here, so that they look alike, and so
do the answers to their mistakes. Without NumPy.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cnntool.errors import RequestError
from cnntool.wording import did_you_mean, joined, shortened

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class Parameter(NamedTuple):
    """One number of a spec, and the values it may have.

    >>> Parameter("size", 3, "of the window", minimum=1, maximum=9, kind=int).expected
    'a whole number from 1 to 9'
    """

    name: str
    default: float | None  # None: made from the other parameters, as `help` says
    help: str = ""
    minimum: float = -math.inf
    maximum: float = math.inf
    kind: type = float  # int: only whole numbers
    exclusive_minimum: bool = False
    choices: tuple[float, ...] = ()
    words: tuple[str, ...] = ()  # that it may be instead of a number, such as 'same'
    noun: str = ""  # what its values are: 'degrees'; by default a number, or a whole one
    alone: float | None = None  # what its name without a value stands for
    is_required: bool = False

    @property
    def expected(self) -> str:
        """The values it may have, in words."""
        return " or ".join([self._number, *self.words])

    @property
    def _number(self) -> str:
        if self.choices:
            return " or ".join(f"{choice:g}" for choice in self.choices)
        noun = self.noun or ("a whole number" if self.kind is int else "a number")
        start = "above" if self.exclusive_minimum else "from"
        if self.maximum == math.inf:
            end = "" if self.exclusive_minimum else " on"
            return f"{noun} {start} {number_text(self.minimum)}{end}"
        joint = "and at most" if self.exclusive_minimum else "to"
        return f"{noun} {start} {number_text(self.minimum)} {joint} {number_text(self.maximum)}"

    def checked(self, value: Any, owner: str, label: str) -> Any:
        """The value as the parameter's kind, or one of its words; RequestError where it is neither.

        ``owner`` opens the message, ``label`` is what stands before the value in an example.
        """
        if isinstance(value, str) and value in self.words:
            return value
        if self._fits(value):
            return self.kind(value)
        is_short = _is_real(value) and abs(value) < 1e300
        shown = short_number(value) if is_short else repr(shortened(str(value), 40))
        raise RequestError(
            f"{owner}: {self.name} is {shown}, but must be {self.expected}: for example "
            f"{label}{self.example}"
        )

    def _fits(self, value: Any) -> bool:
        return (
            _is_real(value)
            and (value > self.minimum or not self.exclusive_minimum)
            and self.minimum <= value <= self.maximum  # False for NaN
            and value < math.inf
            and (not self.choices or value in self.choices)
            and (self.kind is float or value == int(value))
        )

    @property
    def example(self) -> str:
        """A value that it may have."""
        some = *self.words, *map(number_text, self.choices)
        if self.default or not some:
            usual = min(max(5 if self.kind is int else 1, self.minimum), self.maximum)
            return f"{self.default or usual:g}"
        return some[0]

    def text(self, value: Any) -> str:
        """A value as it is typed, or one that it may have in place of one that it may not."""
        return number_text(value) if self._fits(value) else self.example


class Form(NamedTuple):
    """What a spec may say: its name, '' for none, and the parameters behind the colon.

    ``owner`` opens the messages, by default the name. ``example`` is a whole spec that shows how
    to write one. ``nameless`` is the parameter whose name may be left out where it stands first.

    >>> form = Form("gaussian", (Parameter("sigma", 1.0), Parameter("size", None)))
    >>> form.filled(form.read("sigma=2"))
    {'sigma': 2.0, 'size': None}
    >>> form.text({"sigma": 2})
    'gaussian:sigma=2'
    """

    name: str
    parameters: Sequence[Parameter]
    owner: str = ""
    example: str = ""
    nameless: str = ""

    def read(self, settings: str | None, spec: str | None = None) -> dict[str, Any]:
        """What ``sigma=2,size=9`` says, what follows the colon; None without a colon.

        spec: the whole as it was typed, where it is not the name, a colon and the settings.
        Raises RequestError for a name that is none, that is given twice or has no number.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        spec = shortened(spec or f"{self._start}{settings}", 60)
        values: dict[str, Any] = {}
        for i, setting in enumerate([] if settings is None else settings.split(",")):
            key, equals, value = (part.strip() for part in setting.partition("="))
            if i == 0 and self.nameless and key and not equals and key not in known:
                key, equals, value = self.nameless, "=", key
            if key not in known and key[:1].isalpha():
                raise self._unknown(key)
            if key not in known and self.example:
                fault = f"{shortened(setting, 40)!r} in '{spec}' is no setting"
                if not setting.strip():
                    fault = f"{self._owner}: '{spec}' has an empty place"
                raise RequestError(f"{fault}: write it like '{self.example}'")
            alone = known[key].alone if key in known and not equals else None
            if key not in known or (alone is None and not value):
                raise RequestError(
                    f"{shortened(setting, 40)!r} in '{spec}' is no setting: write "
                    f"{self._pattern(key, values)}"
                )
            if key in values:
                raise RequestError(f"{self._owner}: {key} is given twice in '{spec}': keep one")
            values[key] = self._value(known[key], value, values) if alone is None else alone
        return values

    def _value(self, parameter: Parameter, text: str, given: Mapping[str, Any]) -> Any:
        """The number that a text says, or the word that it is."""
        if text in parameter.words:
            return text
        try:
            return read_number(text, f"{self._owner}: {parameter.name}")
        except RequestError:
            if parameter.kind is int or parameter.words or parameter.exclusive_minimum:
                # not just any number would do
                return parameter.checked(text, self._owner, self._label(parameter.name, given))
            raise

    def filled(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of all parameters, in their order, once those that are given may be so.

        None counts as not given. Raises RequestError for one that is unknown, out of range or
        missing.
        """
        given = {key: value for key, value in given.items() if value is not None}
        for key in given:
            if key not in {parameter.name for parameter in self.parameters}:
                raise self._unknown(key)
        for parameter in self.parameters:
            if parameter.is_required and parameter.name not in given:
                raise RequestError(
                    f"{self._owner} does not say {parameter.name}: write "
                    f"{self._pattern(parameter.name, given)}"
                )
        return {
            p.name: p.checked(given[p.name], self._owner, self._label(p.name, given))
            if p.name in given
            else p.default
            for p in self.parameters
        }

    def text(self, values: Mapping[str, float]) -> str:
        """The spec that reads back to these values."""
        settings = ",".join(f"{key}={number_text(value)}" for key, value in values.items())
        return f"{self._start}{settings}" if settings else self.name

    @property
    def _owner(self) -> str:
        return self.owner or self.name

    @property
    def _start(self) -> str:
        return f"{self.name}:" if self.name else ""

    def _label(self, key: str, given: Mapping[str, Any]) -> str:
        """What stands before a value in an example, with what a spec cannot be without.

        'conv:3,stride=' before a stride, as 'conv:stride=2' would be no whole spec.
        """
        label = self._start
        for parameter in self.parameters:
            name = parameter.name
            is_needed = parameter.is_required or (name == self.nameless and name in given)
            if is_needed and name != key:
                label += f"{self._key(name)}{parameter.text(given.get(name))},"
        return label + self._key(key)

    def _key(self, name: str) -> str:
        return "" if name == self.nameless else f"{name}="

    def _pattern(self, key: str, given: Mapping[str, Any]) -> str:
        """How to write a parameter: this one, or the first one where there is no such."""
        if not self.parameters:
            return f"just '{self.name}'"
        named = [parameter for parameter in self.parameters if parameter.name == key]
        parameter = (named or self.parameters)[0]
        return f"'{self._label(parameter.name, given)}NUMBER', {parameter.expected}"

    def _unknown(self, key: str) -> RequestError:
        names = [parameter.name for parameter in self.parameters]
        shown = f"{shortened(key, 40)!r}"
        if not names:
            return RequestError(
                f"{self._owner} takes no parameters, and {shown} was given: write just "
                f"'{self.name}'"
            )
        near = did_you_mean(key, names)
        return RequestError(
            f"{self._owner} has no parameter {shown}: {near}{' ' if near else ''}it takes "
            f"{joined(names)}"
        )


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and type(value).__name__ not in ("bool", "bool_")


def read_number(token: str, where: str) -> float:
    """A decimal, an exponent or a fraction as a float; ``where`` opens the error message."""
    shown = repr(shortened(token, 40))
    parts = token.split("/")
    if len(parts) > 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        if token.lstrip("+-").lower() in ("nan", "inf", "infinity"):
            raise RequestError(f"{where} is {shown}: it must be a finite number")
        if not token:
            raise RequestError(f"{where} is missing: put one number between two commas")
        raise RequestError(
            f"{where}, {shown}, is not a number: write 0.5, -1e-3 or a fraction such as 1/9"
        )
    numerator, denominator = float(parts[0]), float(parts[-1]) if len(parts) == 2 else 1.0
    if denominator == 0:
        raise RequestError(f"{where}, {shown}, divides by zero: use another denominator")
    return numerator / denominator


def number_text(value: float) -> str:
    """The shortest text that reads back as exactly this number: '2', '0.1', '1e-05'."""
    return short if float(short := short_number(value)) == value else repr(float(value))


def short_number(value: float) -> str:
    """Six digits of a number, all of a whole one up to a thousand million: '0.333333', '1234567'.

    Sizes of that many samples differ in every digit.
    """
    is_whole = abs(value) <= 1e9 and value == int(value)
    return f"{int(value)}" if is_whole else f"{value:g}"
