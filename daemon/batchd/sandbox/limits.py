"""How much a request may hold, in the API's words: pictures, pages of PDFs, and tokens of a prompt.

Sources: docs "vision", "PDF support", "context windows"; messages seen in the wild ("At least one of the image
dimensions exceed max allowed size", "image exceeds 5 MB maximum", "A maximum of 100 PDF pages may be provided."). That
messages speak of 10 MB now, and of more than 100 images, nobody here could verify.

What is too long by the sandbox's own count of tokens may fit by the API's, so only what no tokenizer makes fit is
refused: a token has at most eight letters of any script, and no blank within it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batchd.sandbox import media

LARGEST_IMAGE = 10 * 1024 * 1024
"""Characters of base64."""
SIDE, SIDE_OF_MANY, MANY = 8000, 2000, 20
FEW_FILES, MOST_FILES, LARGE_WINDOW = 100, 600, 1_000_000
LETTERS_OF_A_TOKEN = 8
TOKENS_OF_A_PAGE = 500
SCALED = 1568
"""Pixels of a side, and tokens of a whole picture, that the models see that see least."""

_ENCRYPTED = re.compile(rb"/Encrypt\s*(\d+\s+\d+\s+R|<<)")
Block = Mapping[str, Any]


def of_a_file(source: Block, data: bytes, path: str) -> Iterator[str]:
    """What is too much about one file.

    Args:
        source: Of base64, whose bytes are of its kind.
        data: Those bytes.
        path: Of the source.
    """
    if source["media_type"] == "application/pdf":
        if _ENCRYPTED.search(data):
            yield f"{path}.data: The PDF specified is password protected."
        return
    size = len(source["data"])
    if size > LARGEST_IMAGE:
        yield f"{path}: image exceeds 10 MB maximum: {size} bytes > {LARGEST_IMAGE} bytes"
    if not (sides := media.sides(data)):
        yield f"{path}.data: Could not process image"
    elif max(sides) > SIDE:
        yield f"{path}.data: At least one of the image dimensions exceed max allowed size: {SIDE} pixels"


def of_all_files(messages: Sequence[Block], window: int) -> Iterator[str]:
    """What is too much about the files of a request together.

    Args:
        messages: Well formed.
        window: Of the model, in tokens.
    """
    most = MOST_FILES if window >= LARGE_WINDOW else FEW_FILES
    files = [file for turn in messages for file in media.files(turn.get("content"))]
    images = [file["source"] for file in files if file["type"] == "image"]
    if len(images) > most:
        yield f"messages: too many images: {len(images)} > {most} maximum"
    if len(images) > MANY:
        for sides in filter(None, (media.sides(media.decoded(source)) for source in images)):
            if max(sides) > SIDE_OF_MANY:
                yield (
                    "messages: At least one of the image dimensions exceed max allowed size for many-image requests: "
                    f"{SIDE_OF_MANY} pixels"
                )
    if sum(media.least_pages(file["source"]) for file in files if file["type"] == "document") > most:
        yield f"messages: A maximum of {most} PDF pages may be provided."


def least_tokens(params: Block) -> int:
    """The tokens that any tokenizer makes of a well-formed prompt.

    What the API may shorten by itself (`context_management`) has none for sure.
    """
    if params.get("context_management") or params.get("compaction"):
        return 0
    turns = [turn.get("content") for turn in params["messages"]]
    text = sum(_least(text) for content in (params.get("system"), *turns) for text in _texts(content))
    return text + sum(_least_of(file) for content in turns for file in media.files(content))


def _least_of(file: Block) -> int:
    if file["type"] == "document":
        return TOKENS_OF_A_PAGE * media.least_pages(file["source"])
    sides = media.sides(media.decoded(file["source"]))
    if not sides:
        return 1
    shrunk = [max(1, int(side * min(1.0, SCALED / max(sides)))) for side in sides]
    return min(-(-shrunk[0] // media.PATCH) * -(-shrunk[1] // media.PATCH), SCALED)


def _least(text: str) -> int:
    words, letters = 0, 0
    for word in re.finditer(r"\S+", text):
        words, letters = words + 1, letters + len(word[0])
    return max(words, letters // LETTERS_OF_A_TOKEN)


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if block["type"] == "text":
            yield block["text"]
        elif block["type"] == "tool_result":
            yield from _texts(block.get("content"))
        elif block["type"] == "document" and block["source"]["type"] in ("text", "content"):
            yield from _texts(block["source"].get("data", block["source"].get("content")))
