"""Bundles for tests: folders made of their files, and read as the daemon reads them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from batchd.decisions.bundle import reader
from batchd.decisions.bundle.files import Files
from batchd.decisions.jobfile.reader import Rules, Said
from batchd.edges.pdf import PdfReader


def files_of(files: Mapping[str, bytes | str], pdfs: PdfReader) -> Files:
    """Files that lie nowhere."""
    held = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}

    def pieces(path: str) -> Iterator[bytes]:
        yield held[path]

    return Files(
        {path: len(data) for path, data in held.items()}, lambda path, most: held[path][: most + 1], pieces, pdfs.pages
    )


def said(files: Mapping[str, bytes | str], rules: Rules | None = None) -> list[Said]:
    """What a bundle of these files says."""
    with PdfReader() as pdfs:
        return list(reader.read(files_of(files, pdfs), "bundle", rules or Rules(count_pages=pdfs.pages)))


def write(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Make a folder of these files."""
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def drop(inbox: Path, name: str, files: Mapping[str, bytes | str]) -> Path:
    """Write a bundle under a hidden name, and rename it."""
    hidden = write(inbox / f".{Path(name).name}", files)
    final = inbox / name
    final.parent.mkdir(parents=True, exist_ok=True)
    return hidden.rename(final)
