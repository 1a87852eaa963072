"""Moves what was dropped, and what was asked of it, to the folder of its job."""

from contextlib import suppress
from pathlib import Path, PurePosixPath

import structlog

from batchd.decisions.bundle.reader import FOLDER
from batchd.edges import bundles, claims
from batchd.edges.claims import Claim
from batchd.edges.outbox import JobFolder
from batchd.model import Job

log = structlog.get_logger()

INSTRUCTIONS = "instructions.md"
"""What a job's folder says was asked."""


class Placing:
    """Places what was dropped; each step may be repeated."""

    def __init__(self, outbox: Path, *, keep_bundle: bool) -> None:
        """Go by the settings.

        Args:
            outbox: Where the folders of jobs lie.
            keep_bundle: Whether a bundle goes along to its job's folder.
        """
        self._outbox = outbox
        self._keep_bundle = keep_bundle

    def place(self, claim: Claim, job: Job) -> None:
        """Move the file of an accepted job to the outbox, and what was to be done with it."""
        folder = JobFolder(self._outbox, job.name)
        if (text := _asked(claim)) is not None:
            folder.write_whole(INSTRUCTIONS, [text])
        for name in claims.going_along(claim):
            with claims.open_along(claim, name) as file:
                folder.write_whole(name, claims.chunks(file))
        try:
            self._place_dropped(claim, job, folder)
        except FileNotFoundError:
            if claims.holds(claim):
                raise
            # Another hand has removed it; what is to be sent lies in the spool, and goes on without it.
            log.warning("dropped file lost", job=job.name)
        claims.discard(claim)

    def _place_dropped(self, claim: Claim, job: Job, folder: JobFolder) -> None:
        if not claim.is_bundle:
            folder.place_request(claim.path, claim.called.suffix)
        elif self._keep_bundle:
            folder.place_bundle(claim.path)
        elif job.rows is not None:
            self._keep_table(claim, job.rows.file, folder)

    @staticmethod
    def _keep_table(claim: Claim, table: str, folder: JobFolder) -> None:
        """Keep the rows of a bundle that does not go along: their answers will be laid beside them."""
        inside = PurePosixPath(table)
        if inside.parts[0] == FOLDER and claims.holds(claim):
            with bundles.opened(claim.path) as bundle, suppress(FileNotFoundError):
                folder.write_whole(table, bundle.pieces(str(inside.relative_to(FOLDER))))


def _asked(claim: Claim) -> bytes | None:
    """What was asked, where that is not in the file itself: the prompt of a bundle, or the instructions of a folder."""
    if not claim.is_bundle:
        return given.text if (given := claims.instructions(claim)) else None
    try:
        with bundles.opened(claim.path) as bundle:
            return bundle.prompt()
    except FileNotFoundError:  # it has been placed
        return None
