"""What the steps of a job have answered, read from its folder in the outbox, and joined there to one file."""

from collections.abc import Iterable, Iterator, Mapping

from batchd.decisions.bundle.steps.joining import joined
from batchd.decisions.document.contents import DOCUMENTS
from batchd.edges.outbox import JobFolder
from batchd.edges.store.steps import Answer
from batchd.errors import Unavailable
from batchd.model import Steps


def texts_of(folder: JobFolder, answers: Iterable[Answer]) -> Iterator[str]:
    """Read the complete ones of some answers, one after the other.

    Raises:
        Unavailable: One is gone from the folder, or is no text any more.
    """
    for answer in answers:
        if answer.complete and answer.document is not None:
            yield text_of(folder, answer.document)


def text_of(folder: JobFolder, document: str) -> str:
    """Read a document.

    Raises:
        Unavailable: It is gone, or is no text any more.
    """
    with folder.reading(document) as file:
        if file is None:
            raise Unavailable(f"{document} is gone from the outbox folder of {folder.name}, and a step needs it")
        try:
            return file.read().decode()
        except UnicodeDecodeError:
            raise Unavailable(f"{document} in the outbox folder of {folder.name} is no UTF-8 any more") from None


def write_joins(folder: JobFolder, steps: Steps, answers: Mapping[str, Iterable[Answer]]) -> list[str]:
    """Write every join of a job, not durably by its name; returns the names of what was written.

    Args:
        answers: Of each step, in the order in which it was asked.
    """
    written = []
    for step in steps.steps:
        if step.join:
            name = f"{DOCUMENTS}/{step.write}"
            texts = (text for of in step.join for text in texts_of(folder, answers[of]))
            folder.write_whole(name, (piece.encode() for piece in joined(texts)))
            written.append(name)
    return written
