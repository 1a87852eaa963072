"""The settings as flags, written once for all commands."""

import inspect
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec, TypeVar, cast

import typer

from batchd.edges.lock import daemon_runs
from batchd.errors import Unusable
from batchd.settings import Settings, load_places, load_settings

P = ParamSpec("P")
R = TypeVar("R")

_PANEL = "Settings"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key of TOML that needs no quotes."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings that were given as flags; file and environment have not been read yet."""

    config: Path | None = None
    flags: Mapping[str, object] = field(default_factory=dict)

    def settings(self, base: Mapping[str, object] | None = None) -> Settings:
        """Bring flags, environment, file and defaults together.

        Args:
            base: Other defaults, by table.

        Raises:
            Unusable: Something is unknown or malformed.
        """
        return load_settings(self.flags, self.config, base=base)

    def looked_at(self) -> Settings:
        """The same, for a command that only looks: where they are wrong, and a daemon holds to older ones, its places.

        Raises:
            Unusable: Something is unknown or malformed, and no daemon runs.
        """
        try:
            return self.settings()
        except Unusable:
            places = load_places(self.flags, self.config)
            if not daemon_runs(places.state):
                raise
            return places

    def words(self) -> list[str]:
        """Write the same flags again, for a command that this one calls."""
        said = [] if self.config is None else ["--config", str(self.config)]
        for key, value in _flat(self.flags):
            said += ["--set", f"{key}={value}"]
        return said

    def at(self, table: str, key: str, value: str) -> "Chosen":
        """The same with one setting that a flag of its own says."""
        return Chosen(self.config, _merged(self.flags, {table: {key: value}}))


def _chosen(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The settings file; else $BATCHD_CONFIG, ./batchd.toml or /etc/batchd/batchd.toml.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None,
    inbox: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Where requests come in. Default: ./inbox",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None,
    outbox: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Where results go out. Default: ./outbox", rich_help_panel=_PANEL, show_default=False
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Database, spool and lock. Default: ./.batchd",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any setting by its TOML key, such as poll.initial=5; may be repeated.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None,
) -> Chosen:
    flags: dict[str, object] = {"inbox": inbox, "outbox": outbox, "state": state}
    for setting in settings or ():
        flags = _merged(flags, _nested(setting))
    return Chosen(config, flags)


def takes_settings(command: Callable[Concatenate[Chosen, P], R]) -> Callable[..., R]:
    """Give a command the flags of all settings; it gets an `Options` as its first argument."""
    own = inspect.signature(command)
    flags = inspect.signature(_chosen).parameters
    # typer makes the values as the annotations say.
    make, act = cast("Callable[..., Chosen]", _chosen), cast("Callable[..., R]", command)

    @wraps(command)
    def with_flags(**values: object) -> R:
        chosen = make(**{name: values.pop(name) for name in flags})
        return act(chosen, **values)

    mine = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in list(own.parameters.values())[1:]]
    vars(with_flags)["__signature__"] = own.replace(parameters=[*mine, *flags.values()])
    return with_flags


def _nested(setting: str) -> dict[str, object]:
    """Read `poll.initial=5` as TOML reads its key, and leave the value to the settings, which know its type."""
    key, equals, value = setting.partition("=")
    try:
        nested: object = tomllib.loads(f"{key} = 0") if equals and "\n" not in key else None
    except tomllib.TOMLDecodeError:
        nested = None
    if not isinstance(nested, dict):
        raise Unusable(f"--set {setting!r}: write KEY=VALUE, such as poll.initial=5")
    table = nested
    while isinstance(inner := next(iter(table.values())), dict):
        table = inner
    table[next(iter(table))] = value.strip()
    return nested


def _flat(said: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    for key, value in said.items():
        whole = f"{before}{key if _BARE.fullmatch(key) else json.dumps(key)}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{whole}.")
        elif value is not None:
            yield whole, value


def _merged(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    whole = dict(under)
    for key, value in over.items():
        below = whole.get(key)
        whole[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return whole
