"""What is asked: a request as a job file says it, and what may be wrong with one."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

from batchd.model.steps import Steps

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
"""For a request that names none."""
DEFAULT_MAX_TOKENS: Final = 64_000
"""For a request that does not say."""
ROWS_MAX_TOKENS: Final = 4_096
"""For a row that does not say."""
LONG_TOKENS: Final = 64_000
"""A request of a larger `max_tokens` is long, unless the settings draw the line elsewhere."""
BETA_NAME: Final = r"^[A-Za-z0-9._-]{1,100}$"
"""What the name of a beta consists of."""
MOST_DOLLARS: Final = 1_000_000
"""USD of the largest budget."""
BETA_300K = "output-300k-2026-03-24"
"""The beta that raises the cap of `max_tokens` to 300,000, in batches only (docs: batch processing)."""


class Lane(StrEnum):
    """By which of its APIs a request is sent."""

    BATCH = "batch"
    """Message Batches: at half the price, within 24 hours."""
    SYNC = "sync"
    """Messages, as a stream: at once, at the full price."""


class Verdict(StrEnum):
    """How a request ended; every request gets exactly one."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    SHORT = "short"
    REFUSED = "refused"
    PAUSED = "paused"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELED = "canceled"

    @property
    def incomplete(self) -> bool:
        """Whether the API wrote (and charged for) something that is not the whole answer."""
        return self in {Verdict.TRUNCATED, Verdict.SHORT, Verdict.REFUSED, Verdict.PAUSED}


class Wishes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked of a request beside its parameters, and never changes: its settings, by their names in a job file.

    They are described here alone. From the door to the report they travel as this value; the store keeps it as JSON,
    and `failures.jsonl` gives it back as it is kept. A new one is a line here, and one where it acts; one whose type
    does not say what may be written has a check of its own in `settings_check`.
    """

    documents: bool | Literal["continued"] = True
    """Whether the text of the answer is wanted as a file of its own, or only that of one of several rounds."""
    lane: Lane = Lane.BATCH
    cache: Literal["auto", "off"] = "off"
    """Whether what it shares with others may be cached, where that pays."""
    files: bool = False
    """Whether its answer consists of files, to be written out each under its path."""
    expect: msgspec.Raw = msgspec.Raw()
    """What its document must have to be whole, as JSON; empty when nothing is said."""
    notify: tuple[str, ...] = ()
    """The sinks that are told of all that its job meets."""


class Amended(NamedTuple):
    """What else is known of a request that is to put one of a job right."""

    row: int = 0
    """The row, or line, that was left out of the job and is meant; 0 where it names none."""
    values: Mapping[str, object] | None = None
    """Of its row, by columns; None where it is no row."""
    written: bytes = b""
    """The row as a line of JSON; empty where it came in a table."""


class Entry(NamedTuple):
    """One request of a job file, checked, with the job's settings and the defaults merged in."""

    line: int
    """The line of the file on which it begins, from 1."""
    custom_id: str
    """The user's own name for it, unique in its job."""
    name: str
    """What its document is called in the outbox, without suffix; unique in its job, letter case ignored."""
    params: bytes
    """The Messages API's parameters as one line of UTF-8 JSON, `model` and `max_tokens` among them."""
    model: str
    max_tokens: int
    betas: tuple[str, ...] = ()
    """Sorted: requests travel together only when these are equal, since betas belong to a whole batch."""
    budget: Decimal | None = None
    """USD that this request may cost; None for any amount."""
    rounds: int = 0
    """How many times it may be continued when it comes back cut short."""
    wishes: Wishes = Wishes()
    version: str | None = None
    """Of the API, where it is not the one that everything else goes by: requests of one version travel together."""
    template: int = 0
    """Requests of one file and template differ in nothing but their ids and texts; 0 where that was not looked at."""
    amended: Amended | None = None
    """None where it puts nothing right."""


class Foreseen(NamedTuple):
    """What a later step asks: its requests are made of answers that nobody has yet."""

    step: str
    entry: Entry
    """One of its requests, with the shortest of answers in it."""
    worst: int | None
    """Picodollars that one of them can cost, with the longest; None where the price is not known."""
    counted: bool
    """Whether there is one of them; else a list decides."""


class RowsForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the rows of a job stand in its file: all that is needed to lay their answers beside them."""

    file: str
    """In the job's folder."""
    objects: bool = False
    """Whether each line is an object; else it is a table."""
    id: str | None = None
    """The column that is the custom_id, where the prompt file names one."""
    delimiter: str | None = None
    encoding: str | None = None
    properties: tuple[str, ...] = ()
    """Of the schema, each of which gets a column; none where an answer is one text."""


READERS: Final = ("daemon", "dropper", "group")
"""Who may read what came of a job, beside the daemon's user: nobody, whoever dropped its file, a group; ever more."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read what came of a job."""

    kind: str = READERS[0]
    """One of `READERS`."""
    group: str | None = None
    """The name of the group, where that may."""

    def narrowed(self, by: str | None) -> "Readers":
        """Let no more read it than somebody else allows: one of `READERS`, or None for any."""
        return self if by is None or READERS.index(by) >= READERS.index(self.kind) else Readers(by)


MOST_PRIORITY: Final = 100
"""The highest; the lowest is as far below 0."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Before whom requests of a job, or of a folder, go, and when; None where that is not said."""

    priority: int | None = None
    """Higher ones go first; 0 is everybody's."""
    hours: str | None = None
    """As `text.hours` reads them: no create begins outside of these."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a job file says of the job as a whole."""

    budget: Decimal | None = None
    """USD that all its requests may cost together; None for what the settings say."""
    rows: RowsForm | None = None
    """None where its requests are no rows."""
    listing: tuple[str, ...] = ()
    """The files of which each is a row, where no table has them."""
    steps: Steps | None = None
    """None where all that is asked stands in the file."""
    script: bytes = b""
    """What those steps ask, as JSON."""
    foreseen: "tuple[Foreseen, ...]" = ()
    """What steps will ask that is not asked yet."""
    readers: Readers | None = None
    """Who may read what comes of it; None where nothing is said."""
    turn: Turn = Turn()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a job file: it is refused whole, and says so at this line and field."""

    line: int
    """From 1; 0 when it concerns the file as a whole."""
    field: str
    """A path such as `params.messages[0].content`; empty when no single field is meant."""
    message: str
    row: int = 0
    """Of a table, as a spreadsheet counts; 0 where it concerns none."""


class Reject(NamedTuple):
    """A request that is left out, for what is wrong with it alone (`on_error: skip`)."""

    line: int
    """On which it begins, as a `Problem` has it."""
    row: int
    custom_id: str
    """Empty where it has none that can be read."""
    problems: tuple[Problem, ...]
    """At least one."""
    said: object = None
    """What its user wrote, as JSON has it: a row by its columns, or a request; None where it cannot be read."""
    cells: tuple[str, ...] = ()
    """Of a table's row."""
    columns: tuple[str, ...] = ()
    """Of the table; empty where it is none."""
    delimiter: str = ","
    line_end: str = "\n"

    @property
    def is_request(self) -> bool:
        """Whether it is no row, of which a prompt was asked."""
        return not self.row


@dataclass(frozen=True, slots=True)
class Caution:
    """Something a user should know of before the bill, which stops nothing."""

    line: int
    field: str
    message: str
