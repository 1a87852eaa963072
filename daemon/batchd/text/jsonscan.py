"""Takes big files apart while they stream: lines of JSONL, and the members and elements of one JSON document.

Nothing here keeps more than the piece at hand, which has a limit, and a chunk as the caller cuts it. What comes out
does not depend on where the chunks are cut.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from batchd.text.strictjson import Flaw, Flawed, Json, Malformed, crowded, decode, skip

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_BOM: Final = "\ufeff"
_UNFINISHED: Final = re.compile(r"(?:\.|[eE][+-]?)?\Z")
"""What stands behind a value at the end of a window, where that may be a number that goes on behind it."""
_MOST_KEYS: Final = 1_000
_LOOK_AHEAD: Final = 16
"""Characters: longer than any token but a string, so an error further from the end is no matter of missing text."""


class Broken(Exception):
    """The document cannot be read beyond this line."""

    def __init__(self, line: int, message: str) -> None:
        """Keep what is wrong.

        Args:
            line: Where, from 1.
            message: What, and what would do.
        """
        super().__init__(message)
        self.line = line
        self.message = message


class Part(NamedTuple):
    """A member of the document's object, or an element of its streamed array."""

    line: int
    """Where it begins, from 1."""
    key: str
    value: Json | Flawed
    number: int | None = None
    """Which element of the streamed array; -1 tells that the array begins, None that this is a whole member."""


def split_lines(chunks: Iterable[bytes], limit: int) -> Iterator[bytes | None]:
    r"""Cut a stream at every `\n` and nowhere else.

    Args:
        chunks: The file's bytes, in pieces of any size.
        limit: Bytes of the longest line that is kept.

    Yields:
        Each line without its `\n`, or None for one beyond the limit.
    """
    pieces: list[bytes] = []
    length = 0
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            length += len(line)
            if length > limit:
                yield None
            else:
                yield b"".join((*pieces, line)) if pieces else line
            pieces.clear()
            length = 0
        length += len(rest)
        if length > limit:
            pieces.clear()
        elif rest:
            pieces.append(rest)
    if length:
        yield b"".join(pieces) if length <= limit else None


def mentions(chunks: Iterable[bytes], needle: bytes) -> bool:
    """Look for a few bytes in a stream.

    Args:
        chunks: The file's bytes.
        needle: What to look for, two bytes or more.
    """
    tail = b""
    for chunk in chunks:
        if needle in chunk or needle in tail + chunk[: len(needle) - 1]:
            return True
        tail = (tail + chunk[1 - len(needle) :])[1 - len(needle) :]
    return False


def split_document(chunks: Iterable[bytes], array: str, limit: int) -> Iterator[Part]:
    """Take the object that a JSON document consists of apart into its members, and one array into its elements.

    A document that is an array is taken for that one.

    Args:
        chunks: The file's bytes, with or without a byte order mark.
        array: The key whose array is streamed; if its value is no array, it comes as a member like any other.
        limit: Characters of one element, and of all other members together.

    Yields:
        Members and elements in their order; a flawed one carries its flaws, and what comes after it still comes.

    Raises:
        Broken: The document is not an object, or ends to be JSON somewhere.
    """
    text = _Text(chunks, limit)
    if text.peek() == "[":
        yield Part(text.line, array, None, -1)
        for number, (where, value) in enumerate(_elements(text)):
            yield Part(where, array, value, number)
        _end(text)
        return
    if text.peek() != "{":
        raise Broken(text.line, 'not a JSON object; {"requests": [...]}, one request, or bare params would do')
    text.step()
    spent = 0
    keys: set[str] = set()
    members = 0
    more = text.peek() != "}"
    while more:
        text.peek()
        line, start = text.line, text.consumed
        key = text.key()
        text.expect(":")
        if key == array and key not in keys and text.peek() == "[":
            yield Part(line, key, None, -1)
            for number, (where, value) in enumerate(_elements(text)):
                yield Part(where, key, value, number)
        else:
            value = text.value()
            spent += text.consumed - start
            if spent > limit:
                raise Broken(line, f"more than {limit:,} characters beside {array}; split the file up")
            yield Part(line, key, _twice() if key in keys else value)
        keys.add(key)
        members += 1
        if members > _MOST_KEYS:
            raise Broken(line, f"more than {_MOST_KEYS:,} keys in one object")
        more = text.comma()
    text.expect("}")
    _end(text)


