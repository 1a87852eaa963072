"""What a claim says, whatever it is: a file, by itself or by the instructions of its folder, or a bundle."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from batchd.decisions.bundle import reader as bundle_reader
from batchd.decisions.bundle.files import Files
from batchd.decisions.jobfile.reader import Rules, Said
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.reader import read
from batchd.edges import bundles, claims, disk
from batchd.edges.claims import Claim
from batchd.edges.pdf import PdfReader
from batchd.errors import Rejected
from batchd.model import Problem


def said_of(claim: Claim, rules: Rules, prompt: PromptFile | None) -> Iterator[Said]:
    """Read a claim, whatever it is.

    Raises:
        Rejected: It cannot be opened.
        OSError: The disk's fault.
    """
    if claim.is_bundle:
        yield from said_of_bundle(claim.path, claim.called.stem, rules)
        return

    def source() -> Iterator[bytes]:
        with claims.open_claim(claim) as file:
            for chunk in claims.chunks(file):
                disk.stop_if_told()
                yield chunk

    with PdfReader() as pdfs:
        yield from read(source, claim.called, replace(rules, count_pages=pdfs.pages), prompt)


def said_of_bundle(path: Path, name: str, rules: Rules) -> Iterator[Said]:
    """Read a bundle, unless something lies in it that may not.

    Args:
        path: Of the folder, below folders that are trusted.
        name: Its own, without the ending.

    Raises:
        Rejected: It cannot be looked into.
        OSError: The disk's fault.
    """
    try:
        with bundles.opened(path) as bundle, PdfReader() as pdfs:
            contents = bundle.contents()
            yield from contents.problems
            if not contents.problems:
                files = Files(contents.files, bundle.read, bundle.pieces, pdfs.pages)
                yield from bundle_reader.read(files, name, replace(rules, count_pages=pdfs.pages))
    except PermissionError:
        raise Rejected([Problem(0, "", "the daemon may not read this folder: its rights forbid it")]) from None
