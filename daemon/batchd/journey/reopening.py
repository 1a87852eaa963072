"""A finished job is opened again: its reports go, and out of its results the answers that others are to replace."""

from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Final

from batchd.claude import result_line
from batchd.decisions.rows import rejects
from batchd.decisions.rows.answered import ANSWERS
from batchd.edges.claims import chunks
from batchd.edges.outbox import JobFolder
from batchd.edges.store import Change
from batchd.edges.store.retries import Superseded
from batchd.errors import Garbled
from batchd.model import RowsForm
from batchd.text.jsonscan import Broken

SUPERSEDED: Final = "superseded.jsonl"
"""Paid answers that others have replaced."""


def take_back(folder: JobFolder, gone: Superseded) -> int:
    """Take the reports away, and out of the results what goes; returns the length of what is left.

    What was paid for is in `superseded.jsonl` before it leaves the results. Done twice, it is there once.
    """
    with folder.reading("results.jsonl") as lines:
        for file in ("job.json", "report.jsonl", "failures.jsonl", *ANSWERS):
            folder.remove(file)
        folder.sync()
        if gone.paid and lines is not None:
            with folder.reading(SUPERSEDED) as before:
                folder.write_whole(SUPERSEDED, _added(before or (), _paid(lines, gone)))
            folder.sync()
            lines.seek(0)
        length = folder.write_whole("results.jsonl", _without(lines or (), gone))
    for file in gone.documents:
        folder.remove(file)
    folder.sync()
    return length


def take_back_left_out(folder: JobFolder, changed: Callable[[], Iterator[Change]], form: RowsForm | None) -> None:
    """Take out of what was left out what is a request now; where nothing is left, its files go. Done twice, it is once.

    Args:
        changed: What puts the job right.
        form: How its rows stand in their file; None where they are none.
    """
    places = {each.left_out for each in changed() if each.left_out is not None}
    if not places:
        return
    with folder.reading(rejects.REJECTS) as lines, folder.reading(rejects.TABLE) as table:
        if lines is not None and any(rejects.place_of(line) not in places for line in lines):
            lines.seek(0)
            folder.write_whole(rejects.REJECTS, _others(lines, places))
            if table is not None and form is not None:
                with suppress(Broken):  # somebody has written into it
                    folder.write_whole(rejects.TABLE, rejects.without(chunks(table), places, form))
        else:
            folder.remove(rejects.REJECTS)
            folder.remove(rejects.TABLE)
    folder.sync()


def _others(lines: Iterable[bytes], places: Container[int]) -> Iterator[bytes]:
    yield from (line for line in lines if rejects.place_of(line) not in places)


def _added(before: Iterable[bytes], moved: Iterable[bytes]) -> Iterator[bytes]:
    """What was superseded before, and what is now: a line that a crash left in both places once."""
    there: set[bytes] = set()
    for line in before:
        there.add(sha256(line).digest())
        yield line
    yield from (line for line in moved if sha256(line).digest() not in there)


def _paid(lines: Iterable[bytes], gone: Superseded) -> Iterator[bytes]:
    for line in lines:
        with suppress(Garbled):
            if result_line.whose(line)[0] in gone.paid:
                yield line if line.endswith(b"\n") else line + b"\n"


def _without(lines: Iterable[bytes], gone: Superseded) -> Iterator[bytes]:
    """The lines of a result file but for those that go; what cannot be read is kept as it is."""
    for line in lines:
        try:
            custom_id, type_ = result_line.whose(line)
        except Garbled:
            pass
        else:
            if custom_id in gone.paid or (custom_id in gone.failed and type_ != "succeeded"):
                continue
        # Whoever cut the file may have left half a line, which the next must not continue.
        yield line if line.endswith(b"\n") else line + b"\n"
