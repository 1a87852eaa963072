"""How far one job is, as `batchd status JOB` tells it: its documents between two rounds, and why others failed."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType

from batchd.cli.console import cell, duration
from batchd.decisions.document.expectation import stored
from batchd.edges.drafts import Drafts
from batchd.edges.store.views.progress import Progress, Reason, Unfinished
from batchd.model import Job
from batchd.text import length, sections


@dataclass(frozen=True, slots=True)
class Written:
    """How much of a document is there."""

    of: Unfinished
    words: int
    """So far; 0 where its draft cannot be read."""
    words_wanted: int | None
    sections: int
    sections_wanted: int | None


class Far:
    """How far one job is."""

    def __init__(self, job: Job, progress: Progress, folder: Path, now: float) -> None:
        """Measure what is written of its documents between two rounds.

        Args:
            folder: Of the drafts; one that cannot be read counts as nothing.
            now: Unix seconds.
        """
        drafts = Drafts(folder)
        self._age = (job.finished_at or now) - job.received_at
        self._ended = job.finished_at is not None
        self._written = [_measured(each, drafts) for each in progress.unfinished]
        self._reasons = progress.reasons

    def as_lines(self) -> RenderableType:
        """Tell it to a person."""
        lines = [cell(f"{'took' if self._ended else 'for'} {duration(self._age)}")]
        lines += [cell(f"  request {each.of.number:,}: {_so_far(each)}") for each in self._written]
        lines += [cell(f"  {_failed(each)}", "yellow") for each in self._reasons]
        return Group(*lines)

    def as_data(self) -> dict[str, object]:
        """Tell it in the words of `batchd status JOB --json`; documented in docs/formats.md."""
        return {
            "age_seconds": round(self._age, 3),
            "documents": [
                {
                    "request": each.of.number,
                    "round": each.of.round + 1,
                    "rounds": each.of.round + each.of.rounds + 1,
                    "words": each.words,
                    "words_wanted": each.words_wanted,
                    "sections": each.sections,
                    "sections_wanted": each.sections_wanted,
                }
                for each in self._written
            ],
            "failures": [
                {"verdict": each.verdict, "reason": each.reason, "count": each.count, "first": each.first}
                for each in self._reasons
            ],
        }


def _measured(each: Unfinished, drafts: Drafts) -> Written:
    expected = stored(each.wishes.expect)
    try:
        text = drafts.read(each.request, each.round).text
    except (OSError, ValueError):
        text = ""
    wanted = len(expected.titles) or expected.count
    found = max(len(sections.marks(text, expected.marker)), len(sections.heads(text))) if wanted else 0
    return Written(each, length.words(text), expected.words, found, wanted)


def _so_far(each: Written) -> str:
    said = [f"round {each.of.round + 1} of at most {each.of.round + each.of.rounds + 1}"]
    said.append(f"{each.words:,} of {each.words_wanted:,} words" if each.words_wanted else f"{each.words:,} words")
    if each.sections_wanted:
        said.append(f"{each.sections:,} of {each.sections_wanted:,} sections")
    return ", ".join(said)


def _failed(each: Reason) -> str:
    more = f" (and {each.count - 1:,} more alike)" if each.count > 1 else ""
    why = f": {each.reason}" if each.reason else ""
    return f"{each.verdict}: request {each.first:,}{why}{more}"
