"""What each request that comes back becomes in its job: another version of one, one that was left out, or a new one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from batchd.decisions.jobfile.naming import safe_name
from batchd.decisions.rows.columns import cell_of
from batchd.model import Amended, Entry, Problem, RequestId, Verdict

BEHIND: Final = 1 << 40
"""Where the rows begin that were added: behind all that a file can hold."""
_NO_ROW: Final = "the requests of this job are the rows of a table, and this is none: give its row"


class Known(NamedTuple):
    """A request of a job, as far as it matters to what would replace it."""

    id: RequestId
    verdict: Verdict


class LeftOut(NamedTuple):
    """A request that was left out when the file was taken."""

    place: int
    """Its row, or the line of a request."""
    custom_id: str
    """Empty where it had none that could be read."""


class Replacement(NamedTuple):
    """What a request becomes."""

    entry: Entry
    replaces: RequestId | None = None
    """None where the job gets one more."""
    left_out: int | None = None
    """The place of the one that was left out, which it is now; None where it is another."""
    place: int | None = None
    """Where its row stands; None where that is known already, or it is no row."""
    record: str | None = None
    """Its row as it stands in the answers; None where that stays as it was."""


@dataclass(slots=True)
class Job:
    """The job that is put right."""

    name: str
    left_out: Mapping[int, LeftOut]
    """By their places."""
    id_column: str = "custom_id"
    """What its user calls the id."""
    columns: tuple[str, ...] = ()
    """Of its table."""
    of_rows: bool = False
    objects: bool = False
    of_steps: bool = False
    add: bool = False
    """Whether what it does not know is taken, too."""
    replace: bool = False
    """Whether what is complete is asked anew."""
    behind: int = BEHIND
    """Where the next row goes that is added."""
    _by_id: dict[str, int] = field(default_factory=dict)
    _taken: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for each in sorted(self.left_out.values(), reverse=True):
            if each.custom_id:
                self._by_id[each.custom_id] = each.place

    def decide(self, entry: Entry, known: Mapping[str, Known], names: Collection[str]) -> Replacement | Problem:
        """Say what a request becomes.

        Args:
            known: Requests of the job that have the ids of some entries, this one's among them.
            names: Names of documents that the job has already, in small letters.
        """
        amended, found = entry.amended or Amended(), known.get(entry.custom_id)
        place = amended.row if amended.row in self.left_out else 0
        if found and place:
            return self._problem(entry, f"another row of {self.name} has the id {entry.custom_id!r}; give this its own")
        if found and found.verdict is Verdict.COMPLETE and not self.replace:
            said = f"{entry.custom_id!r} of {self.name} is complete; --replace asks it anew, and pays for it again"
            return self._problem(entry, said)
        if found:
            return Replacement(entry, replaces=found.id, record=self._record(amended))
        return self._one_more(entry, amended, place or self._by_id.get(entry.custom_id, 0), names)

    def _one_more(self, entry: Entry, amended: Amended, place: int, names: Collection[str]) -> Replacement | Problem:
        if self.of_steps:
            said = "its steps say what is asked, and nothing can be added"
            return self._problem(entry, f"{self.name} has no request {entry.custom_id!r}; {said}")
        if not place and not self.add:
            return self._problem(entry, f"{self.name} has no request {entry.custom_id!r}; --add takes it as a new one")
        if place in self._taken:
            return self._problem(entry, f"row {place:,} of {self.name} is put right twice; give it once")
        if self.of_rows and not place and amended.values is None:
            return self._problem(entry, _NO_ROW)
        entry = entry._replace(name=self._free_name(entry, names))
        record = self._record(amended)
        if place:
            self._taken.add(place)
            return Replacement(entry, left_out=place, place=place if self.of_rows else None, record=record)
        place, self.behind = self.behind, self.behind + 1
        return Replacement(entry, place=place if self.of_rows else None, record=record)

    def _problem(self, entry: Entry, said: str) -> Problem:
        return Problem(entry.line, self.id_column, said)

    @staticmethod
    def _free_name(entry: Entry, names: Collection[str]) -> str:
        return safe_name(entry.custom_id, taken=True) if entry.name.casefold() in names else entry.name

    def _record(self, amended: Amended) -> str | None:
        if amended.values is None or not self.of_rows:
            return None
        if self.objects:
            return (amended.written or msgspec.json.encode(amended.values)).decode()
        return msgspec.json.encode([cell_of(amended.values.get(name, "")) for name in self.columns]).decode()
