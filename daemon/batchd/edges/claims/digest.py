"""What was taken, in a digest: alike are the same bytes of the same name in the same folder, to be asked the same."""

import os
from collections.abc import Iterable
from hashlib import blake2b
from stat import S_ISREG

from batchd.edges import bundles, disk
from batchd.edges.claims.claim import Claim, chunks, instructions, open_claim


def digest_of(claim: Claim) -> str | None:
    """Digest what was taken, all files of a bundle, with its place and with what was said to do with it.

    Returns:
        A text; None for what is neither a file nor a bundle.

    Raises:
        OSError: It cannot be read (any more).
        Rejected: Its rights forbid it.
    """
    content = content_of(claim)
    if content is None:
        return None
    given = instructions(claim)
    found = blake2b(digest_size=32)
    found.update(os.fsencode(claim.called) + b"\0")
    found.update(b"%d:" % (-1 if given is None else len(given.text)) + (given.text if given else b""))
    found.update(content.encode())
    return found.hexdigest()


def content_of(claim: Claim) -> str | None:
    """Digest the bytes of what was taken, whatever it is called; returns and raises as `digest_of` does."""
    found = blake2b(digest_size=32)
    if claim.is_bundle:
        with bundles.opened(claim.path) as bundle:
            for path, size in sorted(bundle.contents().files.items()):
                found.update(b"%b\0%d:" % (os.fsencode(path), size))
                _add(found, bundle.pieces(path))
    elif S_ISREG(claim.mode):
        with open_claim(claim) as file:
            _add(found, chunks(file))
    else:
        return None
    return found.hexdigest()


def _add(to: blake2b, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        disk.stop_if_told()
        to.update(piece)
