"""What a stream has brought: the message, and how it came to its end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Streamed:
    """What a stream has brought."""

    message: dict[str, object] | None = None
    """As the API would have sent it in one piece; None where it has not even begun."""
    ended: bool = False
    """Whether it came to its end, be it without a `stop_reason`; else it was cut, and its `stop_reason` is null."""
    trouble: str | None = None
    """The type of the error with which the API broke it off; None where it did not."""
    unreadable: int = 0
    """How much of it could not be read: events, and characters within them."""
    bounded: bool = False
    """Whether its `output_tokens` are a bound, since the API did not come to telling them."""
    broken: str = ""
    """Why it was cut off, as far as is known; empty where it ended."""

    @property
    def text(self) -> str:
        """What was written, without thinking."""
        return "".join(texts_of(self._content, "text"))

    @property
    def begun(self) -> bool:
        """Whether the API has begun to answer: from then on it may charge for it."""
        return self.message is not None

    @property
    def seen(self) -> str:
        """What came of it, in words, for a person."""
        thought = sum(len(text.split()) for text in texts_of(self._content, "thinking"))
        tools = sum(str(block.get("type")).endswith("tool_use") for block in self._content)
        usage = (self.message or {}).get("usage")
        tokens = usage.get("input_tokens") if isinstance(usage, dict) else None
        parts = [
            f"a prompt of {tokens:,} tokens" if isinstance(tokens, int) and tokens else "",
            f"{thought:,} words of thinking" if thought else "",
            "a part of a tool call" if tools else "",
        ]
        return ", ".join(filter(None, parts)) or "its beginning"

    @property
    def _content(self) -> list[dict[str, object]]:
        content = (self.message or {}).get("content")
        return content if isinstance(content, list) else []


def texts_of(blocks: Iterable[Mapping[str, object]], kind: str) -> Iterable[str]:
    """The texts of blocks of one type."""
    return (text_of(block.get(kind)) for block in blocks if block.get("type") == kind)


def text_of(value: object) -> str:
    """A value where it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def mapping_of(value: object) -> dict[str, object]:
    """A value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}
