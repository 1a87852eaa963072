"""Plain parameters, read without pydantic: typer imports it for every value, at 0.1 s."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast, get_args, get_origin

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

_PLAIN: Final[frozenset[object]] = frozenset({str, Path, bool})
_CHECKED: Final = ("envvar", "parser", "exists", "resolve_path", "allow_dash", "max")
"""What makes typer look at a value more closely."""


class PlainCommand(TyperCommand):
    """A command whose plain parameters are read plainly."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401  typer keeps its type to itself
        """Return all parameters, the option for help too."""
        return _read_plainly(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """A group whose plain parameters are read plainly."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401  typer keeps its type to itself
        """Return all parameters, the option for help too."""
        return _read_plainly(super().get_params(ctx))


class _Plain:
    """Takes a value as it was given."""

    def __init__(self, kind: Callable[[object], object], *, many: bool) -> None:
        self._kind = kind
        self._many = many

    def coerce(self, value: object, param: object, ctx: object) -> object:
        if self._many:
            return [self._kind(each) for each in cast("list[object]", value or [])]
        try:
            return None if value is None else self._kind(value)
        except BadParameter as wrong:
            raise BadParameter(wrong.message, cast("Any", ctx), cast("Any", param)) from None


def _whole_number(value: object, *, least: int | None) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise BadParameter(f"{value!r} is no whole number") from None
    if least is not None and number < least:
        raise BadParameter(f"{number} is less than {least}")
    return number


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise BadParameter(f"{value!r} is no number") from None


def _read_plainly(parameters: list[Any]) -> list[Any]:
    """Let those be read plainly that are plain; another release of typer, with other insides, goes on as it does."""
    for each in parameters:
        if getattr(each, "_runtime_param", each) is not None:
            continue
        descriptor = each.type_descriptor
        if any(getattr(descriptor.parameter_info, name, None) for name in _CHECKED):
            continue
        many = get_origin(descriptor.annotation) is list
        kind = get_args(descriptor.annotation)[0] if many else descriptor.annotation
        if kind is float and getattr(descriptor.parameter_info, "min", None) is None:
            kind = _number
        if kind is int:
            kind = partial(_whole_number, least=descriptor.parameter_info.min)
        elif getattr(descriptor.parameter_info, "min", None) is not None:
            continue
        if kind in _PLAIN or kind is _number or isinstance(kind, partial):
            each._runtime_param = _Plain(kind, many=many)  # noqa: SLF001  there is no other place to say so
    return parameters
