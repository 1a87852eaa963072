"""JSON and plain values read as types, by as many threads as like.

msgspec looks through a class when it is first read, and keeps what it finds with the class before it is whole. While it
still looks, a second thread that reads the same class for the first time follows a null pointer, and the process dies
(`StructInfo_Convert` of msgspec 0.22, and of what follows it; seen three times, as a daemon took two files at once).
Here one thread at a time looks, so whatever reads a type reads it by this room.
"""

import threading
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_DECODERS: Final[dict[object, msgspec.json.Decoder[Any]]] = {}
_LOOKING: Final = threading.Lock()


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return what decodes JSON into values of a type, made once in a process."""
    found = _DECODERS.get(kind)
    if found is None:
        with _LOOKING:
            found = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    return found


def decode(text: bytes | str, kind: type[T]) -> T:
    """Decode JSON.

    Raises:
        msgspec.DecodeError: It is no JSON; as `msgspec.ValidationError`: it is no value of that type.
    """
    return decoder(kind).decode(text)


def convert(value: object, kind: type[T], *, strict: bool = True) -> T:
    """Make a value of a type out of dicts, lists and plain values.

    Raises:
        msgspec.ValidationError: It is none.
    """
    decoder(kind)  # so that one thread has looked through it
    return msgspec.convert(value, kind, strict=strict)
