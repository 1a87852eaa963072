"""Every setting, as one frozen value, and where its parts come from.

A value made here directly (`Settings()`) reads nothing: only `load_settings` looks at the environment and at files.
The key is no setting: it is found when a client is made, and no value that could be shown holds it.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from batchd.errors import Unusable
from batchd.model import BETA_NAME, DEFAULT_MAX_TOKENS, DEFAULT_MODEL, LONG_TOKENS, MOST_DOLLARS
from batchd.settings_errors import Layer, complaints

PREFIX: Final = "BATCHD_"
CONFIG_VARIABLE: Final = "BATCHD_CONFIG"
CONFIG_FILES: Final = (Path("batchd.toml"), Path("/etc/batchd/batchd.toml"))
MAX_BATCH_BYTES: Final = 256_000_000
"""The API's limit of a batch, in the stricter reading of its "256 MB"."""
MAX_BATCH_REQUESTS: Final = 100_000
_KEY: Final = re.compile(r"[!-~]+")
DOUBT: Final = 900.0
DOUBT_PER_TIMEOUT: Final = 1.5


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("should be a number")  # noqa: TRY004  pydantic collects ValueErrors
    return value


def _listed(value: object) -> object:
    """An environment variable or a flag lists with commas, or as JSON."""
    if isinstance(value, str) and value.startswith("["):
        return json.loads(value)
    if isinstance(value, str):
        return tuple(part for part in (part.strip() for part in value.split(",")) if part)
    return value


def _place(value: Path) -> Path:
    if not value.parts or "\0" in str(value):
        raise ValueError("should be the path of a folder of its own")
    return value.expanduser()


def _real(place: Path) -> Path:
    """Where a folder really is, as far as that can be told: the working folder may be gone."""
    try:
        return Path(os.path.realpath(place))
    except OSError:
        return place


