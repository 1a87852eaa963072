"""What a request is called: its user's id, and the file name made of it that leaves no folder and meets no other."""

import hashlib
import re
from typing import Final

LONGEST_ID: Final = 256
"""Characters of a custom_id (CONTRACT.md)."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_SLUG: Final = 60
_HASH_DIGITS: Final = 20
_DIGEST_BYTES: Final = 16


def safe_name(custom_id: str, *, taken: bool) -> str:
    """Make a file name, without suffix, out of a custom_id.

    A plain id is its own name. Any other gets a readable part, `~` and 80 bits of its hash: `~` occurs in no plain
    id, so the two kinds never meet, and the hash has one case of letters only.

    Args:
        custom_id: The user's id, of any characters.
        taken: Whether another id of the job already has this name, upper and lower case being one.

    Returns:
        1 to 100 characters of `[A-Za-z0-9_~-]`.
    """
    if not taken and _PLAIN.match(custom_id):
        return custom_id
    slug = _UNSAFE.sub("-", custom_id).strip("-")[:_SLUG] or "request"
    digest = hashlib.sha256(custom_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{slug}~{digest[:_HASH_DIGITS]}"


class Names:
    """The ids and names that a job has used so far: some 30 bytes an id, however long it is."""

    def __init__(self) -> None:
        self._ids = _Digests()
        self._folded = _Digests()
        """Of plain ids that have capitals, in small letters."""

    def claim(self, custom_id: str) -> str | None:
        """Give an id its file name.

        Args:
            custom_id: The user's id; it must be encodable as UTF-8.

        Returns:
            A name that no other id of the job has, letter case ignored, or None when the id itself was used before.
        """
        digest = _digest(custom_id)
        if not self._ids.add(digest):
            return None
        if not _PLAIN.match(custom_id):
            return safe_name(custom_id, taken=False)
        folded = custom_id.casefold()
        if folded == custom_id:
            return safe_name(custom_id, taken=digest in self._folded)
        shadow = _digest(folded)
        name = safe_name(custom_id, taken=shadow in self._ids or shadow in self._folded)
        self._folded.add(shadow)
        return name


class _Digests:
    """A set of digests that has no object for each: they lie in rows of bytes, by how they begin."""

    _BEGIN: Final = 2
    _REST: Final = _DIGEST_BYTES - _BEGIN

    def __init__(self) -> None:
        self._rows: dict[bytes, bytearray] = {}

    def __contains__(self, digest: bytes) -> bool:
        row, rest = self._rows.get(digest[: self._BEGIN]), digest[self._BEGIN :]
        if row is None:
            return False
        found = row.find(rest)
        while found > 0 and found % self._REST:  # across the border of two others
            found = row.find(rest, found + 1)
        return found >= 0

    def add(self, digest: bytes) -> bool:
        """Take a digest in; return whether it is new."""
        if digest in self:
            return False
        self._rows.setdefault(digest[: self._BEGIN], bytearray()).extend(digest[self._BEGIN :])
        return True


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
