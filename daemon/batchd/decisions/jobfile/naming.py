"""What a request is called: its user's id, and the file name made of it that leaves no folder and meets no other."""

import hashlib
import re
from array import array
from bisect import bisect_right
from typing import Final

LONGEST_ID: Final = 256
"""Characters of a custom_id (CONTRACT.md)."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_NUMBERED: Final = re.compile(r"row-([1-9][0-9]{0,11})\Z")
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
    """The ids and names that a job has used so far: some 30 bytes an id, and none for `row-2`, `row-3` … in order."""

    def __init__(self) -> None:
        self._ids = _Digests()
        self._folded = _Digests()
        """Of plain ids that have capitals, in small letters."""
        self._rows = _Numbers()
        """Of the ids `row-N` that came in order, which are kept nowhere else."""

    def claim(self, custom_id: str) -> str | None:
        """Give an id its file name.

        Args:
            custom_id: The user's id; it must be encodable as UTF-8.

        Returns:
            A name that no other id of the job has, letter case ignored, or None when the id itself was used before.
        """
        digest = _digest(custom_id)
        if not self._add(custom_id, digest):
            return None
        if not _PLAIN.match(custom_id):
            return safe_name(custom_id, taken=False)
        folded = custom_id.casefold()
        if folded == custom_id:
            return safe_name(custom_id, taken=digest in self._folded)
        shadow = _digest(folded)
        name = safe_name(custom_id, taken=self._used(folded, shadow) or shadow in self._folded)
        self._folded.add(shadow)
        return name

    def _used(self, custom_id: str, digest: bytes) -> bool:
        return _row(custom_id) in self._rows or digest in self._ids

    def _add(self, custom_id: str, digest: bytes) -> bool:
        """Take an id in; return whether it is new."""
        if self._used(custom_id, digest):
            return False
        return self._rows.add(_row(custom_id)) or self._ids.add(digest)


class _Numbers:
    """A set of numbers that mostly come one after the other: what it keeps grows with the gaps alone."""

    def __init__(self) -> None:
        self._first, self._last = array("Q"), array("Q")
        """Of each stretch without a gap, in order."""

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._first, number) - 1
        return at >= 0 and number <= self._last[at]

    def add(self, number: int) -> bool:
        """Take in a number above 0 that is larger than all before; return whether it was one."""
        if number <= (self._last[-1] if self._last else 0):
            return False
        if self._last and number == self._last[-1] + 1:
            self._last[-1] = number
        else:
            self._first.append(number)
            self._last.append(number)
        return True


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


def _row(custom_id: str) -> int:
    """Read the number of a row out of the id that rows get; 0 of any other id."""
    found = _NUMBERED.match(custom_id)
    return int(found[1]) if found else 0


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
