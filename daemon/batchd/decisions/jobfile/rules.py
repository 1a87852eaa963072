"""The rules by which every request of a file is checked, as the settings of the program have them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from batchd.claude.catalogue import Catalogue
from batchd.decisions.jobfile.attachment import CountPages, Gather
from batchd.decisions.jobfile.templates import Templates
from batchd.model import DEFAULT_MAX_TOKENS, DEFAULT_MODEL, LONG_TOKENS, ROWS_MAX_TOKENS, Readers


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings of the program say about every request."""

    model: str = DEFAULT_MODEL
    """For a request that names none."""
    max_tokens: int = DEFAULT_MAX_TOKENS
    """For a request that does not say."""
    betas: tuple[str, ...] = ()
    """Added to every request."""
    catalogue: Catalogue = field(default_factory=Catalogue)
    long_tokens: int = LONG_TOKENS
    """`max_tokens` above this makes a request long: unless it says otherwise, it is continued when it is cut."""
    max_request_bytes: int = 32_000_000
    """Bytes of one request, as it stands in the file and as it goes out; the API's own limit for a message."""
    max_requests: int = 1_000_000
    """Requests of one file."""
    max_job_bytes: int = 20_000_000_000
    """Bytes of all of them together, as they go out."""
    rows_max_tokens: int = ROWS_MAX_TOKENS
    """For a row of a table, or an object, that does not say."""
    sinks: frozenset[str] = frozenset()
    """The names that a file may say are to be told of its job."""
    now: float = 0.0
    """Unix seconds, against which deadlines are held."""
    gather: Gather | None = None
    """Reads the files that go along with a prompt; None where the settings allow no folder."""
    readers: Readers = field(default_factory=Readers)
    """Who may read what comes of a job of which nothing else is said."""
    folder_groups: Mapping[str, str] = field(default_factory=dict)
    """The groups that may read what comes of top folders of the inbox."""
    groups: tuple[str, ...] = ()
    """Which groups the instructions of a folder may name."""
    count_pages: CountPages | None = None
    """Reads PDFs; None where none are read."""
    known: Templates | None = None
    """Shared by files that are read one after the other by the very same rules; None where each has its own."""

    def readers_of(self, folder: str) -> Readers:
        """Who may read what comes of a top folder of the inbox of which nothing else is said."""
        group = self.folder_groups.get(folder)
        return Readers("group", group) if group else self.readers
