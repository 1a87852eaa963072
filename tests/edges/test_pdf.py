"""PDFs are read in a process of their own: whatever they are, this one goes on, no larger than before."""

import os
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchd.edges.pdf import PdfReader

from tests.support import media

UNREADABLE = "cannot be read as a PDF"


@pytest.fixture
def reader() -> Iterator[PdfReader]:
    with PdfReader() as made:
        yield made


def made(pages: int, *, packed: bool = False) -> bytes:
    return media.pdf(pages, packed=packed, draw=random.Random(1))  # noqa: S311  a document, no secret


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("pages", [1, 2, 600, 601])
def test_pages_are_counted(reader: PdfReader, pages: int, packed: bool) -> None:  # noqa: FBT001
    assert reader.pages(made(pages, packed=packed), 600) == pages


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"%PDF-1.7 nothing", made(9, packed=True)[:300], bytes(100_000)])
def test_what_is_no_whole_pdf_is_refused(reader: PdfReader, data: bytes) -> None:
    assert UNREADABLE in str(reader.pages(data, 600))


@pytest.mark.parametrize("name", sorted(media.CYCLIC_PDFS))
def test_a_page_tree_that_holds_itself_claims_pages_in_vain(reader: PdfReader, name: str) -> None:
    assert UNREADABLE in str(reader.pages(media.CYCLIC_PDFS[name], 600))


@pytest.mark.parametrize("user", [b"", b"secret"])
def test_an_encrypted_file_is_refused_whether_or_not_it_opens(reader: PdfReader, user: bytes) -> None:
    assert "is encrypted" in str(reader.pages(media.locked_pdf(user), 600))


def test_a_bomb_ends_its_process_and_no_other(reader: PdfReader) -> None:
    data = media.bomb_pdf()
    assert reader.pages(made(3), 600) == 3
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert UNREADABLE in str(reader.pages(data, 600))
    assert reader.pages(made(3), 600) == 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_what_does_not_come_back_is_ended_and_the_next_file_is_read() -> None:
    with PdfReader(patience=0.2) as reader:
        assert reader.pages(made(1), 600) == 1
        first = reader.process
        assert first
        os.kill(first, signal.SIGSTOP)
        assert UNREADABLE in str(reader.pages(made(1), 600))
        assert not Path(f"/proc/{first}").exists()
    with PdfReader() as reader:
        assert reader.pages(made(2), 600) == 2


def test_the_process_has_no_key_no_room_and_ends_with_its_reader(
    reader: PdfReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    assert reader.pages(made(1), 600) == 1
    process = Path(f"/proc/{reader.process}")
    assert b"sk-ant" not in (process / "environ").read_bytes()
    limits = (process / "limits").read_text()
    assert f"Max address space         {512 << 20}" in limits
    assert "Max file size             0" in limits
    reader.close()
    assert not process.exists()
