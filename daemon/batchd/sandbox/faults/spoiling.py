"""Spoils what an answer says: a batch as it is shown, or a result line on its way out. Nothing here knows of HTTP."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from batchd.sandbox.faults.plan import Fault

_FOREIGN_ORIGIN = "https://results.invalid"


def _foreign_url(batch: dict[str, object], _fault: Fault) -> None:
    if batch.get("results_url"):
        batch["results_url"] = f"{_FOREIGN_ORIGIN}/v1/messages/batches/{batch['id']}/results"


def _relative_url(batch: dict[str, object], _fault: Fault) -> None:
    if batch.get("results_url"):
        batch["results_url"] = f"/v1/messages/batches/{batch['id']}/results"


def _absent_url(batch: dict[str, object], _fault: Fault) -> None:
    batch.pop("results_url", None)


def _sparse(batch: dict[str, object], _fault: Fault) -> None:
    for name in [name for name, value in batch.items() if value is None]:
        del batch[name]


def _bare(batch: dict[str, object], _fault: Fault) -> None:
    for name in batch.keys() - {"id", "processing_status"}:
        del batch[name]


def _miscounted(batch: dict[str, object], fault: Fault) -> None:
    counts = batch["request_counts"]
    if isinstance(counts, dict):
        counts["processing" if counts["processing"] else "succeeded"] += fault.at


def _no_counts(batch: dict[str, object], _fault: Fault) -> None:
    del batch["request_counts"]


def _zero_counts(batch: dict[str, object], _fault: Fault) -> None:
    counts = batch["request_counts"]
    batch["request_counts"] = dict.fromkeys(counts, 0) if isinstance(counts, dict) else {}


def _created_at(batch: dict[str, object], fault: Fault) -> None:
    created_at = datetime.fromisoformat(str(batch["created_at"])) + timedelta(seconds=fault.seconds)
    batch["created_at"] = created_at.isoformat(timespec="microseconds")


def _shuffled(data: list[object]) -> list[object]:
    return [data[-1], *data[1:-1], data[0]] if len(data) > 1 else data


def _repeating(data: list[object]) -> list[object]:
    return [entry for entry in data for _ in range(2)]


def _short(line: bytes, number: int, fault: Fault) -> bytes:
    return line if number < fault.at else b""


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


def _no_usage(line: bytes, _number: int, _fault: Fault) -> bytes:
    return _retold(line, lambda message: message.pop("usage"))


def _absurd_usage(line: bytes, number: int, fault: Fault) -> bytes:
    return _retold(line, lambda message: message["usage"].update(output_tokens=1 << 40)) if number == fault.at else line


def _strange_model(line: bytes, _number: int, _fault: Fault) -> bytes:
    return _retold(line, lambda message: message.update(model="a-gateway/of-its-own"))


def _retold(line: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    result = msgspec.json.decode(line)
    if message := result["result"].get("message"):
        change(message)
    return msgspec.json.encode(result) + b"\n"


BATCHES: Mapping[str, Callable[[dict[str, object], Fault], None]] = {
    "foreign_url": _foreign_url,
    "relative_url": _relative_url,
    "absent_url": _absent_url,
    "sparse": _sparse,
    "bare": _bare,
    "miscounted": _miscounted,
    "no_counts": _no_counts,
    "zero_counts": _zero_counts,
    "created_at": _created_at,
}
"""What changes a batch, in place, by kind of fault."""

PAGES: Mapping[str, Callable[[list[object]], list[object]]] = {"shuffled": _shuffled, "repeating": _repeating}
"""What becomes of the entries of a page, by kind of fault."""

LINES: Mapping[str, Callable[[bytes, int, Fault], bytes]] = {
    "short": _short,
    "blank_lines": _blank_lines,
    "crlf": _crlf,
    "missing": _missing,
    "duplicate": _duplicate,
    "foreign": _foreign,
    "foreign_all": _foreign_all,
    "malformed": _malformed,
    "unknown_type": _unknown_type,
    "flat_errors": _flat_errors,
    "no_usage": _no_usage,
    "absurd_usage": _absurd_usage,
    "strange_model": _strange_model,
}
"""What becomes of a result line, its end included, of this number, from 0, by kind of fault."""
