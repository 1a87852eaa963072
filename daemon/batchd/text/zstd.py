"""zstd, as Python itself has it from 3.14 on, and `backports.zstd` has it before."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType
from typing import BinaryIO, Final, Protocol, cast

ENDING: Final = ".zst"
NEEDED: Final = "pip install 'batchd[zstd]'"
"""What brings it."""
_CHUNK: Final = 1 << 20


class _Packing(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Missing(Exception):
    """This Python has no zstd."""

    def __init__(self) -> None:
        super().__init__(f"this Python has no zstd: {NEEDED}")


def is_there() -> bool:
    """Whether this Python has it."""
    try:
        _library()
    except Missing:
        return False
    return True


def packed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pack bytes as they come.

    Raises:
        Missing: This Python has no zstd.
    """
    packing = cast("_Packing", _library().ZstdCompressor())
    for chunk in chunks:
        if done := packing.compress(chunk):
            yield done
    yield packing.flush()


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Read what was packed.

    Raises:
        Missing: This Python has no zstd.
        OSError: It cannot be read, or ends too early.
    """
    library = _library()
    try:
        with library.open(file, "rb") as opened:
            while chunk := opened.read(_CHUNK):
                yield chunk
    except (EOFError, library.ZstdError) as error:
        raise OSError(f"it is no whole zstd file ({error})") from error


def _library() -> ModuleType:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise Missing
