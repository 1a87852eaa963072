"""What a service consists of: which files, where they go and what they say. Pure.

The unit files are the package's own, with the command that was called in the place of the one that they name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from batchd.errors import Unusable

DAEMON: Final = "batchd.service"
PAGE: Final = "batchd-page.service"
HIDDEN: Final = ("/home", "/root", "/run/user")
"""Where a unit with `ProtectHome=yes` sees nothing."""
_NAMED: Final = re.compile(r"^(Exec\w+=)/opt/batchd/bin/batchd(?= |$)", re.MULTILINE)
"""The command as the unit files have it."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the files of a service belong: of the machine, of a package of it, or of a user."""

    units: Path
    sysusers: Path | None = None
    tmpfiles: Path | None = None
    home: Path | None = None
    """The folder that holds a user's inbox and outbox, and the settings."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A file that belongs to the service."""

    path: Path
    text: str
    settings: bool = False
    """Whether it is the user's own once it is there."""


OF_THE_MACHINE: Final = Folders(
    Path("/etc/systemd/system"), sysusers=Path("/etc/sysusers.d"), tmpfiles=Path("/etc/tmpfiles.d")
)
OF_A_PACKAGE: Final = Folders(
    Path("/usr/lib/systemd/system"), sysusers=Path("/usr/lib/sysusers.d"), tmpfiles=Path("/usr/lib/tmpfiles.d")
)


def of_a_user(home: Path, configuration: Path) -> Folders:
    """Return the folders of a user.

    Args:
        home: The user's home.
        configuration: `$XDG_CONFIG_HOME`, or what stands for it.
    """
    return Folders(configuration / "systemd" / "user", home=home / "batchd")


def planned(
    folders: Folders, texts: Mapping[str, str], command: Sequence[str], *, page: bool, state: Path | None = None
) -> list[Planned]:
    """Say which files make the service.

    Args:
        folders: Where they go.
        texts: The package's files by name, such as `batchd.service` and `user/batchd.service`.
        command: What starts batchd, in words; the first is an absolute path.
        page: Whether the page goes along.
        state: A user's state folder, for the settings file.

    Raises:
        Unusable: This release has no unit for the page.
    """
    kind = "user/" if folders.home else ""
    units = [DAEMON, PAGE] if page else [DAEMON]
    if absent := [unit for unit in units if f"{kind}{unit}" not in texts]:
        raise Unusable(f"this release has no {kind}{absent[0]}: leave out --page")
    found = [Planned(folders.units / unit, _started_by(command, texts[f"{kind}{unit}"])) for unit in units]
    if folders.sysusers:
        found += _of_folder(folders.sysusers, texts, "sysusers.d/")
    if folders.tmpfiles:
        found += _of_folder(folders.tmpfiles, texts, "tmpfiles.d/")
    if folders.home:
        places = f'inbox = "inbox"\noutbox = "outbox"\nstate = {_quoted(str(state))}\n'
        found.append(Planned(folders.home / "batchd.toml", places, settings=True))
    return found


def out_of_sight(paths: Iterable[Path]) -> list[Path]:
    """Choose those that the service of the machine could not see."""
    return [path for path in paths if any(PurePosixPath(path).is_relative_to(hidden) for hidden in HIDDEN)]


def passing(paths: Iterable[Path]) -> list[Path]:
    """Choose those that lie in a cache, as of `uvx` and `pipx run`, and may be gone tomorrow."""
    return [path for path in paths if ".cache" in path.parts]


def next_commands(folders: Folders, *, page: bool, key: Path) -> list[str]:
    """Say what is left to be done after the files are there, as commands."""
    units = "batchd batchd-page" if page else "batchd"
    if folders.home:
        return [
            f"install -D -m 600 /dev/stdin {key}    # type the API's key, then Ctrl-D twice",
            "systemctl --user daemon-reload",
            f"systemctl --user enable --now {units}",
            "loginctl enable-linger    # so that it runs while you are not logged in",
            f"cd {folders.home} && batchd status",
        ]
    return [
        "systemd-sysusers && systemd-tmpfiles --create batchd.conf",
        f'systemd-ask-password "Key of the API:" | install -m 600 /dev/stdin {key}',
        "systemctl daemon-reload",
        f"systemctl enable --now {units}",
        "sudo -u batchd batchd status",
    ]


def _of_folder(folder: Path, texts: Mapping[str, str], kind: str) -> list[Planned]:
    return [Planned(folder / name[len(kind) :], text) for name, text in sorted(texts.items()) if name.startswith(kind)]


def _started_by(command: Sequence[str], unit: str) -> str:
    words = " ".join(_escaped(word) for word in command)
    return _NAMED.sub(lambda found: f"{found[1]}{words}", unit)


def _escaped(word: str) -> str:
    """Write a word as systemd reads it (systemd.service(5), "Command lines")."""
    if not word.isprintable():
        raise Unusable(f"{word!r}: a unit cannot name a path with such a character; install batchd elsewhere")
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return plain if re.fullmatch(r"[^\s'\\;]+", plain) else f'"{plain}"'


def _quoted(text: str) -> str:
    """Write a string as TOML has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
