"""The instructions of a folder, read from a hostile inbox: whose they are, and what they say.

It blocks: callers run it in a worker thread.
"""

import os
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from batchd.decisions.rows.prompt_file import LONGEST
from batchd.edges import disk

ROOT = 0


class Untrusted(Exception):
    """Nothing is done by these instructions; the message says why."""


def read_instructions(inbox: Path, folder: PurePosixPath, name: str, identity: tuple[int, int, int]) -> str | None:
    """Read what a folder says, if its owner, root or this user has written it (as sshd judges `authorized_keys`).

    The inbox is open to a group: otherwise anybody could tell what others' files are sent with.

    Args:
        folder: Below the inbox.
        name: Of the file.
        identity: Size, time and inode that were seen last.

    Returns:
        The text; None where the file is another one by now.

    Raises:
        Untrusted: It is nobody's who may instruct, no regular file, too long, or no text.
        OSError: It cannot be read.
    """
    with disk.opened(inbox, folder) as at:
        there = disk.stat_at(at, name)
        if there is None:
            return None
        if not S_ISREG(there.st_mode):
            raise Untrusted("only a regular file gives instructions, no link")
        with os.fdopen(disk.open_regular(name, folder=at), "rb") as file:
            stat = os.fstat(file.fileno())
            owner = os.fstat(at).st_uid
            if stat.st_uid not in {owner, ROOT, os.geteuid()}:
                whose = f"owned by user {stat.st_uid}; it counts only if it is owned by"
                raise Untrusted(f"{whose} the folder's owner (user {owner}), root, or the daemon's user")
            if stat.st_size > LONGEST:
                raise Untrusted(f"{stat.st_size:,} bytes; at most {LONGEST:,} are read")
            data = file.read(LONGEST + 1)
            if identity != (len(data), stat.st_mtime_ns, stat.st_ino):
                return None
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Untrusted("not UTF-8; save it as UTF-8") from None
