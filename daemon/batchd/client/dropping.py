"""Dropping: what is to be asked gets into the inbox at once and whole, and under a ticket of its own."""

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batchd.client.places import Folder, inbox_at, outbox_at
from batchd.client.spreadsheet import as_tables
from batchd.errors import Unusable
from batchd.text.tickets import FORM, SIGN, is_ticket, made_of, with_ticket

BUNDLE: Final = ".job"
_PROMPT: Final = "prompt.md"
_SCHEMA: Final = "schema.json"
_EACH: Final = "files"
"""Folder of a bundle for files each of which is asked about by itself."""
_TABLES: Final = frozenset({".csv", ".tsv", ".jsonl", ".ndjson"})
_LINES: Final = frozenset({".jsonl", ".ndjson", ".json"})
_FOLDER: Final = 0o750
_FILE: Final = 0o640
_FOR_OTHERS: Final = 0o005
"""Where the inbox belongs to a group that we cannot give our files to: its own rights keep strangers out."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was dropped, and is still to be accepted or rejected."""

    id: str
    inbox: Path
    outbox: Path

    def __str__(self) -> str:
        return SIGN + self.id

    def job(self, timeout: float | None = None) -> str:
        """Wait until a daemon has accepted it, and return the job's name.

        Args:
            timeout: Seconds; None for as long as it takes.

        Raises:
            Refused: It was rejected.
            TimeoutError: It takes longer.
        """
        from batchd.client.waiting import accepted  # noqa: PLC0415  it waits for tickets, and imports this room

        return accepted(self, timeout)


