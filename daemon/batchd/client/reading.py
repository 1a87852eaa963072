"""Reading what came: a row for each request, in the order of the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import msgspec

from batchd.client.dropping import Ticket
from batchd.client.places import Folder, outbox_at
from batchd.client.waiting import Watch
from batchd.text import typed, zstd


class _Report(msgspec.Struct, frozen=True):
    """What is needed of a line of `report.jsonl`."""

    custom_id: str
    verdict: str
    reason: str | None = None
    cost_usd: float | None = None
    document: str | None = None


class _Whose(msgspec.Struct, frozen=True):
    """What is needed of a line of `results.jsonl` to know whose it is."""

    custom_id: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a job, and what came of it."""

    custom_id: str
    verdict: str | None
    """None while the job is under way."""
    reason: str | None
    """Why it is not complete."""
    cost_usd: float | None
    text: str | None
    """Its whole document; None where nothing was written."""
    result: dict[str, object] | None
    """The API's own line, as in `results.jsonl`; of a continued document the last."""

    @property
    def data(self) -> object:
        """Its document, read as JSON.

        Raises:
            ValueError: It is no JSON, or there is none.
        """
        if self.text is None:
            raise ValueError(f"{self.custom_id} has no document")
        value: object = msgspec.json.decode(self.text)
        return value


def results(job: str | Ticket, outbox: Folder | None = None) -> Iterator[Row]:
    """Read what came of a job: of one that is finished every request, of another what is there so far.

    Args:
        job: Its name, or the ticket of what was dropped (also as `@TICKET`).
        outbox: Where it is; by default what the command would find.

    Yields:
        A row for each request, in the order of the file; while the job is under way, in the order of their coming.

    Raises:
        LookupError: There is no such job.
        Refused: It was rejected.
        PermissionError: This user may not read the outbox.
    """
    folder = folder_of(job, outbox_at(outbox))
    lines = index(folder)
    with _opened(folder / "results.jsonl") as found:
        try:
            report = (folder / "report.jsonl").open("rb")
        except FileNotFoundError:
            for custom_id, at in lines.items():
                yield _row(folder, _Report(custom_id, ""), found, at)
            return
        with report:
            for line in report:
                told = typed.decode(line, _Report)
                yield _row(folder, told, found, lines.get(told.custom_id))


def folder_of(job: str | Ticket, outbox: Path) -> Path:
    """Find the folder of a job in the outbox; raises as `results` does."""
    name = Watch(str(job), outbox, outbox).accepted_as()
    if name is None or not (outbox / name).is_dir():
        raise LookupError(f"there is no job {job}")
    return outbox / name


def index(folder: Path) -> dict[str, tuple[int, int]]:
    """Say where in `results.jsonl` the last line of each request is: offset and size in bytes."""
    lines: dict[str, tuple[int, int]] = {}
    decode = typed.decoder(_Whose).decode
    with _opened(folder / "results.jsonl") as found:
        at = 0
        for line in found or ():
            if line.endswith(b"\n"):
                lines[decode(line).custom_id] = (at, len(line))
            at += len(line)
    return lines


def _row(folder: Path, told: _Report, found: BinaryIO | None, at: tuple[int, int] | None) -> Row:
    result: dict[str, object] | None = None
    if found is not None and at is not None:
        found.seek(at[0])
        result = msgspec.json.decode(found.read(at[1]))
    text = _document(folder, told.document)
    return Row(
        custom_id=told.custom_id,
        verdict=told.verdict or None,
        reason=told.reason,
        cost_usd=told.cost_usd,
        text=text if text is not None else text_of(result),
        result=result,
    )


def _document(folder: Path, document: str | None) -> str | None:
    if document is None:
        return None
    try:
        return (folder / document).read_text("utf-8")
    except FileNotFoundError:
        return None


def text_of(result: dict[str, object] | None) -> str | None:
    """The text of an answer: its text blocks, or the input of its only tool call as JSON."""
    match result:
        case {"result": {"type": "succeeded", "message": {"content": list() as blocks}}}:
            texts = [block["text"] for block in blocks if block.get("type") == "text"]
            calls = [block["input"] for block in blocks if block.get("type") == "tool_use"]
            if not any(text.strip() for text in texts) and len(calls) == 1:
                return msgspec.json.encode(calls[0]).decode()
            return "".join(texts) or None
        case _:
            return None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | None]:
    """Open a file to read it, unpacked where it was packed meanwhile; None where there is none yet."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        with _unpacked(path.with_name(path.name + zstd.ENDING)) as found:
            yield found
        return
    with file:
        yield file


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO | None]:
    try:
        packed = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with packed, TemporaryFile() as file:
        try:
            file.writelines(zstd.unpacked(packed))
        except zstd.Missing as missing:
            raise LookupError(f"{path} is packed, and {missing}") from None
        file.seek(0)
        yield file
