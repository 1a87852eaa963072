"""PDFs, read by a parser that somebody else wrote, in a process that can harm nobody."""

from batchd.edges.pdf.reader import PdfReader

__all__ = ["PdfReader"]
