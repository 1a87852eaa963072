"""What goes over the wire: custom_ids that tell by themselves whose a result is, and the body of a create."""

import re
import secrets
from base64 import b32encode
from collections.abc import Iterable

from batchd.model import RequestId, Sending, WireRow

_SENDING = re.compile(r"(?P<tag>[0-9a-f]{20})-(?P<request>[1-9][0-9]{0,17})-(?P<number>0|[1-9][0-9]{0,8})")
_ROW = re.compile(r"(?P<nonce>[a-z2-7]{16})_(?P<attempt>[1-9][0-9]{0,5})-(?P<row>0|[1-9][0-9]{0,5})")

BODY_HEAD = b'{"requests":['
BODY_TAIL = b"]}"
ROW_TAIL = b"}"


def new_nonce() -> str:
    """Make a name of 80 random bits that no other batch has."""
    return b32encode(secrets.token_bytes(10)).decode().lower()


def wire_id(tag: str, sending: Sending) -> str:
    """Name a request on the wire; within the API's `^[a-zA-Z0-9_-]{1,64}$`.

    All attempts to create one batch carry the same ids, so a result of any of them answers the same sending.

    Args:
        tag: The installation's.
        sending: Which request, and which sending of it.
    """
    return f"{tag}-{sending.request}-{sending.number}"


def sending_of(custom_id: str, tag: str) -> Sending | None:
    """Read what a wire id names; None when it is not of this installation.

    Args:
        custom_id: Of a result line.
        tag: The installation's.
    """
    match = _SENDING.fullmatch(custom_id)
    if match is None or match["tag"] != tag:
        return None
    return Sending(RequestId(int(match["request"])), int(match["number"]))


def row_id(nonce: str, attempt: int, row: int) -> str:
    """Name a row of a batch, as the wire ids of version 0.1 did, and those of the sync lane's transcripts do.

    Args:
        nonce: The batch's.
        attempt: From 1.
        row: The request's place in the batch, from 0.
    """
    return f"{nonce}_{attempt}-{row}"


def row_of(custom_id: str, nonce: str) -> int | None:
    """Read the row from such a name; None when it is not of this batch.

    Args:
        custom_id: Of a result line.
        nonce: The batch's.
    """
    match = _ROW.fullmatch(custom_id)
    return int(match["row"]) if match and match["nonce"] == nonce else None


def row_head(tag: str, sending: Sending, *, first: bool) -> bytes:
    """What stands in the body before the params of a row.

    Args:
        tag: The installation's.
        sending: The row's.
        first: Whether it is the first row.
    """
    comma = "" if first else ","
    return f'{comma}{{"custom_id":"{wire_id(tag, sending)}","params":'.encode()


def body_length(tag: str, rows: Iterable[WireRow]) -> int:
    """Say how long the body will be in bytes, to be sent as `content-length`.

    Args:
        tag: The installation's.
        rows: All of its rows.
    """
    length = len(BODY_HEAD) + len(BODY_TAIL)
    for number, row in enumerate(rows):
        length += len(row_head(tag, row.sending, first=not number)) + row.place.size + len(ROW_TAIL)
    return length
