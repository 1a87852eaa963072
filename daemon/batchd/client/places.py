"""Where a program finds the folders of an installation."""

import os
from pathlib import Path
from typing import TypeAlias

from batchd.settings import load_settings

Folder: TypeAlias = str | os.PathLike[str]


def inbox_at(given: Folder | None) -> Path:
    """The inbox: the one that was given, or that of the settings the command would find.

    Raises:
        Unusable: The settings are wrong.
    """
    return Path(given) if given is not None else load_settings({}, None).inbox


def outbox_at(given: Folder | None) -> Path:
    """The outbox, found as the inbox is.

    Raises:
        Unusable: The settings are wrong.
    """
    return Path(given) if given is not None else load_settings({}, None).outbox


def state_at() -> Path:
    """The state folder of the settings that the command would find.

    Raises:
        Unusable: The settings are wrong.
    """
    return load_settings({}, None).state
