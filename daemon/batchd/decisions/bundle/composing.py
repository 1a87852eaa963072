"""What a request of a bundle says: the files that go along, and pictures where the prompt shows them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from batchd.decisions.bundle.files import Files
from batchd.decisions.jobfile.attachment import Attached, wrapped
from batchd.decisions.rows.media import Loaded
from batchd.decisions.rows.records import Record
from batchd.decisions.rows.requests_of import Composed
from batchd.decisions.rows.template import PromptTemplate
from batchd.model import Caution
from batchd.text.characters import is_blank
from batchd.text.globs import escaped
from batchd.text.pictures import pictures
from batchd.text.strictjson import Flaw, Flawed, Json

ATTACH: Final = "attach"
_BEGIN, _END = "\ue000", "\ue001"
"""What stands around the path of a picture while its prompt is made: two characters that mean nothing anywhere."""
_SHOWN: Final = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_END}")
_MOST_BYTES: Final = 32_000_000


def with_pictures_marked(prompt: str) -> str:
    """Mark the pictures that a prompt shows, so that what a row says can show none."""
    pieces: list[str] = []
    done = 0
    for picture in pictures(prompt):
        if not picture.is_far:
            pieces += (prompt[done : picture.start], _BEGIN, picture.path, _END)
            done = picture.end
    return "".join((*pieces, prompt[done:]))


def shown_in(marked: str) -> list[str]:
    """The paths of the pictures that are marked in a prompt."""
    return _SHOWN.findall(marked)


class Composer:
    """Puts together what each request of one bundle says."""

    def __init__(self, files: Files, attach: Sequence[str | PromptTemplate]) -> None:
        """Take the files.

        Args:
            files: Beside the prompt.
            attach: Patterns of those that go along.
        """
        self._files = files
        self._attach = [(f"{ATTACH}[{number}]", each) for number, each in enumerate(attach)]

    def __call__(self, record: Record, text: str) -> Composed:
        """Put a request together.

        Raises:
            Flawed: A file that it names is not there, or cannot go along.
        """
        loaded: dict[str, Loaded] = {}
        flaws: list[Flaw] = []
        for place, attach in self._attach:
            try:
                for path in self._named(attach, record, place):
                    loaded.setdefault(path, self._files.load(path))
            except Flawed as flawed:
                flaws += flawed.flaws
        blocks: list[Json] = []
        places: dict[str, str] = {}
        if texts := [Attached(path, each.text) for path, each in loaded.items() if each.block is None]:
            blocks.append({"type": "text", "text": wrapped(texts)})
        for path, each in loaded.items():
            if each.block is not None:
                places[f"[{len(blocks)}]"] = path
                blocks.append(each.block)
        for block in record.blocks:
            places[f"[{len(blocks)}]"] = record.of_file.get("file", "")
            blocks.append(block)
        flaws += self._show(record, text, blocks, places)
        if flaws:
            raise Flawed(flaws)
        return Composed(_plainest(blocks), places, self._cautions())

    def _named(self, attach: str | PromptTemplate, record: Record, place: str) -> list[str]:
        """The files that a pattern means for a record, whose values stand for themselves alone."""
        if isinstance(attach, str):
            return self._files.find(attach, place)
        path = ""
        try:
            path = attach.render(record.values, record.of_file)
            if path in self._files.sizes:
                return [path]
            values = {
                name: escaped(value) if isinstance(value, str) else value for name, value in record.values.items()
            }
            return self._files.find(attach.render(values, record.of_file), place)
        except ValueError as error:
            raise Flawed([Flaw(place, str(error))]) from None
        except Flawed:
            raise Flawed([Flaw(place, f"{path!r} is no file of this bundle")]) from None

    def _show(self, record: Record, text: str, blocks: list[Json], places: dict[str, str]) -> Iterator[Flaw]:
        """Add the prompt to the blocks, in parts where it shows pictures."""
        if any(_BEGIN in str(value) for value in record.values.values()) and _BEGIN in text:
            yield Flaw("", "the character U+E000 cannot stand in a prompt that shows pictures; take it out")
            return
        done = 0
        for shown in _SHOWN.finditer(text):
            _add_text(blocks, text[done : shown.start()])
            done = shown.end()
            path = shown[1]
            if path not in self._files.sizes:
                yield Flaw("", f"the prompt shows {path!r}, which is no file of this bundle")
                continue
            try:
                loaded = self._files.load(path)
            except Flawed as flawed:
                yield from flawed.flaws
                continue
            if loaded.block is None:
                yield Flaw(path, "is shown as a picture, and is a text; name it in attach")
                continue
            places[f"[{len(blocks)}]"] = path
            blocks.append(loaded.block)
        _add_text(blocks, text[done:])

    def _cautions(self) -> list[Caution]:
        found = [Caution(0, path, said) for path, said in self._files.cautions.items()]
        self._files.cautions.clear()
        return found


def far_pictures(prompt: str) -> Iterator[str]:
    """The pictures that a prompt shows and no bundle holds: they are sent as text."""
    return (picture.path for picture in pictures(prompt) if picture.is_far)


def _add_text(blocks: list[Json], text: str) -> None:
    if not is_blank(text):
        blocks.append({"type": "text", "text": text})


def _plainest(blocks: list[Json]) -> Json:
    """One text alone is said as a text."""
    if len(blocks) == 1 and isinstance(blocks[0], Mapping) and blocks[0].get("type") == "text":
        return blocks[0]["text"]
    return blocks or ""
