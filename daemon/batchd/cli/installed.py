"""The database of the installation that a command is about."""

import os
import pwd
from pathlib import Path

from batchd.cli.console import printable
from batchd.errors import Unusable
from batchd.settings import Settings


def installed(settings: Settings) -> Path | str:
    """Find the database of an installation: its file, or the URL of a server's, which says itself what is in it.

    Raises:
        Unusable: There is none, or this user may not look for it.
    """
    state, path = settings.state, settings.database
    if not isinstance(path, Path):
        return path
    try:
        path.stat()
    except PermissionError:
        raise Unusable(
            f"{printable(str(path))}: user {_name()} may not look there; run the command as the daemon's user"
        ) from None
    except OSError:
        raise Unusable(
            f"there is no installation here: no daemon has run on {printable(str(state))} yet; start `batchd run`, or "
            "name the state folder with --state"
        ) from None
    return path


def _name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