def _end(text: "_Text") -> None:
    if text.peek():
        raise Broken(text.line, "something follows after the end of the JSON document; one document a file")


def _twice() -> Flawed:
    return Flawed([Flaw("", "this key appears twice in one object; keep one of them")])


def _elements(text: "_Text") -> Iterator[tuple[int, Json | Flawed]]:
    text.step()
    more = text.peek() != "]"
    while more:
        text.peek()
        line = text.line
        yield line, text.value()
        more = text.comma()
    text.expect("]")


class _Text:
    """The document as text: a window that is filled from behind and consumed from the front."""

    def __init__(self, chunks: Iterable[bytes], limit: int) -> None:
        self.line = 1
        """The line of the file at which the reader stands."""
        self.consumed = 0
        """Characters passed so far."""
        self._chunks = iter(chunks)
        self._limit = limit
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._window = ""
        self._at = 0
        self._bad_bytes = False
        self._fill()
        if self._window.startswith(_BOM):
            self._at = 1

    def peek(self) -> str:
        """Skip white space and show the character behind it; nothing at the end."""
        while True:
            match = _BLANK.match(self._window, self._at)
            self._pass(match.end() if match else self._at)
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._fill():
                return ""

    def step(self) -> None:
        """Pass the character that was just seen."""
        self._pass(self._at + 1)

    def expect(self, character: str) -> None:
        """Pass this character, whatever white space precedes it."""
        if self.peek() != character:
            raise Broken(self.line, f"not JSON: {character!r} is missing here")
        self.step()

    def comma(self) -> bool:
        """Pass a comma, if there is one."""
        found = self.peek() == ","
        if found:
            self.step()
        return found

    def key(self) -> str:
        """Pass a key."""
        found = self.value() if self.peek() == '"' else None
        if not isinstance(found, str):
            raise Broken(self.line, "not JSON: a key in double quotes is missing here")
        return found

    def value(self) -> Json | Flawed:
        """Pass a value of any kind."""
        self.peek()
        while True:
            try:
                found, end = decode(self._window, self._at)
            except Flawed as flawed:
                found, end = flawed, skip(self._window, self._at)
            except Malformed as error:
                if self._may_go_on(error) and self._fill():
                    continue
                line = self.line + self._window.count("\n", self._at, error.position)
                raise Broken(line, f"not JSON: {error.message}") from None
            if end - self._at > self._limit:
                self._too_long()
            if not _UNFINISHED.match(self._window, end) or not self._fill():
                self._pass(end)
                return found

    def _may_go_on(self, error: Malformed) -> bool:
        if len(self._window) - self._at > self._limit:
            self._too_long()
        if crowded(self._window, self._at):
            raise Broken(self.line, "this value has too many parts; split it up")
        return error.message.startswith("Unterminated") or error.position > len(self._window) - _LOOK_AHEAD

    def _too_long(self) -> None:
        raise Broken(self.line, f"this value is longer than {self._limit:,} characters; split it up")

    def _pass(self, end: int) -> None:
        self.line += self._window.count("\n", self._at, end)
        self.consumed += end - self._at
        self._at = end

    def _fill(self) -> bool:
        """Get more text, at least as much again as is not yet consumed, so that retries cost no more than twice."""
        pieces = [self._window[self._at :]]
        wanted = max(1, len(pieces[0]))
        while wanted > 0 and (len(pieces) == 1 or not self._bad_bytes):
            piece = self._next_piece()
            if piece is None:
                break
            pieces.append(piece)
            wanted -= len(piece)
        if len(pieces) == 1:
            return False
        self._window = "".join(pieces)
        self._at = 0
        return True

    def _next_piece(self) -> str | None:
        if self._bad_bytes:
            line = self.line + self._window.count("\n", self._at)
            raise Broken(line, "not UTF-8; save the file as UTF-8")
        chunk = next(self._chunks, None)
        try:
            if chunk is not None:
                return self._utf8.decode(chunk)
            self._utf8.decode(b"", final=True)
        except UnicodeDecodeError as error:
            # What precedes the bad bytes is still read, so that the outcome is one however the chunks are cut.
            self._bad_bytes = True
            return error.object[: error.start].decode()
        return None
