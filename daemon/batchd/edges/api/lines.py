"""A stream of bytes, cut into lines."""

from collections.abc import AsyncGenerator, AsyncIterator

from batchd.errors import Garbled

LONGEST = 256 * 1024 * 1024
"""Bytes of a line, beyond which the server is not believed to be sending one."""


async def cut_lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    r"""Cut a stream into lines at `\n` alone: U+2028 and its like may stand raw inside of one.

    Args:
        pieces: Of any size; each byte is copied twice at the most, however long a line is.

    Yields:
        Each line that is not blank, without `\n` or `\r\n`; the last one also where the stream ends without.

    Raises:
        Garbled: A line longer than anything the API could mean.
    """
    open_pieces: list[bytes] = []
    length = 0
    async for piece in pieces:
        # Looked for first, since that is many times as fast, and most pieces of long lines have none.
        *closed, rest = piece.split(b"\n") if b"\n" in piece else (piece,)
        for end in closed:
            line = b"".join((*open_pieces, end)).rstrip(b"\r")
            open_pieces.clear()
            length = 0
            if line:
                yield line
        if rest:
            open_pieces.append(rest)
            length += len(rest)
            if length > LONGEST:
                raise Garbled("a result line has no end")
    if line := b"".join(open_pieces).rstrip(b"\r"):
        yield line
