"""The process that reads PDFs: each comes as a descriptor through a socket, and an answer goes back.

A file that is made to break its parser breaks this process alone. It has no key, no file of ours and no environment;
its memory and its time are bounded by the kernel, and it may write no file. It imports nothing of the rest.
"""

import json
import os
import resource
import socket
import sys

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]  # calls of a library in C

_MEMORY = 512 << 20
"""Bytes of address space."""
_SECONDS = 2
"""Of a processor, for one file."""
_NO_HANDLER = -1
"""What pdfium calls the security handler of a file that has none."""
_LOCKED = (4, 5)
"""Errors of pdfium: a password is needed; the security handler is not known."""


def main() -> None:
    """Answer until the socket closes."""
    _limit(resource.RLIMIT_AS, _MEMORY)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    pdfium.FPDF_InitLibrary()
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        parent.send(b'{"ready": true}')
        while True:
            message, descriptors, _, _ = socket.recv_fds(parent, 16, 1)
            if not message:
                return
            _allow_more_time()
            with os.fdopen(descriptors[0], "rb") as file:
                data = file.read()
            parent.send(json.dumps(_read(data, int(message))).encode())


def _read(data: bytes, most: int) -> dict[str, int | bool]:
    """Count the pages of a file; where there are not too many, the first and the last must be there indeed."""
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not document:
        return {"encrypted": pdfium.FPDF_GetLastError() in _LOCKED}
    try:
        if pdfium.FPDF_GetSecurityHandlerRevision(document) != _NO_HANDLER:
            return {"encrypted": True}
        pages = pdfium.FPDF_GetPageCount(document)
        there = pages > most or all(_is_there(document, number) for number in {0, pages - 1})
        return {"pages": pages if there else 0}
    finally:
        pdfium.FPDF_CloseDocument(document)


def _is_there(document: object, number: int) -> bool:
    page = pdfium.FPDF_LoadPage(document, number)
    if page:
        pdfium.FPDF_ClosePage(page)
    return bool(page)


def _allow_more_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + _SECONDS + 1, hard))


def _limit(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
