"""Who may read what lies in the outbox, beside the daemon's user: rights that are given to folders and files.

Whoever dropped a file gets an access control list's entry of their own (acl(5)), which their owner may set without
being root; a group gets the folder, and its rights. On what is above a job's folder they may pass, and not look round.
All of it may be repeated, and blocks: callers run it in a worker thread.
"""

import errno
import grp
import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISGID
from typing import Final

from batchd.edges import disk
from batchd.errors import Unusable

_ACCESS: Final = "system.posix_acl_access"
_DEFAULT: Final = "system.posix_acl_default"
_VERSION: Final = struct.pack("<I", 2)
_ENTRY: Final = struct.Struct("<HHI")
"""Tag, rights and id of an entry (linux/posix_acl_xattr.h)."""
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY: Final = 0xFFFFFFFF
"""The id of an entry that names none."""
_GROUP_CLASS: Final = frozenset({_USER, _GROUP_OBJ, _GROUP})
_READ, _PASS = 4, 1
_WITHOUT_LISTS: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})

_Key = tuple[int, int]
"""Tag and id."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One who is let in: a user, or a group."""

    uid: int | None = None
    gid: int | None = None

    @property
    def _key(self) -> _Key:
        return (_USER, self.uid) if self.uid is not None else (_GROUP, self.gid or 0)


def reader_of(kind: str, group: str | None, dropper: int | None) -> Reader | None:
    """Tell who is to be let in; None where it is nobody but the daemon's own user.

    Args:
        kind: One of `model.READERS`.
        group: Its name, where it is a group.
        dropper: The user who owned the dropped file; None where that is not known.

    Raises:
        Unusable: There is no such group.
    """
    if kind == "dropper":
        return Reader(uid=dropper) if dropper not in {None, 0, os.geteuid()} else None
    if kind == "group" and group:
        try:
            return Reader(gid=grp.getgrnam(group).gr_gid)
        except KeyError:
            raise Unusable(f"there is no group {group!r} on this machine") from None
    return None


def let_in(outbox: Path, folder: PurePosixPath, reader: Reader) -> None:
    """Let somebody read a folder of the outbox, and what will be made in it; and pass all that is above.

    Raises:
        OSError: The file system has no access control lists, or this user may not set them.
    """
    _let_through(outbox, folder.parent, reader)
    with disk.opened(outbox, folder) as at:
        if reader.uid is not None:
            _add(at, _ACCESS, reader, _READ | _PASS)
            _add(at, _DEFAULT, reader, _READ | _PASS)
        else:
            os.fchown(at, -1, reader.gid or 0)
            os.fchmod(at, disk.PRIVATE_FOLDER | disk.SHARED_FOLDER | S_ISGID)
        os.fsync(at)


def let_read(outbox: Path, file: PurePosixPath, reader: Reader) -> None:
    """Let somebody read one file of the outbox, and pass all that is above it.

    Raises:
        OSError: As `let_in` does.
    """
    _let_through(outbox, file.parent, reader)
    with disk.opened(outbox, file.parent) as folder:
        descriptor = disk.open_regular(file.name, folder=folder)
    try:
        if reader.uid is None:
            os.fchown(descriptor, -1, reader.gid or 0)
            os.fchmod(descriptor, disk.PRIVATE_FILE | disk.SHARED_FILE)
        elif os.fstat(descriptor).st_uid != reader.uid:
            _add(descriptor, _ACCESS, reader, _READ)
    finally:
        os.close(descriptor)


def _let_through(outbox: Path, inside: PurePosixPath, reader: Reader) -> None:
    for above in (inside, *inside.parents):
        with disk.opened(outbox, above) as folder:
            try:
                _add(folder, _ACCESS, reader, _PASS)
            except OSError as error:
                if reader.gid is None or error.errno not in _WITHOUT_LISTS:
                    raise
                # A share without access control lists: the folder's own group passes.
                os.fchown(folder, -1, reader.gid)
                os.fchmod(folder, os.fstat(folder).st_mode & 0o7777 | _PASS << 3)


def _add(descriptor: int, name: str, reader: Reader, rights: int) -> None:
    """Give somebody rights beside those that they have; nothing is written where they have them."""
    entries = _entries(descriptor, name)
    before = dict(entries)
    entries[reader._key] = entries.get(reader._key, 0) | rights  # noqa: SLF001  of this room
    least = 0
    for (tag, _), given in entries.items():
        if tag in _GROUP_CLASS:
            least |= given
    entries[(_MASK, _NOBODY)] = least
    if entries != before:
        os.setxattr(descriptor, name, _packed(entries))


def _entries(descriptor: int, name: str) -> dict[_Key, int]:
    """The entries of a list; where there is none, those that say what the mode says."""
    try:
        packed = os.getxattr(descriptor, name)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = os.fstat(descriptor).st_mode
        rights = {_USER_OBJ: mode >> 6 & 7, _GROUP_OBJ: mode >> 3 & 7, _OTHER: mode & 7}
        return {(tag, _NOBODY): given for tag, given in rights.items()}
    found = _ENTRY.iter_unpack(packed[len(_VERSION) :])
    return {(tag, whose): given for tag, given, whose in found}


def _packed(entries: Mapping[_Key, int]) -> bytes:
    return _VERSION + b"".join(_ENTRY.pack(tag, given, whose) for (tag, whose), given in sorted(entries.items()))


def try_out(outbox: Path, reader: Reader) -> str:
    """Try on a folder of the outbox whether somebody can be let in; say what is wrong, or nothing where all is well."""
    name = f".readers-{os.getpid()}.part"
    trial = outbox / name
    try:
        trial.mkdir(disk.PRIVATE_FOLDER)
        with disk.opened(outbox, PurePosixPath(name)) as at:
            if reader.uid is not None:
                _add(at, _ACCESS, reader, _READ | _PASS)
                _add(at, _DEFAULT, reader, _READ | _PASS)
            else:
                os.fchown(at, -1, reader.gid or 0)
                os.fchmod(at, disk.PRIVATE_FOLDER | disk.SHARED_FOLDER | S_ISGID)
                if not os.fstat(at).st_mode & S_ISGID:
                    return "this user is no member of the group"
    except OSError as error:
        if error.errno in _WITHOUT_LISTS:
            return "this file system has no access control lists"
        return str(error.strerror)
    finally:
        with suppress(OSError):
            trial.rmdir()
    return ""
