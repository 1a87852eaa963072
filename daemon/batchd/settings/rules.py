"""What the value of a setting may be: a rule for each kind. The last of a setting's rules counts.

Pure. A rule takes what TOML, a flag or the environment says, in which a number may be written as text, and returns the
value, or raises ValueError with what would do.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from math import isfinite
from pathlib import Path
from typing import Final, TypeAlias

from batchd.text.hours import hours_of

Rule: TypeAlias = Callable[[object], object]
_Bound: TypeAlias = int | float | Decimal | None

_WHOLE: Final = re.compile(r"\s*([+-]?\d+(?:_\d+)*)(?:\.0+)?\s*", re.ASCII)
_CLOCK: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
_MOST_DIGITS: Final = 4_000
"""Python reads no more than 4,300 into one number."""
_FLAGS: Final = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}


class OfPart(ValueError):
    """A part of a list cannot be what it should."""

    def __init__(self, message: str, value: object) -> None:
        super().__init__(message)
        self.value = value


def real(*, least: _Bound = None, above: _Bound = None, most: _Bound = None) -> Rule:
    """Expect a finite number."""

    def read(said: object) -> float:
        _no_flag(said)
        if isinstance(said, str) and not said.isascii():
            said = ""
        try:
            number = float(said) if isinstance(said, str | int | float | Decimal) else None
        except OverflowError:
            raise ValueError("should be a finite number") from None
        except ValueError:
            raise ValueError("should be a valid number, unable to parse string as a number") from None
        if number is None:
            raise ValueError("should be a valid number")
        if not isfinite(number):
            raise ValueError("should be a finite number")
        _within(number, least, above, most)
        return number

    return read


def whole(*, least: _Bound = None, most: _Bound = None) -> Rule:
    """Expect a whole number."""

    def read(said: object) -> int:
        _no_flag(said)
        if isinstance(said, str):
            found = _WHOLE.fullmatch(said) if len(said) < _MOST_DIGITS else None
            if found is None:
                raise ValueError("should be a valid integer, unable to parse string as an integer")
            number = int(found[1])
        elif isinstance(said, float) and said.is_integer():
            number = int(said)
        elif isinstance(said, float) and not isfinite(said):
            raise ValueError("should be a finite number")
        elif isinstance(said, float):
            raise ValueError("should be a valid integer, got a number with a fractional part")
        elif isinstance(said, int):
            number = said
        else:
            raise ValueError("should be a valid integer")
        _within(number, least, None, most)
        return number

    return read


def amount(*, least: _Bound = None, most: _Bound = None) -> Rule:
    """Expect a finite amount of money, exactly as it is written."""

    def read(said: object) -> Decimal:
        _no_flag(said)
        if not isinstance(said, str | int | float | Decimal):
            raise ValueError("should be a valid decimal")  # noqa: TRY004  a mistake of a person
        try:
            number = said if isinstance(said, Decimal) else Decimal(str(said))
        except (InvalidOperation, ValueError):
            raise ValueError("should be a valid decimal") from None
        if not number.is_finite():
            raise ValueError("should be a finite number")
        _within(number, least, None, most)
        return number

    return read


def text(*, pattern: str = "", shortest: int = 0) -> Rule:
    """Expect text: of some length, or in which a pattern is found."""

    def read(said: object) -> str:
        if not isinstance(said, str):
            raise ValueError("should be a valid string")  # noqa: TRY004  a mistake of a person
        if len(said) < shortest:
            raise ValueError(f"should have at least {shortest} character{'s' if shortest > 1 else ''}")
        if not re.search(pattern, said):
            raise ValueError(f"should match pattern '{pattern}'")
        return said

    return read


def time_of_day(said: object) -> str:
    """Expect a time as a clock of 24 hours shows it."""
    if not isinstance(said, str) or not _CLOCK.fullmatch(said):
        raise ValueError('should be a time of day such as "03:30"')
    return said


def part_of_day(said: object) -> str:
    """Expect two times of a day, or nothing for all of it."""
    if not isinstance(said, str) or (said and hours_of(said) is None):
        raise ValueError('should be two times of a day such as "20:00-06:00"')
    return said


def flag(said: object) -> bool:
    """Expect true or false, or a word for either."""
    if isinstance(said, bool | int | float | str):
        found = _FLAGS.get(said.lower() if isinstance(said, str) else str(int(said)) if said in {0, 1} else "")
        if found is None:
            raise ValueError("should be a valid boolean, unable to interpret input")
        return found
    raise ValueError("should be a valid boolean")


def place(said: object) -> Path:
    """Expect the path of a folder."""
    if not isinstance(said, str | Path):
        raise ValueError("should be the path of a folder")  # noqa: TRY004  a mistake of a person
    path = Path(said)
    if not path.parts or "\0" in str(path):
        raise ValueError("should be the path of a folder of its own")
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("should begin with the home of a user who exists, or with no ~") from None


def origin(said: object) -> str:
    """Expect an address of a server, or nothing."""
    if not isinstance(said, str):
        raise ValueError("should be a valid string")  # noqa: TRY004  a mistake of a person
    if said and not said.startswith(("https://", "http://")):
        raise ValueError("should begin with https:// (or http://), or be empty")
    if "@" in said:
        raise ValueError("should hold no user name or password: settings are shown, in logs too")
    return said.rstrip("/")


@dataclass(frozen=True, slots=True)
class Address:
    """Where something is to be sent: it may hold a secret, and is not shown."""

    value: str = field(repr=False)

    @property
    def shown(self) -> str:
        """As much of it as may be shown: scheme and host."""
        return _BEFORE_SECRETS.sub(r"\1\2", self.value.partition("?")[0]) if "://" in self.value else "…"


_BEFORE_SECRETS: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/]*@)?([^/:]*).*$", re.DOTALL)


class _NotShown:
    """Stands for a value that may hold a secret."""

    def __str__(self) -> str:
        return "(not shown)"


def unless_text(said: object) -> object:
    """What may be shown where a table was expected: no text, which may be a secret of one of its places."""
    return _NotShown() if isinstance(said, str) else said


def address(*schemes: str) -> Rule:
    """Expect an address that may hold a secret: what is wrong with it is told without it."""

    def read(said: object) -> Address:
        scheme = said.partition("://")[0].lower() if isinstance(said, str) and "://" in said else ""
        if not isinstance(said, str) or not scheme or (schemes and scheme not in schemes):
            begin = " or ".join(f"{each}://" for each in schemes) or "scheme://"
            raise OfPart(f"should be an address that begins with {begin}", _NotShown())
        if schemes and not _HOST.match(said):
            raise OfPart("should name a host", _NotShown())
        if any(char.isspace() or not char.isprintable() for char in said):
            raise OfPart("should hold no spaces or control characters", _NotShown())
        return Address(said)

    return read


_HOST: Final = re.compile(
    r"^https?://(?:[^/?#]*@)?(?:\[[0-9A-Fa-f:.%]+\]|[^/?#:@\[\]]+)(?::\d{1,5})?(?:[/?#]|$)", re.IGNORECASE
)


def one_of(*known: str) -> Rule:
    """Expect one of some words."""

    def read(said: object) -> str:
        if said not in known:
            raise ValueError(f"should be one of {', '.join(known)}")
        return str(said)

    return read


def listening(said: object) -> str:
    """Expect where to listen on this machine, or nothing."""
    if not isinstance(said, str):
        raise ValueError("should be a valid string")  # noqa: TRY004  a mistake of a person
    if not said or (said.startswith("unix:") and len(said) > len("unix:")):
        return said
    host, _, port = said.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= _LAST_PORT:
        raise ValueError("should be host:port, such as 127.0.0.1:9790, or unix: and the path of a socket, or empty")
    return said


_LAST_PORT: Final = 65_535


def moment(said: object) -> str:
    """Expect a time of the day, as `07:30`, or nothing."""
    if not isinstance(said, str) or (said and not _CLOCK.fullmatch(said)):
        raise ValueError("should be a time of the day such as 07:30, or empty")
    return said


def listed(rule: Rule) -> Rule:
    """Expect a list of one kind; an environment variable or a flag lists with commas, or as JSON."""

    def read(said: object) -> tuple[object, ...]:
        if isinstance(said, str):
            said = (
                json.loads(said)
                if said.startswith("[")
                else [part for each in said.split(",") if (part := each.strip())]
            )
        if not isinstance(said, list | tuple):
            raise ValueError("should be a list")  # noqa: TRY004  a mistake of a person
        return tuple(map(_part, said))

    def _part(said: object) -> object:
        try:
            return rule(said)
        except ValueError as error:
            raise OfPart(str(error), said) from None

    return read


def names(said: object) -> dict[str, str]:
    """Expect a table of names, each with what it stands for; an environment variable or a flag has it as JSON."""
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            raise ValueError('should be a JSON object such as {"gpt-4o-mini": "claude-haiku-5-5"}') from None
    if not isinstance(said, Mapping):
        raise ValueError('should be a table such as "gpt-4o-mini" = "claude-haiku-5-5"')  # noqa: TRY004  same
    for name, each in said.items():
        if not isinstance(each, str) or not each.strip():
            raise ValueError(f"{name!r} should stand for the name of a model")
    return dict(said)


_SERVER = re.compile(r"postgres(ql)?://(?P<user>[^/@]*@)?")


def server(said: object) -> str:
    """Expect the URL of a database, or nothing; a password has no place in settings."""
    if said == "":
        return ""
    found = _SERVER.match(said) if isinstance(said, str) else None
    if found is None:
        raise ValueError('should be "" for a file in the state folder, or postgresql://HOST/DATABASE')
    if ":" in (found["user"] or "") or "password=" in found.string:
        raise ValueError(
            "should not hold a password: put it into the file of $PGPASSFILE, or into $CREDENTIALS_DIRECTORY/store"
        )
    return found.string


def optional(rule: Rule) -> Rule:
    """Expect a value of this kind, or none."""
    return lambda said: None if said is None else rule(said)


def _no_flag(said: object) -> None:
    if isinstance(said, bool):
        raise ValueError("should be a number")  # noqa: TRY004  a mistake of a person


def _within(number: float | Decimal, least: _Bound, above: _Bound, most: _Bound) -> None:
    if least is not None and number < least:
        raise ValueError(f"should be greater than or equal to {least}")
    if above is not None and number <= above:
        raise ValueError(f"should be greater than {above}")
    if most is not None and number > most:
        raise ValueError(f"should be less than or equal to {most}")
