"""Taking files and bundles out of the inbox, and finishing what a crash interrupted in that."""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from batchd.decisions.bundle.contents import is_bundle
from batchd.edges import disk, trees
from batchd.edges.claims.claim import INSTRUCTIONS, Claim, Given, owner
from batchd.edges.claims.crossing import ORIGIN, remove_original, take_by_copy
from batchd.edges.durable import Together


def claim(inbox: Path, relative: PurePosixPath, claims: Path, instructions: Given | None = None) -> Claim:
    """Take a file out of the inbox, whatever it is; nothing may be done with it before it is `secure`.

    Args:
        relative: Its path below it, as `scan` found it.
        claims: The folder of claims, in the state folder.
        instructions: What is to be done with it; durable before it is taken. None where nobody has said.

    Returns:
        The claim. The file may have been replaced since the scan: ask `inbox.objection` again.

    Raises:
        FileNotFoundError: It has vanished.
        BlockingIOError: It changed while it was copied from another file system: it has not settled, and stays.
        OSError: It cannot be taken, and stays in the inbox.
    """
    disk.prepare(claims)
    # Milliseconds in 12 hexadecimal digits sort until the year 10889.
    name = f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(6)}"
    inside = PurePosixPath(name) / relative.parent
    try:
        with (
            disk.opened(inbox, relative.parent) as source,
            # Instructions must be durable before the file is taken; all else may become so with it.
            disk.opened(claims, inside, create=True, sync=instructions is not None) as target,
        ):
            if instructions is not None:
                with disk.opened(claims / name, instructions.folder) as theirs:
                    disk.write_whole(theirs, INSTRUCTIONS, [instructions.text])
                    os.fsync(theirs)
            try:
                os.rename(relative.name, relative.name, src_dir_fd=source, dst_dir_fd=target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _sync_names(claims, inside)
                take_by_copy(source, target, relative.name, claims / name)
            stat = os.stat(relative.name, dir_fd=target, follow_symlinks=False)
    except OSError:
        _discard_if_empty(claims / name)
        raise
    return Claim(name, claims / name, relative, stat.st_size, stat.st_mode, owner(claims / name, stat))


def secure(taken: Sequence[Claim], durable: Together, claims: Path, inbox: Path) -> None:
    """Make claims durable with what they hold, and their absence from the inbox; idempotent.

    Args:
        durable: The folder of claims is one of its roots, the inbox the last. All else that was noted is made durable,
            too.

    Raises:
        OSError: The disk refuses; repeat.
    """
    for claim in taken:
        if claim.is_bundle:
            with disk.opened(claim.folder, claim.relative) as tree:
                trees.sync(tree)
        inside = PurePosixPath(claim.id) / claim.relative
        # The content as well: whatever wrote the file need not have synced it.
        for each in (inside, *inside.parents):
            durable.note(claims, each)
        durable.note(inbox, claim.relative.parent)
    durable.sync()
    for claim in taken:
        (claim.folder / ORIGIN).unlink(missing_ok=True)


def recover_claims(inbox: Path, claims: Path, spoiled: dict[str, Exception] | None = None) -> list[Claim]:
    """Finish what a crash interrupted in `claim`; to be called at start, before anything else takes files.

    Args:
        inbox: The folder.
        claims: The folder of claims.
        spoiled: Takes up what cannot be recovered, by the name of its claim. It stays as it is, and keeps no other.

    Returns:
        Every claim that holds its file or bundle, oldest first. Those that hold nothing, or half a copy, are removed.
    """
    disk.prepare(claims)
    found: list[Claim] = []
    for folder in sorted(claims.iterdir()):
        try:
            held = _held(folder)
            if held is None:
                shutil.rmtree(folder)
                continue
            remove_original(inbox, held)
        except (OSError, ValueError) as error:
            if spoiled is not None:
                spoiled[folder.name] = error
            continue
        found.append(held)
    return found


def _sync_names(claims: Path, inside: PurePosixPath) -> None:
    """Make the folders of a claim durable, the deepest first."""
    for folder in (inside, *inside.parents):
        disk.sync_folder(claims / folder)


def _held(claimed: Path) -> Claim | None:
    """Find the file of a claim. Names of our own begin with a dot; names of taken files never do."""
    folder = claimed
    while True:
        with os.scandir(folder) as entries:
            entry = next((entry for entry in entries if not entry.name.startswith(".")), None)
        if entry is None:
            return None
        path = Path(entry.path)
        if not entry.is_dir(follow_symlinks=False) or is_bundle(entry.name):
            stat = path.lstat()
            relative = PurePosixPath(path.relative_to(claimed))
            return Claim(claimed.name, claimed, relative, stat.st_size, stat.st_mode, owner(claimed, stat))
        folder = path


def _discard_if_empty(folder: Path) -> None:
    """Remove a claim that took nothing; one that holds its file is left to `recover_claims`."""
    if folder.exists() and _held(folder) is None:
        shutil.rmtree(folder)
