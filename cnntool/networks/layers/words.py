"""The text of one layer, read word by word, with what is wrong with it in one line."""

from __future__ import annotations

from cnntool.errors import RequestError
from cnntool.wording import suggestion

LARGEST = 1 << 20
"""Of any number in a layer."""

SHOWN = 40
"""Characters of a word that an error repeats."""


class Words:
    """The words of one layer, taken one after the other."""

    def __init__(self, words: list[str]) -> None:
        self.text = " ".join(words)
        self._words = words[1:]
        self._seen: set[str] = set()

    def error(self, problem: str) -> RequestError:
        return RequestError(f"layer '{shown(self.text)}': {problem}")

    def peek(self) -> str | None:
        """The next word, which stays; None at the end."""
        return self._words[0] if self._words else None

    def next(self, what: str, such_as: str) -> str:
        if not self._words:
            raise self.error(f"it needs its {what}, such as {such_as}")
        return self._words.pop(0)

    def setting(self, names: tuple[str, ...]) -> str | None:
        """The name of the next setting, None at the end."""
        if not self._words:
            return None
        name = self._words.pop(0)
        if name not in names:
            known = suggestion(name[:SHOWN], names) if names else ": it takes nothing more"
            raise self.error(f"'{shown(name)}' is no setting of it{known}")
        if name in self._seen:
            raise self.error(f"'{name}' stands twice: leave one of them out")
        self._seen.add(name)
        return name

    def end(self) -> None:
        self.setting(())

    def sign(self, sign: str) -> None:
        if (found := self.next(f"'{sign}'", sign)) != sign:
            raise self.error(f"'{shown(found)}' stands where '{sign}' is expected")

    def count(self, what: str, least: int = 1) -> int:
        return self._whole(self.next(what, "10"), what, least)

    def pair(self, what: str, least: int = 1) -> tuple[int, int]:
        """``5`` or ``5x3``, height first."""
        text = self.next(what, "5 or 5x3")
        parts = text.split("x")
        if len(parts) > 2 or not all(parts):
            raise self.error(
                f"{what} '{shown(text)}': expected a number, or height x width such as 5x3"
            )
        numbers = [self._whole(part, what, least) for part in parts]
        return numbers[0], numbers[-1]

    def number(self, what: str, least: float, most: float, is_open: bool = False) -> float:
        text = self.next(what, f"{max(least, 0.5):g}")
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most or (is_open and value == most):
            end = f"below {most:g}" if is_open else f"{most:g}"
            raise self.error(f"{what} '{shown(text)}': expected a number from {least:g} to {end}")
        return value

    def _whole(self, text: str, what: str, least: int) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 9):
            raise self.error(
                f"{what} '{shown(text)}': expected a whole number from {least} to {LARGEST:,}"
            )
        if not least <= int(text) <= LARGEST:
            raise self.error(f"{what} is {int(text):,}: expected {least} to {LARGEST:,}")
        return int(text)


def shown(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
