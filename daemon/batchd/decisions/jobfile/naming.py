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
    """The ids and names that a job has used so far; some 150 bytes an id, however long it is."""

    def __init__(self) -> None:
        self._ids: set[bytes] = set()
        self._folded: set[bytes] = set()

    def claim(self, custom_id: str) -> str | None:
        """Give an id its file name.

        Args:
            custom_id: The user's id; it must be encodable as UTF-8.

        Returns:
            A name that no other id of the job has, letter case ignored, or None when the id itself was used before.
        """
        digest = _digest(custom_id)
        if digest in self._ids:
            return None
        self._ids.add(digest)
        if not _PLAIN.match(custom_id):
            return safe_name(custom_id, taken=False)
        folded = custom_id.casefold()
        shadow = digest if folded == custom_id else _digest(folded)
        name = safe_name(custom_id, taken=shadow in self._folded)
        self._folded.add(shadow)
        return name


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
