"""How far one job is: its documents between two rounds, measured, and why others failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchd.decisions.document.expectation import stored
from batchd.decisions.report import steps_as_data
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


@dataclass(frozen=True, slots=True)
class Far:
    """How far one job is."""

    age: float
    """Seconds since it was received, or that it took."""
    ended: bool
    written: tuple[Written, ...]
    reasons: tuple[Reason, ...]
    steps: tuple[Mapping[str, object], ...] = ()
    """How each of its steps stands, as `decisions.report` tells it."""

    @classmethod
    def measured(cls, job: Job, progress: Progress, folder: Path, now: float) -> "Far":
        """Measure what is written of its documents between two rounds.

        Args:
            folder: Of the drafts; one that cannot be read counts as nothing.
            now: Unix seconds.
        """
        drafts = Drafts(folder)
        return cls(
            age=(job.finished_at or now) - job.received_at,
            ended=job.finished_at is not None,
            written=tuple(_measured(each, drafts) for each in progress.unfinished),
            reasons=progress.reasons,
            steps=tuple(steps_as_data(job, progress.steps)),
        )

    def as_data(self) -> dict[str, object]:
        """Tell it in the words of `batchd status JOB --json`; documented in docs/json.md."""
        return {
            "age_seconds": round(self.age, 3),
            **({"steps": list(self.steps)} if self.steps else {}),
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
                for each in self.written
            ],
            "failures": [
                {"verdict": each.verdict, "reason": each.reason, "count": each.count, "first": each.first}
                for each in self.reasons
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
