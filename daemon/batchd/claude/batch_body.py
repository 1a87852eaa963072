"""What goes over the wire: custom_ids that prove whose a result is, and the body of a create."""

import re
import secrets
from base64 import b32encode

_PATTERN = re.compile(r"(?P<nonce>[a-z2-7]{16})_(?P<attempt>[1-9][0-9]{0,5})-(?P<row>0|[1-9][0-9]{0,5})")

BODY_HEAD = b'{"requests":['
BODY_TAIL = b"]}"


def new_nonce() -> str:
    """Make a name of 80 random bits that no other batch has."""
    return b32encode(secrets.token_bytes(10)).decode().lower()


def wire_id(nonce: str, attempt: int, row: int) -> str:
    """Name a request on the wire; within the API's `^[a-zA-Z0-9_-]{1,64}$`.

    The nonce is the batch's, whatever the attempt: two attempts carry the same rows, so a result of either
    answers the same request.

    Args:
        nonce: The batch's.
        attempt: From 1.
        row: The request's place in the batch, from 0.
    """
    return f"{nonce}_{attempt}-{row}"


def row_of(custom_id: str, nonce: str) -> int | None:
    """Read the row from a wire id, or None when it is not of this batch.

    Args:
        custom_id: Of a result line.
        nonce: The batch's.
    """
    match = _PATTERN.fullmatch(custom_id)
    return int(match["row"]) if match and match["nonce"] == nonce else None


def row_head(nonce: str, attempt: int, row: int) -> bytes:
    """What stands in the body before the params of a row.

    Args:
        nonce: The batch's.
        attempt: From 1.
        row: From 0.
    """
    comma = "," if row else ""
    return f'{comma}{{"custom_id":"{wire_id(nonce, attempt, row)}","params":'.encode()


ROW_TAIL = b"}"


def body_length(nonce: str, attempt: int, sizes: list[int]) -> int:
    """Say how long the body will be, to be sent as `content-length`.

    Args:
        nonce: The batch's.
        attempt: From 1.
        sizes: Bytes of each row's params.
    """
    rows = sum(len(row_head(nonce, attempt, row)) + size + len(ROW_TAIL) for row, size in enumerate(sizes))
    return len(BODY_HEAD) + rows + len(BODY_TAIL)
