"""One exception for bad input: what was found, where, what was expected, how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from livermet.names import printable


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the input.

    Parameters
    ----------
    where
        Sheet, row and column; or file; or config key.
    found
        What stands there.
    expected
        What should stand there (may be empty).
    remedy
        What the user can do about it (may be empty).
    """

    where: str
    found: str
    expected: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.found}"
        if self.expected:
            text += f" (expected {self.expected})"
        if self.remedy:
            text += f". {self.remedy}"
        return printable(text)  # what a file holds must not reach the terminal as it is


class InputError(Exception):
    """The input is wrong: every problem that was found, at once.

    Parameters
    ----------
    problems
        One or more problems; a plain string is a problem without a place.
    """

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(str(self))

    def __reduce__(self) -> tuple[type[InputError], tuple[list[Problem]]]:
        return type(self), (self.problems,)  # out of a worker process it comes as it was

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        lines = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
        return f"{len(self.problems)} problems:\n{lines}"


class StorageError(InputError):
    """A file could not be written or read whole: disk, rights, memory or damage. A user can mend it, so there is no traceback."""

    @classmethod
    def of(cls, where: str, found: str, remedy: str) -> StorageError:
        """One problem: the file, what happened, what to do."""
        return cls(Problem(where, found, remedy=remedy))
