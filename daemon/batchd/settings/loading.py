"""Where the settings come from: flags, the environment, a file, and the defaults, one over the other."""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from batchd.errors import Unusable
from batchd.settings.complaints import Layer, complaints
from batchd.settings.tables import PREFIX, Settings, describe
from batchd.settings.values import Field, Mistakes, fields_of, read_table

CONFIG_VARIABLE: Final = "BATCHD_CONFIG"
CONFIG_FILES: Final = (Path("batchd.toml"), Path("/etc/batchd/batchd.toml"))


def load_settings(
    flags: Mapping[str, object], config: Path | None, *, base: Mapping[str, object] | None = None
) -> Settings:
    """Bring flags, environment, settings file and defaults together; the first that says something decides.

    Relative paths, those of a settings file too, are relative to the current directory, as the defaults are.

    Args:
        flags: Nested as in TOML; None stands for a flag that was not given.
        config: The file of `--config`; None for the first that exists of `$BATCHD_CONFIG`, `./batchd.toml` and
            `/etc/batchd/batchd.toml`.
        base: Other defaults, by table; a table that contradicts what was said is left out.

    Raises:
        Unusable: Something is unknown or malformed: a line for each.
    """
    path = _config_file(config)
    layers = [
        Layer("a flag", _given(flags)),
        Layer("environment", _environment(), PREFIX),
        *([Layer(str(path), _read_toml(path))] if path is not None else []),
    ]
    said: dict[str, Any] = {}
    for layer in reversed(layers):
        said = _merged(said, layer.values)
    settings = _validated(said, layers)
    for table, replacement in (base or {}).items():
        candidate = _merged({table: replacement}, said)
        try:
            settings = read_table(Settings, candidate)
        except Mistakes:
            continue
        said = candidate
    return settings


def load_places(flags: Mapping[str, object], config: Path | None) -> Settings:
    """Bring together where folders and database are, whatever else is wrong; all other settings are the defaults.

    Raises:
        Unusable: That is wrong itself.
    """
    path = _config_file(config)
    try:
        in_file = _read_toml(path) if path is not None else {}
    except Unusable:
        in_file = {}
    layers = [Layer("a flag", _given(flags)), Layer("environment", _environment(), PREFIX), Layer(str(path), in_file)]
    said: dict[str, object] = {}
    for layer in reversed(layers):
        said |= {name: layer.values[name] for name in ("inbox", "outbox", "state", "store") if name in layer.values}
    return _validated(said, layers)


def settings_file(config: Path | None) -> Path | None:
    """Find the settings file that `load_settings` reads; None where there is none.

    Raises:
        Unusable: One was named that does not exist.
    """
    return _config_file(config)


def _config_file(config: Path | None) -> Path | None:
    asked = [("--config", config)] if config is not None else []
    if variable := os.environ.get(CONFIG_VARIABLE):
        asked.append((f"${CONFIG_VARIABLE}", Path(variable)))
    for named_by, path in asked:
        if not os.path.exists(path):  # noqa: PTH110  Path raises where this user may not look
            raise Unusable(f"{named_by} = {str(path)!r}: there is no such file; name one that exists, or leave it out")
        return path
    return default_config_file()


def default_config_file() -> Path | None:
    """Find the settings file that nobody named; one that this user may not look for is not there."""
    return next((path for path in CONFIG_FILES if os.path.exists(path)), None)  # noqa: PTH110  Path raises there


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{path} is not TOML: {error}") from None


def _environment() -> dict[str, Any]:
    """Read the environment: `__` stands between the levels, and a whole table is a JSON object."""
    found: dict[str, Any] = {}
    # The names of tables are shorter than those of what is in them: the part counts for more than the whole.
    for name, value in sorted(os.environ.items()):
        if not name.upper().startswith(PREFIX) or name.upper() == CONFIG_VARIABLE:
            continue
        rest = name[len(PREFIX) :].lower()
        table, *keys = rest.split("__")
        known = fields_of(Settings).get(table)
        if known is None or (keys and known.table is None):
            found[rest.replace("__", ".")] = value
            continue
        said: object = _whole_table(name, rest.replace("__", "."), value) if _is_table(known, keys) else value
        for key in reversed(keys):
            said = {key: said}
        found = _merged(found, {table: said})
    return found


def _is_table(of: Field, keys: Sequence[str]) -> bool:
    """Whether a variable stands for a table, or for one of tables that each have a name."""
    if of.table is None or not keys:
        return of.table is not None
    inner = None if of.by_id or len(keys) > 1 else fields_of(of.table).get(keys[0])
    return len(keys) == 1 and (of.by_id or (inner is not None and inner.table is not None))


def _whole_table(name: str, table: str, value: str) -> object:
    try:
        said = json.loads(value)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Unusable(
            f"${name}: a variable for all of [{table}] should be a JSON object; for one setting, use {name}__KEY"
        )
    return said


def _given(flags: Mapping[str, object]) -> dict[str, Any]:
    """Leave out what was not said."""
    nested = {key: _given(value) if isinstance(value, Mapping) else value for key, value in flags.items()}
    return {key: value for key, value in nested.items() if value is not None}


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(under)
    for key, value in over.items():
        below = whole.get(key)
        whole[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return whole


def _validated(said: dict[str, Any], layers: list[Layer]) -> Settings:
    try:
        return read_table(Settings, said)
    except Mistakes as mistakes:
        known = [setting.key for setting in describe()]
        raise Unusable("\n".join(complaints(mistakes.found, layers, known))) from None
