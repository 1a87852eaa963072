"""The checks of `batchd doctor`: each yields findings, and a remedy for what is wrong."""

import grp
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from shutil import disk_usage
from typing import Final

import anyio
from rich.filesize import decimal as bytes_of

from batchd.cli.instructed import said_of
from batchd.edges import inbox as inbox_edge
from batchd.edges import readers
from batchd.edges.lock import daemon_runs
from batchd.edges.store import DATABASE, FLEET, look_into_store
from batchd.errors import BatchdError
from batchd.journey.instructions import waiting
from batchd.journey.reading import rules_of
from batchd.settings import CONFIG_VARIABLE, Settings, default_config_file

_LITTLE_SPACE: Final = 1_000_000_000
_NO_SPACE: Final = 50_000_000
_OLDEST_SQLITE: Final = (3, 38, 0)
_FEW_WATCHES: Final = 8_192
_OPEN_TO_OTHERS: Final = 0o077
_GROUP_PASSES: Final = 0o010
_SOMEBODY: Final = 65_534
"""A user who is not ours: `nobody`."""
_WRITABLE_BY_ALL: Final = 0o002
_NOT_MADE = "none yet: made at the first start"
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
"""Kinds of file systems that a power cut empties."""
_REMOTE_FILE_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"})


class Health(StrEnum):
    """How well something is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and could be better."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    health: Health
    message: str
    remedy: str = ""


def settings_file(config: Path | None) -> Finding:
    """Say where the settings come from.

    Args:
        config: The file of `--config`.
    """
    variable = os.environ.get(CONFIG_VARIABLE)
    asked = config or (Path(variable) if variable else None)
    file = asked or default_config_file()
    return Finding("settings", Health.OK, "no file: defaults, environment and flags" if file is None else str(file))


def folders(settings: Settings) -> Iterator[Finding]:
    """Check the three folders: whether they can be used, whether others may look in, how much fits."""
    for name in ("inbox", "outbox", "state"):
        place: Path = getattr(settings, name)
        yield _folder(name, place)
    yield from _untakeable(settings.inbox)
    yield from _misled(settings)
    inbox, state = _nearest(settings.inbox), _nearest(settings.state)
    if inbox.stat().st_dev != state.stat().st_dev:
        said = "on another file system than the state: files are copied, not renamed"
        yield Finding("inbox", Health.WARNING, said, "put both on one, if large files are dropped")
    if (kind := _file_system(inbox)) in _REMOTE_FILE_SYSTEMS and not settings.intake.force_polling:
        said = f"on {kind}, which tells of no changes"
        yield Finding("inbox", Health.WARNING, said, "set intake.force_polling = true")
    if not settings.store and (kind := _file_system(state)) in _REMOTE_FILE_SYSTEMS:
        said = f"on {kind}: SQLite and its locks need a local disk"
        yield Finding("state", Health.PROBLEM, said, "set state elsewhere")


def _untakeable(place: Path) -> Iterator[Finding]:
    """Name the folders of the inbox whose files the user of this command could not take."""
    if not place.is_dir() or not os.access(place, os.R_OK | os.X_OK):
        return
    for folder, why in inbox_edge.untakeable(place).items():
        if folder.parts:
            reason, _, remedy = why.partition("; ")
            said = f"the files in {place / folder} cannot be taken: {reason}"
            yield Finding("inbox", Health.PROBLEM, said, remedy or "see that the daemon's user may write there")


def _misled(settings: Settings) -> Iterator[Finding]:
    """Name the folders of the inbox whose instructions are wrong."""
    if not settings.inbox.is_dir() or not os.access(settings.inbox, os.R_OK | os.X_OK):
        return
    for waits in waiting(settings.inbox, inbox_edge.look(settings.inbox), rules_of(settings)):
        remedy = f"put {settings.inbox / waits.folder / inbox_edge.INSTRUCTIONS} right: what waits is taken then"
        yield Finding("inbox", Health.PROBLEM, said_of(waits), remedy)


def readable(settings: Settings) -> Iterator[Finding]:
    """Try on the outbox whether those can be let in who may read results."""
    wanted, of_folders = settings.results, [folder.group for folder in settings.folder.values()]
    groups = dict.fromkeys(each for each in (wanted.group, *wanted.groups, *of_folders) if each)
    if not settings.outbox.is_dir() or not os.access(settings.outbox, os.W_OK | os.X_OK):
        return
    tried = [("whoever drops a file", readers.Reader(uid=_SOMEBODY))] if wanted.readers == "dropper" else []
    for group in groups:
        try:
            tried.append((f"group {group}", readers.Reader(gid=grp.getgrnam(group).gr_gid)))
        except KeyError:
            yield Finding("readers", Health.PROBLEM, f"there is no group {group}", "make it, or mend results.group")
    for who, reader in tried:
        if wrong := readers.try_out(settings.outbox, reader):
            said = f"{who} cannot be let into {settings.outbox}: {wrong}"
            yield Finding("readers", Health.PROBLEM, said, 'mend that, or set results.readers = "daemon"')
        else:
            yield Finding("readers", Health.OK, f"{who} can be let in")


def attachable(settings: Settings) -> Iterator[Finding]:
    """Check the folders whose files may be attached, if any."""
    for folder in settings.attach.folders:
        if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            yield Finding("attach", Health.OK, f"{folder} may be attached")
        else:
            remedy = "make it readable, or take it out of attach.folders"
            yield Finding("attach", Health.PROBLEM, f"{folder} is no folder that can be read", remedy)


def _folder(name: str, place: Path) -> Finding:
    nearest = _nearest(place)
    elsewhere = f"or set {name} elsewhere"
    if not nearest.is_dir():
        return Finding(name, Health.PROBLEM, f"{nearest} is no folder", f"move it away, {elsewhere}")
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        return Finding(name, Health.PROBLEM, f"{nearest} may not be written", f"chown or chmod it, {elsewhere}")
    free = disk_usage(nearest).free
    if free < _LITTLE_SPACE:
        health = Health.PROBLEM if free < _NO_SPACE else Health.WARNING
        return Finding(name, health, f"{place}: only {bytes_of(free)} free", "make room")
    if not place.exists():
        return Finding(name, Health.OK, f"{place} will be made at the first start ({bytes_of(free)} free)")
    return _rights(name, place, f"{place} ({bytes_of(free)} free)")


def _rights(name: str, place: Path, said: str) -> Finding:
    mode = place.stat().st_mode
    if name == "inbox" and mode & _WRITABLE_BY_ALL:
        return Finding(name, Health.WARNING, f"{said}: all users may drop files, at your cost", f"chmod o-w {place}")
    # Readers of results pass through the outbox, and cannot look round.
    if name != "inbox" and mode & (_OPEN_TO_OTHERS & ~_GROUP_PASSES if name == "outbox" else _OPEN_TO_OTHERS):
        return Finding(name, Health.WARNING, f"{said}: open to other users", f"chmod 700 {place}")
    return Finding(name, Health.OK, said)


async def database(settings: Settings) -> Finding:
    """Check the database, every page of it."""
    if settings.store:
        return await _on_server(settings)
    file = anyio.Path(settings.state) / DATABASE
    if not await file.exists():
        return Finding("database", Health.OK, _NOT_MADE)
    try:
        async with look_into_store(Path(file)) as store:
            flaws = await store.database.flaws()
    except BatchdError as error:
        return Finding("database", Health.PROBLEM, str(error), "see docs/operations.md")
    if flaws:
        return Finding("database", Health.PROBLEM, f"{file} is damaged: {flaws[0]}", "see docs/operations.md")
    return Finding("database", Health.OK, f"{file} is sound ({bytes_of((await file.stat()).st_size)})")


async def _on_server(settings: Settings) -> Finding:
    """Check whether a server has our tables, or could; and whether anything could lose what was sent."""
    try:
        from batchd.edges.store.postgresql.safety import examined  # noqa: PLC0415  only where it is used
    except ImportError as error:
        return Finding("database", Health.PROBLEM, f"the package {error.name} is missing", FLEET)
    try:
        named, made, risks = await examined(settings.store)
    except BatchdError as error:
        return Finding("database", Health.PROBLEM, str(error), "see docs/fleet.md")
    if (kind := _file_system(_nearest(settings.state))) in _IN_MEMORY:
        risks.append(f"the state folder is on {kind}: a power cut takes what is still to be sent")
    if risks:
        return Finding("database", Health.WARNING, f"{named} could lose an intent: {'; '.join(risks)}", "docs/fleet.md")
    return Finding("database", Health.OK, f"{named}: {'keeps what it has committed' if made else _NOT_MADE}")


def machine(settings: Settings) -> Iterator[Finding]:
    """Check the machine: the lock, SQLite, the limits of the process, the file systems."""
    runs = daemon_runs(settings.state)
    yield Finding("daemon", Health.OK, "runs" if runs else "does not run: start it with `batchd run`")
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        yield Finding("sqlite", Health.PROBLEM, f"{sqlite3.sqlite_version} is too old", "use a Python with SQLite 3.38")
    else:
        yield Finding("sqlite", Health.OK, sqlite3.sqlite_version)
    try:
        watches = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    if watches < _FEW_WATCHES and not settings.intake.force_polling:
        remedy = f"sysctl fs.inotify.max_user_watches={_FEW_WATCHES}"
        yield Finding("inotify", Health.WARNING, f"only {watches:,} folders can be watched, by all programs", remedy)
    else:
        yield Finding("inotify", Health.OK, f"{watches:,} folders can be watched")


def _nearest(place: Path) -> Path:
    """The folder itself, or the one in which its missing part would be made."""
    absolute = place.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())


def _file_system(place: Path) -> str:
    """The kind of file system, as the kernel names it; empty where it does not say."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    real = place.resolve()
    found = [(mount[1], mount[2]) for line in mounts if len(mount := line.split()) > 2]  # noqa: PLR2004  fstab(5)
    around = [(len(point), kind) for point, kind in found if real.is_relative_to(point)]
    return max(around, default=(0, ""))[1]
