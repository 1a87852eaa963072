"""What a claim says, whatever it is: a file, by itself or by the instructions of its folder, or a bundle."""

from collections.abc import Iterator
from dataclasses import replace

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
    with PdfReader() as pdfs:
        rules = replace(rules, count_pages=pdfs.pages)
        if claim.is_bundle:
            yield from _of_bundle(claim, rules, pdfs)
            return

        def source() -> Iterator[bytes]:
            with claims.open_claim(claim) as file:
                for chunk in claims.chunks(file):
                    disk.stop_if_told()
                    yield chunk

        yield from read(source, claim.called, rules, prompt)


def _of_bundle(claim: Claim, rules: Rules, pdfs: PdfReader) -> Iterator[Said]:
    try:
        with bundles.opened(claim.path) as bundle:
            yield from read_opened(bundle, claim.called.stem, rules, pdfs)
    except PermissionError:
        raise Rejected([Problem(0, "", "the daemon may not read this folder: its rights forbid it")]) from None


def read_opened(bundle: bundles.Bundle, name: str, rules: Rules, pdfs: PdfReader) -> Iterator[Said]:
    """Read a bundle, unless something lies in it that may not.

    Args:
        name: Its own, without the ending.
    """
    contents = bundle.contents()
    yield from contents.problems
    if not contents.problems:
        files = Files(contents.files, bundle.read, bundle.pieces, pdfs.pages)
        yield from bundle_reader.read(files, name, rules)