def new_ticket() -> str:
    """Make a ticket that nobody else has; tickets sort by their making."""
    return made_of(time.time_ns() // 1_000_000, secrets.randbits(80))


def submit(  # noqa: PLR0913  what the command takes
    *paths: Folder,
    inbox: Folder | None = None,
    outbox: Folder | None = None,
    prompt: Folder | None = None,
    to: str = "",
    name: str | None = None,
    ticket: str | None = None,
    **settings: object,
) -> Ticket:
    """Drop files into the inbox, as one job.

    One file, or one folder `NAME.job`, is dropped as it is. Anything else becomes a bundle: a prompt, what it is about,
    and the settings. A spreadsheet (.xlsx) becomes a table first, by the extra `xlsx`.

    Args:
        paths: What is to be asked, or what is to be asked about where there is a prompt.
        inbox: Where it is; by default what the command would find.
        outbox: Where it is, found in the same way.
        prompt: A prompt file: what is asked about each row of a table, or about each file.
        to: A folder of the inbox.
        name: The job's; by default that of the first file.
        ticket: Of one's own, from an earlier try: what was accepted with it is never sent again.
        settings: Of the job, by their names in a job file: `model`, `max_tokens`, `budget`, `schema`, `on_error`, …

    Raises:
        Unusable: Something is wrong with the call; nothing was dropped.
        OSError: A file cannot be read, or the inbox not be written to; nothing was dropped.
    """
    if ticket is not None and not is_ticket(ticket.removeprefix(SIGN)):
        raise Unusable(f"{ticket!r} is no ticket: one has {FORM}")
    mine = Ticket((ticket or new_ticket()).removeprefix(SIGN), inbox_at(inbox), outbox_at(outbox))
    sources = [Path(path) for path in paths]
    for source in (*sources, *([Path(prompt)] if prompt is not None else ())):
        source.stat()
    if not sources and prompt is None:
        raise Unusable("nothing is to be dropped: name a file")
    said = {key: value for key, value in settings.items() if value is not None}
    with as_tables(sources) as tables:
        _drop(mine, tables, prompt, to, name, said)
    return mine


def _drop(  # noqa: PLR0913  what is dropped, and how it is called
    mine: Ticket,
    sources: list[Path],
    prompt: Folder | None,
    to: str,
    name: str | None,
    said: Mapping[str, object],
) -> None:
    folder = _folder(mine.inbox, to)
    first = sources[0] if sources else Path(prompt or "")
    called = _called(name, first)
    alone = first if len(sources) == 1 and prompt is None and not said else None
    if alone is not None and alone.is_file():
        with _hidden(folder, with_ticket(called + alone.suffix, mine.id)) as at:
            _copy(alone, at, folder)
    else:
        with _hidden(folder, with_ticket(called + BUNDLE, mine.id)) as at:
            if alone is not None:
                _copy_folder(alone, at, folder)
            else:
                _build(at, folder, sources, Path(prompt) if prompt is not None else None, said)


def amend(  # noqa: PLR0913  what the command takes
    job: str,
    given: Path,
    inbox: Path,
    outbox: Path,
    asked: tuple[bytes, Mapping[str, object]],
    said: Mapping[str, object],
    look: Callable[[Path], None] = lambda _: None,
) -> Ticket:
    """Drop what puts a finished job right, as a bundle that names it.

    Args:
        job: Its name.
        given: A file with rows or requests of it, or a folder with such a file and others that go along.
        asked: What was asked: the job's instructions, and settings that count for more.
        said: Settings of the amendment itself.
        look: Looks at the whole bundle before anybody else can; what it raises leaves nothing behind.
    """
    mine = Ticket(new_ticket(), inbox, outbox)
    folder = _folder(inbox, "")
    instructions, settings = asked
    with _hidden(folder, with_ticket(f"amend-{Path(job).name}{BUNDLE}", mine.id)) as at:
        if given.is_dir():
            _copy_folder(given, at, folder)
            if (own := at / _PROMPT).exists():
                instructions = own.read_bytes()
                own.unlink()
        else:
            _make_folder(at, folder)
            # Beside the prompt, a file of that name would be taken for it.
            name = given.name if given.name != _PROMPT else f"given-{_PROMPT}"
            _copy(given, at / name, folder)
        _write(at / _PROMPT, _with_settings(instructions, {**settings, "amends": job, **said}), folder)
        _sync(at)
        look(at)
    return mine


def _folder(inbox: Path, to: str) -> Path:
    if not inbox.is_dir():
        raise Unusable(f"{inbox} is no inbox: start `batchd run`, or name the inbox with --inbox")
    parts = [part for part in to.split("/") if part]
    if any(part.startswith(".") for part in parts):
        raise Unusable(f"{to!r}: a folder of the inbox is named without dots at its beginning")
    folder = inbox.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _called(name: str | None, first: Path) -> str:
    called = name if name is not None else first.stem
    if not called or called.startswith(".") or "/" in called or not called.isprintable():
        raise Unusable(f"{called!r} cannot be a job's name: no slash, no dot at its beginning, nothing unprintable")
    return called


@contextmanager
def _hidden(folder: Path, name: str) -> Iterator[Path]:
    """Let something be made under a name that nobody looks at, then give it its own, durably, or leave nothing."""
    partial = folder / f".{name}.{secrets.token_hex(4)}.part"
    try:
        yield partial
        try:
            partial.rename(folder / name)
        except OSError:
            # The same ticket lies there, from an earlier try.
            if not (folder / name).is_dir():
                raise
        _sync(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)


def _build(at: Path, inbox: Path, sources: Sequence[Path], prompt: Path | None, said: Mapping[str, object]) -> None:
    settings = dict(said)
    data = list(sources)
    if prompt is None:
        texts = [source for source in data if source.suffix in {".md", ".txt"}]
        if len(texts) == 1:
            prompt = texts[0]
            data.remove(prompt)
        elif not (len(data) == 1 and data[0].suffix in _LINES):
            raise Unusable("what is to be asked about these files? Say it with --prompt FILE")
    _make_folder(at, inbox)
    if isinstance(schema := settings.get("schema"), str):
        _copy(Path(schema), at / _SCHEMA, inbox)
        settings["schema"] = _SCHEMA
    if len(data) == 1 and data[0].suffix in _TABLES | _LINES:
        settings.setdefault("rows", data[0].name)
        _copy(data[0], at / data[0].name, inbox)
    elif data:
        settings.setdefault("each", f"{_EACH}/**")
        _make_folder(at / _EACH, inbox)
        for source in data:
            if (at / _EACH / source.name).exists():
                raise Unusable(f"two files are called {source.name}: give them different names")
            (_copy_folder if source.is_dir() else _copy)(source, at / _EACH / source.name, inbox)
        _sync(at / _EACH)
    _write(at / _PROMPT, _with_settings(prompt.read_bytes() if prompt is not None else b"", settings), inbox)
    _sync(at)


def _with_settings(prompt: bytes, settings: Mapping[str, object]) -> bytes:
    """Put settings in front of a prompt; they win over those that it has."""
    if not settings:
        return prompt
    import yaml  # noqa: PLC0415  most that is dropped needs none

    text = prompt.decode("utf-8-sig")
    head, body = {}, text
    if text.startswith("---\n") and (end := text.find("\n---\n", 3)) >= 0:
        loaded = yaml.safe_load(text[4 : end + 1]) or {}
        head, body = (loaded if isinstance(loaded, dict) else {}), text[end + 5 :]
    whole = yaml.safe_dump({**head, **settings}, allow_unicode=True, sort_keys=False)
    return f"---\n{whole}---\n{body}".encode()


def _copy_folder(source: Path, to: Path, inbox: Path) -> None:
    _make_folder(to, inbox)
    for path in sorted(source.iterdir()):
        if path.is_symlink():
            raise Unusable(f"{path} is a link: put the file itself there")
        if path.is_dir():
            _copy_folder(path, to / path.name, inbox)
        elif not path.name.startswith("."):
            _copy(path, to / path.name, inbox)
    _sync(to)


def _copy(source: Path, to: Path, inbox: Path) -> None:
    with source.open("rb") as read, to.open("xb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        _finish(written.fileno(), _FILE, inbox)


def _write(to: Path, content: bytes, inbox: Path) -> None:
    with to.open("xb") as written:
        written.write(content)
        written.flush()
        _finish(written.fileno(), _FILE, inbox)


def _make_folder(at: Path, inbox: Path) -> None:
    at.mkdir()
    descriptor = os.open(at, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _finish(descriptor, _FOLDER, inbox)
    finally:
        os.close(descriptor)


def _finish(descriptor: int, mode: int, inbox: Path) -> None:
    """Let the daemon read it, whoever that is, and make it durable."""
    group = inbox.stat().st_gid
    with suppress(PermissionError):
        os.fchown(descriptor, -1, group)
    if os.fstat(descriptor).st_gid != group:
        mode |= _FOR_OTHERS & (mode >> 3)
    os.fchmod(descriptor, mode)
    os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
