"""What of a document is written into its job's folder: text, sections, data, and the files that it consists of."""

from dataclasses import dataclass
from typing import Final

from batchd.decisions.document.answer_files import find
from batchd.decisions.document.expectation import Expectation
from batchd.delivery import Filed, Trip, Unsent
from batchd.text.sections import file_name, marks, split

DOCUMENTS: Final = "documents"
"""The folder of a job's documents."""
FILES: Final = "files"
"""The folder of an answer's files, beside its sections."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Files to be written, and which of them are what."""

    files: tuple[tuple[str, str], ...] = ()
    """Names relative to the job's folder, and texts."""
    document: str | None = None
    """The one that has the whole of it."""
    sections: tuple[tuple[str, str], ...] = ()
    """Title and name of each section."""
    filed: Filed | None = None
    """The files of an answer that consists of them; None where none were wanted, or there is no text."""


NONE: Final = Contents()


def contents_of(trip: Trip | Unsent, text: str, expected: Expectation, *, cut: bool, data: str = "") -> Contents:
    """Lay a document out as files.

    Args:
        trip: Its request.
        text: All rounds joined.
        expected: Its sections are split off where it was expected to have any, or has marked some.
        cut: Whether its model was stopped before the end, so that the last file may be half of one.
        data: JSON that the answer consists of, beside what it has of text.
    """
    if not (text or data):
        return NONE
    whole: list[tuple[str, str]] = []
    sections: tuple[tuple[str, str, str], ...] = ()
    if trip.wishes.documents is True or (trip.wishes.documents == "continued" and trip.round):
        sections = _sections(trip, text, expected)
        whole += [(f"{DOCUMENTS}/{trip.name}.md", text)] * bool(text)
        whole += [(f"{DOCUMENTS}/{trip.name}.json", data)] * bool(data)
    filed, own = _files(trip, text, cut=cut) if trip.wishes.files else (None, ())
    preferred = whole[::-1] if expected.json else whole
    return Contents(
        files=(*((name, piece) for _, name, piece in sections), *whole, *own),
        document=preferred[0][0] if whole else None,
        sections=tuple((title, name) for title, name, _ in sections),
        filed=filed,
    )


def _sections(trip: Trip | Unsent, text: str, expected: Expectation) -> tuple[tuple[str, str, str], ...]:
    """Title, name and text of each section."""
    if not (marks(text, expected.marker) or expected.titles or expected.count):
        return ()
    pieces = split(text, expected.marker)
    folder = f"{DOCUMENTS}/{trip.name}"
    return tuple(
        (each.title, f"{folder}/{file_name(each.number, each.title, len(pieces))}", each.text) for each in pieces
    )


def _files(trip: Trip | Unsent, text: str, *, cut: bool) -> tuple[Filed, tuple[tuple[str, str], ...]]:
    """The files of an answer that consists of them, below a folder of its own."""
    found = find(text, cut=cut)
    named = tuple((f"{DOCUMENTS}/{trip.name}/{FILES}/{each.path}", each.text) for each in found.written)
    return Filed(tuple(name for name, _ in named), tuple((each.path, each.reason) for each in found.refused)), named
