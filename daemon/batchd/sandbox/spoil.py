"""Spoils what an answer says: a batch as it is shown, or a result line on its way out. Nothing here knows of HTTP."""

from collections.abc import Callable, Mapping

import msgspec

from batchd.sandbox.faults import Fault

_FOREIGN_ORIGIN = "https://results.invalid"


def _foreign_url(batch: dict[str, object]) -> None:
    if batch.get("results_url"):
        batch["results_url"] = f"{_FOREIGN_ORIGIN}/v1/messages/batches/{batch['id']}/results"


def _relative_url(batch: dict[str, object]) -> None:
    if batch.get("results_url"):
        batch["results_url"] = f"/v1/messages/batches/{batch['id']}/results"


def _absent_url(batch: dict[str, object]) -> None:
    batch.pop("results_url", None)


def _sparse(batch: dict[str, object]) -> None:
    for name in [name for name, value in batch.items() if value is None]:
        del batch[name]


def _blank_lines(line: bytes, _number: int, _fault: Fault) -> bytes:
    return line + b"\n"


def _crlf(line: bytes, _number: int, _fault: Fault) -> bytes:
    return line[:-1] + b"\r\n"


def _missing(line: bytes, number: int, fault: Fault) -> bytes:
    return b"" if number == fault.at else line


def _duplicate(line: bytes, number: int, fault: Fault) -> bytes:
    return line * 2 if number == fault.at else line


def _renamed(line: bytes, number: int) -> bytes:
    result = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    result["custom_id"] = msgspec.Raw(b'"foreign-%d"' % number)
    return msgspec.json.encode(result) + b"\n"


def _foreign(line: bytes, number: int, fault: Fault) -> bytes:
    return _renamed(line, number) + line if number == fault.at else line


def _foreign_all(line: bytes, number: int, _fault: Fault) -> bytes:
    return _renamed(line, number)


def _malformed(line: bytes, number: int, fault: Fault) -> bytes:
    return line[: len(line) // 2] + b"\n" if number == fault.at else line


def _unknown_type(line: bytes, number: int, fault: Fault) -> bytes:
    if number != fault.at:
        return line
    result = msgspec.json.decode(line, type=dict[str, object])
    return msgspec.json.encode({**result, "result": {"type": "postponed"}}) + b"\n"


def _flat_errors(line: bytes, _number: int, _fault: Fault) -> bytes:
    result = msgspec.json.decode(line)
    if result["result"]["type"] != "errored":
        return line
    result["result"]["error"] = result["result"]["error"]["error"]
    return msgspec.json.encode(result) + b"\n"


BATCHES: Mapping[str, Callable[[dict[str, object]], None]] = {
    "foreign_url": _foreign_url,
    "relative_url": _relative_url,
    "absent_url": _absent_url,
    "sparse": _sparse,
}
"""What changes a batch, in place, by kind of fault."""

LINES: Mapping[str, Callable[[bytes, int, Fault], bytes]] = {
    "blank_lines": _blank_lines,
    "crlf": _crlf,
    "missing": _missing,
    "duplicate": _duplicate,
    "foreign": _foreign,
    "foreign_all": _foreign_all,
    "malformed": _malformed,
    "unknown_type": _unknown_type,
    "flat_errors": _flat_errors,
}
"""What becomes of a result line, its end included, of this number, from 0, by kind of fault."""
