"""What is to be done with what falls into each folder: which instructions count, and which folders have to wait.

The nearest `.batchd.md` alone counts, upwards from the file; an empty one says that there are none from here on. While
one is not whole, has just vanished, is wrong or is a stranger's, the files below it stay in the inbox: nobody's file is
refused for another's mistake, and none is sent without what was meant to go with it.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.rows.prompt_file import PromptFile, parse_prompt_file
from batchd.edges import disk, rejected
from batchd.edges.inbox import INSTRUCTIONS, Candidate, Seen
from batchd.edges.instructions import Untrusted, read_instructions
from batchd.model import Problem

GONE = 10.0
"""Seconds for which instructions that have vanished may come back: editors save by a rename."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What is to be done with the files below a folder."""

    text: str
    """Empty where nothing special is."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why the files below a folder have to wait for a person."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class NotYet:
    """They wait for a moment: the instructions are not whole yet, or have vanished."""

    until: float
    """When another look is worth while."""


Standing: TypeAlias = Ready | Wrong | NotYet


@dataclass(frozen=True, slots=True)
class _Known:
    """One folder's instructions."""

    file: Candidate
    since: float
    """When they were first seen as they are."""
    seen: float
    """When they were last seen."""
    standing: Standing


class Instructions:
    """The instructions of all folders of the inbox, as the last look has found them."""

    def __init__(self, place: Path, outbox: Path, rules: Rules, settle: float) -> None:
        self._inbox = place
        self._outbox = outbox
        self._rules = rules
        self._settle = settle
        self._known: dict[PurePosixPath, _Known] = {}

    @property
    def wrong(self) -> Mapping[PurePosixPath, Wrong]:
        """The folders whose instructions are wrong."""
        found = ((folder, known.standing) for folder, known in self._known.items())
        return {folder: standing for folder, standing in found if isinstance(standing, Wrong)}

    @property
    def misled(self) -> Iterator[tuple[PurePosixPath, int, float, int]]:
        """The same with how many errors there are, since when, and which version of the file it is."""
        for folder, known in self._known.items():
            if isinstance(known.standing, Wrong):
                yield folder, len(known.standing.problems), known.since, known.file.mtime_ns

    def look(self, seen: Mapping[PurePosixPath, Candidate], now: float) -> None:
        """Compare what a look at the inbox has found with what the last one had; it blocks.

        Args:
            seen: Files of instructions by their folders.
            now: Seconds.

        Raises:
            OSError: What is wrong with some cannot be told in the outbox; repeat.
        """
        for folder in [*self._known.keys() - seen.keys()]:
            if now - self._known[folder].seen >= GONE:
                rejected.tell_of_instructions(self._outbox, folder, INSTRUCTIONS, ())
                del self._known[folder]
            else:
                self._known[folder] = replace(self._known[folder], standing=NotYet(self._known[folder].seen + GONE))
        for folder, file in seen.items():
            known = self._known.get(folder)
            if known is None or known.file != file:
                known = _Known(file, now, now, NotYet(now))
            standing = known.standing
            if isinstance(standing, NotYet):
                whole_at = known.since + self._settle
                found = standing_of(self._inbox, folder, file, self._rules) if now >= whole_at else None
                standing = found or NotYet(max(whole_at, now + self._settle))
                if found is not None:
                    problems = found.problems if isinstance(found, Wrong) else ()
                    rejected.tell_of_instructions(self._outbox, folder, INSTRUCTIONS, problems)
            self._known[folder] = replace(known, seen=now, standing=standing)

    def of(self, folder: PurePosixPath) -> Standing:
        """Find what counts for the files of a folder."""
        known = nearest(folder, self._known)
        return Ready("") if known is None else self._known[known].standing

    def whose(self, folder: PurePosixPath) -> PurePosixPath | None:
        """Find the folder whose instructions count in another; None where there are none."""
        return nearest(folder, self._known)

    def due(self, now: float) -> float | None:
        """Say after how many seconds another look is worth while; None where nothing changes by itself."""
        waits = [each.standing.until - now for each in self._known.values() if isinstance(each.standing, NotYet)]
        return max(min(waits), 0.0) if waits else None


def nearest(folder: PurePosixPath, known: Container[PurePosixPath]) -> PurePosixPath | None:
    """Find the folder whose instructions count in another: itself, or the nearest above; None where there are none."""
    return next((above for above in (folder, *folder.parents) if above in known), None)


def standing_of(place: Path, folder: PurePosixPath, file: Candidate, rules: Rules) -> Ready | Wrong | None:
    """Read instructions, and hold them against all that can be known before a file comes; it blocks.

    Returns:
        None where somebody writes them, or they are no longer what they were.
    """
    try:
        if disk.has_writer(place / file.relative):
            return None
        text = read_instructions(place, folder, INSTRUCTIONS, (file.size, file.mtime_ns, file.inode))
    except FileNotFoundError:
        return None
    except Untrusted as error:
        return Wrong((Problem(0, "", str(error)),))
    except OSError as error:
        return Wrong((Problem(0, "", f"cannot be read: {error.strerror or type(error).__name__}"),))
    if text is None:
        return None
    parsed = prompt_of(text, rules)
    return Wrong(tuple(parsed)) if isinstance(parsed, list) else Ready(text if parsed else "")


def prompt_of(text: str, rules: Rules) -> PromptFile | list[Problem] | None:
    """Read instructions; None where they say that there are none."""
    return parse_prompt_file(text, rules) if text.strip() else None


@dataclass(frozen=True, slots=True)
class Waits:
    """Files of the inbox that wait for a person to put instructions right."""

    folder: PurePosixPath
    """Of the instructions."""
    files: int
    changed_at: float
    """Unix seconds, when the instructions became what they are."""
    problems: Sequence[Problem]


def waiting(place: Path, seen: Seen, rules: Rules) -> Iterator[Waits]:
    """List what waits in an inbox for its instructions to be put right, whether or not the daemon runs; it blocks."""
    read = ((folder, standing_of(place, folder, file, rules)) for folder, file in seen.instructions.items())
    standings: dict[PurePosixPath, Standing] = {folder: found or NotYet(0.0) for folder, found in read}
    for folder, standing in sorted(standings.items()):
        if isinstance(standing, Wrong):
            files = sum(nearest(file.relative.parent, standings) == folder for file in seen.candidates)
            yield Waits(folder, files, seen.instructions[folder].mtime_ns / 1e9, standing.problems)
