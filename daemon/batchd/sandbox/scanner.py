"""Cuts a create body of any size into its requests, in one pass and constant memory.

A body of 250 MB must never be in memory as a whole, nor keep the interpreter's lock for long. So nothing here
builds values: it counts brackets outside strings and notes where each `params` object lies. What is left, the
body with every `params` emptied to `{}`, is small and goes to a strict parser, and so does each `params` by itself:
together that is the whole body, strictly parsed.
"""

import re
from array import array

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[{}\[\]]', re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
_PARAMS_DEPTH = 3
"""Inside the body's object, the array of requests, and one request."""
_MAX_SKELETON = 48_000_000
"""100,000 requests of the longest id, generously spaced, are a third of this."""


class Unscannable(Exception):
    """Not a body of requests, whatever else it is."""


class Scanner:
    """Feed it a body in pieces of any size; then read `skeleton` and `spans`."""

    def __init__(self) -> None:
        self.skeleton = bytearray()
        """The body with every object at the depth of `params` emptied to `{}`."""
        self.spans = array("Q")
        """Where those objects began and ended, in bytes from the start of the body, two numbers each."""
        self._depth = 0
        self._began: int | None = None
        self._quoted = False
        self._escaped = False
        self._seen = 0

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body.

        Args:
            data: Bytes, cut anywhere; pieces of some 256 KB keep the lock for about a millisecond.

        Raises:
            Unscannable: There is too much outside of any `params`.
        """
        if not data:
            return
        kept = at = self._leave_string(data) if self._quoted else 0
        if self._began is None:
            self.skeleton += data[:at]
        while not self._quoted and (token := _TOKEN.search(data, at)):
            at = token.end()
            match data[token.start() : token.start() + 1]:
                case b'"':  # a string, to its end or to the end of this piece
                    self._quoted = not token[1]
                    self._escaped = self._quoted and at < len(data)
                case b"{" | b"[" as bracket:
                    if bracket == b"{" and self._depth == _PARAMS_DEPTH:
                        self._began = self._seen + token.start()
                        self.skeleton += data[kept : token.start()]
                    self._depth += 1
                case _:
                    self._depth -= 1
                    if self._began is not None and self._depth == _PARAMS_DEPTH:
                        self.spans.extend((self._began, self._seen + at))
                        self.skeleton += b"{}"
                        self._began, kept = None, at
        if self._began is None:
            self.skeleton += data[kept:]
            if len(self.skeleton) > _MAX_SKELETON:
                raise Unscannable
        self._seen += len(data)

    def _leave_string(self, data: bytes) -> int:
        """Where the string ends that the last piece broke off in."""
        start = 1 if self._escaped else 0
        rest = _REST_OF_STRING.match(data, start)
        end = rest.end() if rest else start
        self._quoted = not (rest and rest[1])
        self._escaped = self._quoted and end < len(data)
        return len(data) if self._quoted else end
