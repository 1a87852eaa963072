"""Who may read what comes of a file: its job's folder, its receipt, the reasons of its rejection."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import structlog

from batchd.decisions.jobfile.reader import Rules
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.edges import claims, readers
from batchd.edges.claims import Claim
from batchd.errors import Unusable
from batchd.journey.instructions import prompt_of
from batchd.model import Readers

log = structlog.get_logger()


class Permissions:
    """Lets readers in; whatever keeps them out is told, and keeps no job."""

    def __init__(self, outbox: Path, rules: Rules) -> None:
        """Go by the settings.

        Args:
            outbox: Whose files are read.
            rules: What the settings say of each queue's readers.
        """
        self._outbox = outbox
        self._rules = rules

    def let_in(self, claim: Claim, name: str, said: Readers | None, narrowed: Readers | None) -> None:
        """Let those read a job's folder who may.

        Args:
            claim: The job's file.
            name: The job's.
            said: What the instructions of its folder say of readers.
            narrowed: What the file itself says of them.
        """
        wanted = _wanted(self._rules, claim, said).narrowed(narrowed.kind if narrowed else None)
        with _told_if_kept_out(name):
            if reader := readers.reader_of(wanted.kind, wanted.group, claim.uid):
                readers.let_in(self._outbox, PurePosixPath(name), reader)

    def let_read(self, file: PurePosixPath, claim: Claim, dropper: int | None = None) -> None:
        """Let those read a file of the outbox who may read what comes of a claim: its receipt, its reasons.

        Args:
            dropper: Who that counts as; by default whoever dropped the claimed file.
        """
        with _told_if_kept_out(str(file)):
            given = claims.instructions(claim)
            prompt = prompt_of(given.text.decode(), self._rules) if given else None
            wanted = _wanted(self._rules, claim, prompt.readers if isinstance(prompt, PromptFile) else None)
            whose = claim.uid if dropper is None else dropper
            if reader := readers.reader_of(wanted.kind, wanted.group, whose):
                readers.let_read(self._outbox, file, reader)


def _wanted(rules: Rules, claim: Claim, said: Readers | None) -> Readers:
    """Who may read what comes of a file, as the instructions of its folder say it, or else the settings."""
    otherwise = rules.readers_of(claim.relative.parts[0] if len(claim.relative.parts) > 1 else "")
    return otherwise if said is None else Readers(said.kind, said.group or otherwise.group)


@contextmanager
def _told_if_kept_out(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, Unusable) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        log.warning("readers kept out", of=what, reason=reason, see="batchd doctor")
