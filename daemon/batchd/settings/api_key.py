"""The key of the API: no setting, but found when a client is made; no value that could be shown holds it."""

import os
import re
from pathlib import Path
from typing import Final

from batchd.errors import Unusable

_KEY: Final = re.compile(r"[!-~]+")


def find_api_key(key_file: Path | None = None) -> str | None:
    """Look for the key of the API; keep it out of anything that is shown.

    Args:
        key_file: What `api.key_file` says; None where it says nothing.

    Returns:
        What is in that file; or `$ANTHROPIC_API_KEY`, or what is in `$CREDENTIALS_DIRECTORY/anthropic-api-key`
        (systemd's LoadCredential); None leaves it to the SDK, which looks in further places.

    Raises:
        Unusable: It cannot be a key; or the file is there and cannot be read; or `key_file` is not there.
    """
    if key_file is not None:
        return key_in(key_file, "api.key_file")
    if key := os.environ.get("ANTHROPIC_API_KEY", "").strip():
        return _sound(key, "$ANTHROPIC_API_KEY")
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        file = Path(folder, "anthropic-api-key")
        try:
            key = file.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unusable(f"the key in {file} cannot be read: {error.strerror}") from None
        return _sound(key, str(file)) if key else None
    return None


def key_in(file: Path, setting: str) -> str:
    """Read the key that is in a file.

    Args:
        file: The file.
        setting: What names it, for people.

    Raises:
        Unusable: It cannot be read, or holds no key.
    """
    try:
        key = file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise Unusable(f"the key in {file} ({setting}) cannot be read: {error.strerror}") from None
    return _sound(key, str(file))


def _sound(key: str, place: str) -> str:
    """What no header can carry is refused here, by a line that does not show it."""
    if not _KEY.fullmatch(key):
        raise Unusable(f"what is in {place} cannot be a key: one has letters, digits and dashes, and is a single line")
    return key