def _origin(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError("should begin with https:// (or http://), or be empty")
    if "@" in value:
        raise ValueError("should hold no user name or password: settings are shown, in logs too")
    return value.rstrip("/")


Number = BeforeValidator(_number)
Seconds = Annotated[float, Number, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Number, Field(ge=1)]
Dollars = Annotated[Decimal, Number, Field(ge=0, le=MOST_DOLLARS, allow_inf_nan=False)]
Place = Annotated[Path, AfterValidator(_place)]
Folders = Annotated[tuple[Place, ...], BeforeValidator(_listed)]
Beta = Annotated[str, Field(pattern=BETA_NAME)]
Betas = Annotated[tuple[Beta, ...], BeforeValidator(_listed)]


class Table(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _doubt(others: dict[str, Any]) -> float:
    return max(DOUBT, DOUBT_PER_TIMEOUT * float(others["timeout"]))


class Api(Table):
    """`[api]`: how the Message Batches API is reached."""

    base_url: Annotated[str, AfterValidator(_origin)] = Field(
        default="", description="Where the API is; empty for `$ANTHROPIC_BASE_URL`, or else the API's own place."
    )
    betas: Betas = Field(default=(), description="Beta headers added to every batch.")
    requests_per_minute: Count = Field(
        default=50, description="All calls together, reads too; 50 is the limit of the lowest tier."
    )
    max_queued_requests: Count = Field(
        default=100_000, description="Requests in unfinished batches at one time; the organization's limit is per tier."
    )
    timeout: Annotated[Seconds, Field(gt=0)] = Field(default=600.0, description="Seconds without a byte from the API.")
    doubt: Seconds = Field(
        default_factory=_doubt,
        description="Seconds that an unanswered create may take to show in the list, before it may be sent again. "
        "Unless set, at least 1.5 times `api.timeout`.",
    )


class Intake(Table):
    """`[intake]`: when a file is taken."""

    settle: Seconds = Field(
        default=1.0, description="A file counts as whole once its size and time have stood still for so many seconds."
    )
    rescan: Annotated[Seconds, Field(gt=0)] = Field(
        default=60.0, description="Seconds between full looks at the inbox, whatever the watcher says."
    )
    force_polling: bool = Field(
        default=False, description="Look for changes instead of being told of them: for NFS and SMB."
    )


class Packing(Table):
    """`[batch]`: which requests travel together."""

    linger: Seconds = Field(default=2.0, description="Seconds that a request may wait for company.")
    concurrency: Annotated[Count, Field(le=64)] = Field(default=4, description="Creates in flight at one time.")
    max_requests: Annotated[Count, Field(le=MAX_BATCH_REQUESTS)] = Field(
        default=10_000, description="Requests in one batch; smaller batches end sooner."
    )
    max_bytes: Annotated[Count, Field(le=MAX_BATCH_BYTES)] = Field(
        default=250_000_000, description="Bytes of one batch; the API takes 256 MB."
    )
    long_max_requests: Annotated[Count, Field(le=MAX_BATCH_REQUESTS)] = Field(
        default=20,
        description="Long requests in one batch: no result can be read before the whole batch has ended.",
    )
    long_tokens: Count = Field(default=LONG_TOKENS, description="A `max_tokens` above this makes a request long.")


class Poll(Table):
    """`[poll]`: how often a batch is asked for."""

    initial: Seconds = Field(default=60.0, description="Seconds before the first poll of a batch.")
    factor: Annotated[float, Number, Field(gt=1, allow_inf_nan=False)] = Field(
        default=1.5, description="By how much the wait grows from poll to poll."
    )
    max: Annotated[Seconds, Field(gt=0)] = Field(default=600.0, description="Seconds of the longest wait.")
    jitter: Annotated[float, Number, Field(ge=0, le=0.5)] = Field(
        default=0.1, description="By which part a wait is shortened or lengthened at random."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.initial:
            raise ValueError(f"poll.max ({self.max:g}) should not be less than poll.initial ({self.initial:g})")
        return self


class Retry(Table):
    """`[retry]`: how often a request is sent again."""

    max_attempts: Annotated[Count, Field(le=100)] = Field(
        default=3, description="Sendings of one request, the first included."
    )


class Sync(Table):
    """`[sync]`: requests that cannot wait for a batch."""

    concurrency: Annotated[Count, Field(le=48)] = Field(default=4, description="Messages under way at one time.")


class Defaults(Table):
    """`[defaults]`: for a request that does not say."""

    model: Annotated[str, Field(min_length=1)] = Field(default=DEFAULT_MODEL, description="The model's id.")
    max_tokens: Count = Field(default=DEFAULT_MAX_TOKENS, description="The longest answer, in tokens.")


class Budget(Table):
    """`[budget]`: what may be spent, in USD; the worst case is reserved before anything is sent."""

    per_job: Dollars = Field(
        default=Decimal(0), description="USD that a job may cost which does not say; 0 for any amount."
    )
    per_day: Dollars = Field(
        default=Decimal(0), description="USD that all jobs of a day (UTC) may cost; 0 for any amount."
    )


class Attach(Table):
    """`[attach]`: the files that may go along with a prompt."""

    folders: Folders = Field(
        default=(), description="Folders whose files a request may attach; none may be attached where this is empty."
    )


class ModelOverride(Table):
    """`[models."id"]`: what is to be known of a model instead of what the program knows."""

    max_output: Count | None = Field(default=None, description="The cap of `max_tokens` without a beta, in tokens.")
    long_output: bool | None = Field(default=None, description="Whether the 300K beta raises that cap.")
    window: Count | None = Field(default=None, description="The context window, in tokens.")


class Settings(Table):
    """All settings. Durations are seconds."""

    inbox: Place = Field(default=Path("inbox"), description="The folder where requests come in.")
    outbox: Place = Field(default=Path("outbox"), description="The folder where results go out.")
    state: Place = Field(default=Path(".batchd"), description="The folder of the database, the spool and the lock.")
    api: Api = Field(default_factory=Api)
    intake: Intake = Field(default_factory=Intake)
    batch: Packing = Field(default_factory=Packing)
    poll: Poll = Field(default_factory=Poll)
    retry: Retry = Field(default_factory=Retry)
    sync: Sync = Field(default_factory=Sync)
    defaults: Defaults = Field(default_factory=Defaults)
    budget: Budget = Field(default_factory=Budget)
    attach: Attach = Field(default_factory=Attach)
    models: dict[str, ModelOverride] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """An outbox within the inbox would be taken as input, and so on: no folder may hold another."""
        places = {name: _real(getattr(self, name)) for name in ("inbox", "outbox", "state")}
        for name, place in places.items():
            for other, around in places.items():
                if name != other and place.is_relative_to(around):
                    raise ValueError(
                        f"{name} ({place}) should not be {other} ({around}), nor lie in it: give it a place of its own"
                    )
        return self

    @model_validator(mode="after")
    def _private(self) -> Self:
        """What others asked, and were answered, is nobody's to attach."""
        for folder in self.attach.folders:
            real = _real(folder)
            for name in ("inbox", "outbox", "state"):
                place = _real(getattr(self, name))
                if place.is_relative_to(real) or real.is_relative_to(place):
                    raise ValueError(
                        f"attach.folders ({folder}) should not be {name} ({place}), nor hold it, nor lie in it: "
                        "list the folders of what is to be attached alone"
                    )
        return self


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is explained to people."""

    key: str
    """As in TOML, with its table: `poll.factor`."""
    default: object
    env: str
    """The name of its environment variable."""
    description: str


def describe() -> Iterator[Setting]:
    """List every setting in reading order; those of `[models."id"]` once, under a model id that stands for any."""
    defaults = Settings()
    for name, field in Settings.model_fields.items():
        value = getattr(defaults, name)
        if isinstance(value, Table):
            for key, inner in type(value).model_fields.items():
                env = f"{PREFIX}{name}__{key}".upper()
                yield Setting(f"{name}.{key}", getattr(value, key), env, inner.description or "")
        elif name == "models":
            for key, inner in ModelOverride.model_fields.items():
                yield Setting(f'models."id".{key}', None, f"{PREFIX}MODELS", inner.description or "")
        else:
            yield Setting(name, value, f"{PREFIX}{name}".upper(), field.description or "")


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
            settings = Settings(**candidate)
        except ValidationError:
            continue
        said = candidate
    return settings


def find_api_key() -> str | None:
    """Look for the key of the API; keep it out of anything that is shown.

    Returns:
        `$ANTHROPIC_API_KEY`, or what is in `$CREDENTIALS_DIRECTORY/anthropic-api-key` (systemd's LoadCredential);
        None leaves it to the SDK, which looks in further places.

    Raises:
        Unusable: It cannot be a key; or the file is there and cannot be read.
    """
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


def _sound(key: str, place: str) -> str:
    """What no header can carry is refused here, by a line that does not show it."""
    if not _KEY.fullmatch(key):
        raise Unusable(f"what is in {place} cannot be a key: one has letters, digits and dashes, and is a single line")
    return key


def _config_file(config: Path | None) -> Path | None:
    asked = [("--config", config)] if config is not None else []
    if variable := os.environ.get(CONFIG_VARIABLE):
        asked.append((f"${CONFIG_VARIABLE}", Path(variable)))
    for origin, path in asked:
        if not os.path.exists(path):  # noqa: PTH110  Path raises where this user may not look
            raise Unusable(f"{origin} = {str(path)!r}: there is no such file; name one that exists, or leave it out")
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
        field = Settings.model_fields.get(table)
        if field is None or (keys and field.annotation is Path):
            found[rest.replace("__", ".")] = value
            continue
        said: object = value if keys or field.annotation is Path else _whole_table(name, table, value)
        for key in reversed(keys):
            said = {key: said}
        found = _merged(found, {table: said})
    return found


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
        return Settings(**said)
    except ValidationError as error:
        known = [setting.key for setting in describe()]
        raise Unusable("\n".join(complaints(error, layers, known))) from None
