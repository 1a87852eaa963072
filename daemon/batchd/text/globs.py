"""Patterns for files below a folder, such as `src/**/*.py`: which folders are worth a look, and which files are meant.

A walk carries along how far each pattern has come, so that every name is looked at once, however many patterns there
are, and nothing outside of a pattern's reach is opened at all.
"""

import re
from collections.abc import Iterable, Iterator
from fnmatch import translate
from typing import Final, NamedTuple

ANY_DEPTH: Final = "**"
"""A component that stands for any number of folders, also for none."""
LONGEST_PATTERN: Final = 1_000
"""Characters."""

_SPECIAL: Final = re.compile(r"[\x00-\x1f\x7f\\]")


def objection(pattern: str) -> str:
    """What keeps a text from being a pattern, and what would do; empty if nothing does.

    Args:
        pattern: As the user wrote it.
    """
    parts = pattern.split("/")
    whole = f"{pattern.rstrip('/.')}/{ANY_DEPTH}".lstrip("/")
    wrong = {
        "must be a pattern such as src/**/*.py": not pattern.strip(),
        f"{len(pattern):,} characters; at most {LONGEST_PATTERN:,} are taken": len(pattern) > LONGEST_PATTERN,
        "must be relative: patterns begin below the folders of the setting attach.folders": pattern[:1] in {"/", "~"},
        "must not have .. in it: nothing outside of the folders of attach.folders is read": ".." in parts,
        "must have no backslash and no control character; folders are separated by /": _SPECIAL.search(pattern),
        f"names a folder; for all files below it write {whole}": parts[-1] in {"", "."},
        f"{ANY_DEPTH} must stand alone between slashes, as in src/{ANY_DEPTH}/*.py": any(
            ANY_DEPTH in part and part != ANY_DEPTH for part in parts
        ),
    }
    return next((said for said, so in wrong.items() if so), "")


def escaped(name: str) -> str:
    """A pattern that means a name and nothing else."""
    return re.sub(r"[*?\[]", r"[\g<0>]", name)


class Step(NamedTuple):
    """How far a pattern has come on the way to a file."""

    pattern: int
    """Which of them, from 0."""
    part: int
    """Which of its components the next name is held against."""


class Globs:
    """Some patterns, to be followed down a tree of folders.

    `*`, `?` and `[abc]` stand for characters of one name, `**` for folders. A name that begins with a dot is meant by a
    component that does so too, and by no other.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Take the patterns apart.

        Args:
            patterns: Without `objection`.
        """
        self._patterns = [tuple(_parts(pattern)) for pattern in patterns]
        self._names = {
            part: re.compile(translate(part)) for parts in self._patterns for part in parts if part != ANY_DEPTH
        }

    def begin(self) -> frozenset[Step]:
        """Where all patterns stand in the folder that they are relative to."""
        return frozenset(step for number in range(len(self._patterns)) for step in self._from(Step(number, 0)))

    def enter(self, steps: frozenset[Step], folder: str) -> frozenset[Step]:
        """Go into a folder.

        Args:
            steps: How far the patterns have come, in the folder that holds it.
            folder: Its name.

        Returns:
            How far they have come in it; empty where nothing in it can be meant.
        """
        return frozenset(
            step
            for before in steps
            for after in self._after(before, folder)
            for step in self._from(after)
            if step.part < len(self._patterns[step.pattern])
        )

    def meant(self, steps: frozenset[Step], file: str) -> frozenset[int]:
        """Tell which patterns mean a file.

        Args:
            steps: How far the patterns have come, in the folder that holds it.
            file: Its name.
        """
        return frozenset(
            step.pattern
            for step in steps
            if step.part == len(self._patterns[step.pattern]) - 1 and any(self._after(step, file))
        )

    def _after(self, step: Step, name: str) -> Iterator[Step]:
        part = self._patterns[step.pattern][step.part]
        hidden = name.startswith(".")
        if part == ANY_DEPTH:
            if not hidden:
                yield step
        elif hidden <= part.startswith(".") and self._names[part].match(name):
            yield Step(step.pattern, step.part + 1)

    def _from(self, step: Step) -> Iterator[Step]:
        """A step, and those behind it that are reached through no folder at all."""
        parts = self._patterns[step.pattern]
        yield step
        while step.part < len(parts) and parts[step.part] == ANY_DEPTH:
            step = Step(step.pattern, step.part + 1)
            yield step


def _parts(pattern: str) -> Iterator[str]:
    """The components of a pattern; one that ends in `**` means all files there."""
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    yield from parts
    if parts[-1] == ANY_DEPTH:
        yield "*"
