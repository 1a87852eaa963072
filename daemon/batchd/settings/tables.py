"""Every setting: its name, its default, what it may be, and what it is for.

A value made here directly (`Settings()`) reads nothing: only `load_settings` looks at the environment and at files.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from msgspec import field
from msgspec.structs import force_setattr

from batchd.model import (
    BETA_NAME,
    DEFAULT_MAX_TOKENS,
    DEFAULT_MODEL,
    LONG_TOKENS,
    MOST_DOLLARS,
    MOST_PRIORITY,
    READERS,
    ROWS_MAX_TOKENS,
)
from batchd.notice import EVENTS
from batchd.settings.page import Page
from batchd.settings.rules import (
    Address,
    address,
    amount,
    flag,
    listed,
    listening,
    moment,
    names,
    one_of,
    optional,
    origin,
    part_of_day,
    place,
    real,
    server,
    text,
    time_of_day,
    whole,
)
from batchd.settings.values import Table, Within, fields_of

PREFIX: Final = "BATCHD_"
MAX_BATCH_BYTES: Final = 256_000_000
"""The API's limit of a batch, in the stricter reading of its "256 MB"."""
MAX_BATCH_REQUESTS: Final = 100_000
DOUBT: Final = 900.0
DOUBT_PER_TIMEOUT: Final = 1.5
_BY_TIMEOUT: Final = -1.0
"""Stands for what follows from `api.timeout`; no value that may be set."""


def _really(folder: Path) -> Path:
    """Where a folder really is, as far as that can be told: the working folder may be gone."""
    try:
        return Path(os.path.realpath(folder))
    except OSError:
        return folder


Seconds = Annotated[float, real(least=0)]
Count = Annotated[int, whole(least=1)]
Days = Annotated[int, whole(least=0, most=36_500)]
CountOrNone = Annotated[int | None, optional(whole(least=1))]
Dollars = Annotated[Decimal, amount(least=0, most=MOST_DOLLARS)]
Place = Annotated[Path, place]
Folders = Annotated[tuple[Path, ...], listed(place)]
Betas = Annotated[tuple[str, ...], listed(text(pattern=BETA_NAME))]


class Api(Table, frozen=True):
    """`[api]`: how the Message Batches API is reached."""

    base_url: Annotated[
        str, origin, "Where the API is; empty for `$ANTHROPIC_BASE_URL`, or else the API's own place."
    ] = ""
    key_file: Annotated[
        Path | None,
        optional(place),
        "A file that holds the key; it is read anew without a restart. None for the other places of the key.",
    ] = None
    betas: Annotated[Betas, "Beta headers added to every batch."] = ()
    requests_per_minute: Annotated[Count, "All calls together, reads too; 50 is the limit of the lowest tier."] = 50
    max_queued_requests: Annotated[
        Count, "Requests in unfinished batches at one time; the organization's limit is per tier."
    ] = 100_000
    timeout: Annotated[float, real(above=0), "Seconds without a byte from the API."] = 600.0
    doubt: Annotated[
        Seconds,
        "Seconds that an unanswered create may take to show in the list, before it may be sent again. "
        "Unless set, at least 1.5 times `api.timeout`.",
    ] = _BY_TIMEOUT

    def __post_init__(self) -> None:
        if self.doubt == _BY_TIMEOUT:
            force_setattr(self, "doubt", max(DOUBT, DOUBT_PER_TIMEOUT * self.timeout))


class Intake(Table, frozen=True):
    """`[intake]`: when a file is taken."""

    settle: Annotated[
        Seconds, "A file counts as whole once its size and time have stood still for so many seconds."
    ] = 1.0
    bundle_settle: Annotated[
        Seconds, "The same for a folder `NAME.job`; one that comes whole by a rename is taken after `intake.settle`."
    ] = 5.0
    keep_bundle: Annotated[
        bool, flag, "Move a folder that was taken to `outbox/<job>/request/`; else it is removed."
    ] = True
    duplicate_window: Annotated[
        Seconds,
        "The same bytes again, of the same folder, name and instructions, while the first is unfinished or for so many "
        "seconds after it has finished: held with a question. 0: never.",
    ] = 600.0
    rescan: Annotated[float, real(above=0), "Seconds between full looks at the inbox, whatever the watcher says."] = (
        60.0
    )
    force_polling: Annotated[bool, flag, "Look for changes instead of being told of them: for NFS and SMB."] = False
    max_job_bytes: Annotated[Count, "Bytes of all requests of one job together, as they are sent."] = 20_000_000_000


class Packing(Table, frozen=True):
    """`[batch]`: which requests travel together."""

    linger: Annotated[Seconds, "Seconds that a request may wait for company."] = 2.0
    concurrency: Annotated[int, whole(least=1, most=64), "Creates in flight at one time."] = 4
    max_requests: Annotated[
        int, whole(least=1, most=MAX_BATCH_REQUESTS), "Requests in one batch; smaller batches end sooner."
    ] = 10_000
    max_bytes: Annotated[int, whole(least=1, most=MAX_BATCH_BYTES), "Bytes of one batch; the API takes 256 MB."] = (
        250_000_000
    )
    long_max_requests: Annotated[
        int,
        whole(least=1, most=MAX_BATCH_REQUESTS),
        "Long requests in one batch: no result can be read before the whole batch has ended.",
    ] = 20
    long_tokens: Annotated[Count, "A `max_tokens` above this makes a request long."] = LONG_TOKENS


class Poll(Table, frozen=True):
    """`[poll]`: how often a batch is asked for."""

    initial: Annotated[Seconds, "Seconds before the first poll of a batch."] = 60.0
    factor: Annotated[float, real(above=1), "By how much the wait grows from poll to poll."] = 1.5
    max: Annotated[float, real(above=0), "Seconds of the longest wait."] = 600.0
    jitter: Annotated[float, real(least=0, most=0.5), "By which part a wait is shortened or lengthened at random."] = (
        0.1
    )

    def __post_init__(self) -> None:
        if self.max < self.initial:
            raise ValueError(f"poll.max ({self.max:g}) should not be less than poll.initial ({self.initial:g})")


class Retry(Table, frozen=True):
    """`[retry]`: how often a request is sent again."""

    max_attempts: Annotated[int, whole(least=1, most=100), "Sendings of one request, the first included."] = 3


class Sync(Table, frozen=True):
    """`[sync]`: requests that cannot wait for a batch."""

    concurrency: Annotated[int, whole(least=1, most=48), "Messages under way at one time."] = 4


class Defaults(Table, frozen=True):
    """`[defaults]`: for a request that does not say."""

    model: Annotated[str, text(shortest=1), "The model's id."] = DEFAULT_MODEL
    max_tokens: Annotated[Count, "The longest answer, in tokens."] = DEFAULT_MAX_TOKENS
    rows_max_tokens: Annotated[Count, "The same for a row of a table, or an object of a JSONL file."] = ROWS_MAX_TOKENS


class Budget(Table, frozen=True):
    """`[budget]`: what may be spent, in USD; the worst case is reserved before anything is sent."""

    per_job: Annotated[Dollars, "USD that a job may cost which does not say; 0 for any amount."] = Decimal(0)
    per_day: Annotated[Dollars, "USD that all jobs of a day (UTC) may cost; 0 for any amount."] = Decimal(0)
    per_month: Annotated[Dollars, "USD that all jobs of a month (UTC) may cost; 0 for any amount."] = Decimal(0)


class Results(Table, frozen=True):
    """`[results]`: how results are written, and who may read them."""

    guard_formulas: Annotated[
        bool, flag, "Put a ' before an answer in `results.csv` that a spreadsheet would take for a formula."
    ] = True
    readers: Annotated[
        str,
        text(pattern=f"^({'|'.join(READERS)})$"),
        "Who may read what came of a job, beside the daemon's user: nobody, who dropped its file, or a group.",
    ] = READERS[0]
    group: Annotated[str, text(), 'The group of `readers = "group"`.'] = ""
    groups: Annotated[tuple[str, ...], listed(text(shortest=1)), "Groups that instructions of folders may name."] = ()

    def __post_init__(self) -> None:
        if self.readers == "group" and not self.group:
            raise ValueError('results.readers = "group" needs results.group, such as group = "legal"')


class Folder(Table, frozen=True):
    """`[folder.NAME]`: one top folder of the inbox, and all below it."""

    per_day: Annotated[Dollars, "USD that its jobs of a day (UTC) may cost together; 0 for any amount."] = Decimal(0)
    per_month: Annotated[Dollars, "USD that its jobs of a month (UTC) may cost together; 0 for any amount."] = Decimal(
        0
    )
    key: Annotated[
        str, text(), "The NAME of the `[keys.NAME]` by which its requests go; empty for the key of `[api]`."
    ] = ""
    group: Annotated[
        str, text(), "The group that may read what comes of its jobs; empty for what `[results]` says."
    ] = ""
    priority: Annotated[
        int, whole(least=-MOST_PRIORITY, most=MOST_PRIORITY), "Whose requests go first: those of the higher one."
    ] = 0
    hours: Annotated[
        str, part_of_day, "When its requests are sent, as `20:00-06:00`, by this machine's clock; empty for always."
    ] = ""
    notify: Annotated[
        tuple[str, ...], listed(text(shortest=1)), "Sinks of `[notify.sinks]` that are told of all that its jobs meet."
    ] = ()


class Key(Table, frozen=True):
    """`[keys.NAME]`: one more key, perhaps of another workspace, for the folders that name it."""

    file: Annotated[Path | None, optional(place), "A file that holds the key; it is read anew without a restart."] = (
        None
    )
    base_url: Annotated[str, origin, "Where the API of this key is; empty for that of `[api]`."] = ""


class Keep(Table, frozen=True):
    """`[keep]`: how many days things stay; 0 is for ever."""

    outbox: Annotated[Days, "Days for which the folder of a finished job stays in the outbox; 0 for ever."] = 0
    documents_only: Annotated[
        Days,
        "Days after which, of such a folder, the results are packed (`results.jsonl.zst`) and what was asked is "
        "removed; 0 for never (extra `batchd[zstd]`).",
    ] = 0
    rejected: Annotated[Days, "Days for which a refused file stays, with its reasons; 0 for ever."] = 0
    rows: Annotated[
        Days, "Days for which the database knows the requests of a finished job; its sums stay. 0 for ever."
    ] = 0
    at: Annotated[str, time_of_day, "When the daemon removes what is older, by this machine's clock."] = "03:30"


class Attach(Table, frozen=True):
    """`[attach]`: the files that may go along with a prompt."""

    folders: Annotated[
        Folders, "Folders whose files a request may attach; none may be attached where this is empty."
    ] = ()


class Sink(Table, frozen=True):
    """`[notify.sinks.NAME]`: one who is told."""

    url: Annotated[
        Address | None, optional(address("https", "http")), "A webhook, told by POST (Standard Webhooks)."
    ] = None
    command: Annotated[
        tuple[str, ...], listed(text()), "A command with its arguments: run without a shell, the notice on its stdin."
    ] = ()
    apprise: Annotated[
        Address | None, optional(address()), "An address in the form of apprise (extra `batchd[notify]`)."
    ] = None
    ping: Annotated[
        Address | None,
        optional(address("https", "http")),
        "A dead man's switch: asked by GET while all is well; it misses us when it is not.",
    ] = None
    secret: Annotated[
        str,
        text(),
        "What a webhook is signed with: the name of a credential, or of a file (0600), of `whsec_…`; "
        "two lines both sign.",
    ] = ""
    events: Annotated[
        tuple[str, ...] | None,
        optional(listed(one_of(*EVENTS))),
        "What it is told of; unless set, all but jobs that came to a good end.",
    ] = None
    folders: Annotated[
        tuple[str, ...], listed(text(pattern=r"^[^/]*$")), "Only what is about these top folders of the inbox."
    ] = ()
    private: Annotated[bool, flag, "Whether it may be on this machine, or in a private network."] = False
    every: Annotated[float, real(least=1), "Seconds between two pings."] = 300.0

    def __post_init__(self) -> None:
        ways = [way for way in ("url", "command", "apprise", "ping") if getattr(self, way)]
        # None is what a table is made of when its fields are read.
        if len(ways) > 1:
            raise ValueError(f"a sink of [notify.sinks] has {' and '.join(ways)}; it should have one of them")
        if self.secret and ways != ["url"]:
            raise ValueError("a sink of [notify.sinks] has a secret; that is for one with url")
        if ways == ["ping"] and (self.events is not None or self.folders):
            raise ValueError("a sink of [notify.sinks] with ping is told of no events; leave out events and folders")


class Notify(Table, frozen=True):
    """`[notify]`: who is told of what happens."""

    digest: Annotated[
        str, moment, "When a day is told of as a whole, as `07:30`, by the machine's clock; empty for never."
    ] = ""
    disk_low: Annotated[
        int, whole(least=0), "Bytes below which the disk of outbox or state is told to be low; 0 for never."
    ] = 2_000_000_000
    page: Annotated[str, origin, "Base address of the page, so that a link goes along."] = ""
    sinks: dict[str, Sink] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, sink in self.sinks.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"notify.sinks.{name[:40]!r} should be named in letters, digits, - and _")
            if not (sink.url or sink.command or sink.apprise or sink.ping):
                raise ValueError(f"notify.sinks.{name} should have one of url, command, apprise and ping")


_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Metrics(Table, frozen=True):
    """`[metrics]`: what is measured, and where it can be read (extra `batchd[metrics]`)."""

    listen: Annotated[
        str,
        listening,
        "Where `/metrics`, `/healthz` and `/readyz` are: `127.0.0.1:9790`, `unix:…`; empty: nowhere.",
    ] = ""
    textfile: Annotated[
        str, text(), "A file that has the same, written every 30 seconds; empty for none. It ends in `.prom`."
    ] = ""
    queues: Annotated[
        int, whole(least=0, most=500), "Top folders that are told apart, the first by name; further ones are `other`."
    ] = 50


class Fleet(Table, frozen=True):
    """`[fleet]`: several `batchd run` on one database of PostgreSQL (extra `batchd[fleet]`)."""

    workers: Annotated[
        int,
        whole(least=1, most=64),
        "How many share the work; any more stand by. 1: one works. All hosts say the same.",
    ] = 1
    stalled: Annotated[
        float,
        real(least=2),
        "Seconds after which a worker that is not heard is given up, and others go on with its work.",
    ] = 30.0
    tasks: Annotated[
        int,
        whole(least=1, most=10_000),
        "Batches that one worker has in hand at a time; those that rest for long are in nobody's.",
    ] = 200
    name: Annotated[str, text(), "What `batchd status` calls this worker; empty for the name of its host."] = ""


class ModelOverride(Table, frozen=True):
    """`[models."id"]`: what is to be known of a model instead of what the program knows."""

    max_output: Annotated[CountOrNone, "The cap of `max_tokens` without a beta, in tokens."] = None
    long_output: Annotated[bool | None, optional(flag), "Whether the 300K beta raises that cap."] = None
    window: Annotated[CountOrNone, "The context window, in tokens."] = None


class Settings(Table, frozen=True):
    """All settings. Durations are seconds."""

    inbox: Annotated[Place, "The folder where requests come in."] = Path("inbox")
    outbox: Annotated[Place, "The folder where results go out."] = Path("outbox")
    state: Annotated[Place, "The folder of the database, the spool and the lock."] = Path(".batchd")
    store: Annotated[
        str, server, "The database: empty for a file in the state folder, or the URL of PostgreSQL, without a password."
    ] = ""
    api: Api = Api()
    intake: Intake = Intake()
    batch: Packing = Packing()
    poll: Poll = Poll()
    retry: Retry = Retry()
    sync: Sync = Sync()
    defaults: Defaults = Defaults()
    budget: Budget = Budget()
    results: Results = Results()
    keep: Keep = Keep()
    attach: Attach = Attach()
    notify: Notify = Notify()
    page: Page = Page()
    folder: dict[str, Folder] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    metrics: Metrics = Metrics()
    fleet: Fleet = Fleet()
    models: dict[str, ModelOverride] = field(default_factory=dict)
    aliases: Annotated[
        dict[str, str],
        Within("models", "alias"),
        names,
        "Names that stand for models, each with its model; `opus`, `sonnet` and `haiku` stand for the newest of each.",
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._keep_apart()
        self._find_sinks()
        self._find_keys()
        self._keep_private()
        self._share()

    @property
    def database(self) -> Path | str:
        """Where the database is: a file, or the URL of a server's."""
        return self.store or self.state / "batchd.sqlite"

    def _keep_apart(self) -> None:
        """An outbox within the inbox would be taken as input, and so on: no folder may hold another."""
        places = {name: _really(getattr(self, name)) for name in ("inbox", "outbox", "state")}
        for name, mine in places.items():
            for other, around in places.items():
                if name != other and mine.is_relative_to(around):
                    raise ValueError(
                        f"{name} ({mine}) should not be {other} ({around}), nor lie in it: give it a place of its own"
                    )

    def _find_sinks(self) -> None:
        for name, folder in self.folder.items():
            for sink in folder.notify:
                if sink not in self.notify.sinks or self.notify.sinks[sink].ping:
                    raise ValueError(f"folder.{name}.notify names {sink!r}, which is no sink of [notify.sinks]")

    def _find_keys(self) -> None:
        for name, key in self.keys.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"keys.{name[:40]!r} should be named in letters, digits, - and _")
            if key.file is None:
                raise ValueError(f"keys.{name} should have file, the file that holds the key")
        for name, folder in self.folder.items():
            if folder.key and folder.key not in self.keys:
                raise ValueError(f"folder.{name}.key names {folder.key[:40]!r}, which is no key of [keys]")

    def _share(self) -> None:
        """What a worker that stands still has begun must be over before others may begin it anew."""
        if self.fleet.workers == 1:
            return
        if not self.store:
            raise ValueError(
                f"fleet.workers ({self.fleet.workers}) needs store: workers share a database of PostgreSQL"
            )
        if self.api.doubt <= 2 * self.fleet.stalled:
            raise ValueError(
                f"api.doubt ({self.api.doubt:g}) should be more than twice fleet.stalled ({self.fleet.stalled:g}): "
                "else a worker that stood still could send what another one has sent meanwhile"
            )

    def _keep_private(self) -> None:
        """What others asked, and were answered, is nobody's to attach."""
        for folder in self.attach.folders:
            around = _really(folder)
            for name in ("inbox", "outbox", "state"):
                mine = _really(getattr(self, name))
                if mine.is_relative_to(around) or around.is_relative_to(mine):
                    raise ValueError(
                        f"attach.folders ({folder}) should not be {name} ({mine}), nor hold it, nor lie in it: "
                        "list the folders of what is to be attached alone"
                    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is explained to people."""

    key: str
    """As in TOML, with its table: `poll.factor`."""
    default: object
    env: str
    """The name of its environment variable."""
    description: str


def describe() -> Iterator[Setting]:
    """List every setting in reading order; those of tables by name once, under a name that stands for any."""
    for name, said in fields_of(Settings).items():
        if said.by_id and said.table is not None:
            yield from _by_name(f'{name}."id"', f"{PREFIX}{name}".upper(), said.table)
        elif said.table is not None:
            for key, inner in fields_of(said.table).items():
                variable = f"{PREFIX}{name}__{key}".upper()
                if inner.by_id and inner.table is not None:
                    yield from _by_name(f"{name}.{key}.NAME", variable, inner.table)
                else:
                    yield Setting(f"{name}.{key}", inner.default, variable, inner.description)
        elif said.within is not None:
            yield Setting(
                ".".join(said.within), said.default, f"{PREFIX}{'__'.join(said.within)}".upper(), said.description
            )
        else:
            yield Setting(name, said.default, f"{PREFIX}{name}".upper(), said.description)


def _by_name(prefix: str, variable: str, table: type[Table]) -> Iterator[Setting]:
    """The settings of a table of which there is one for each name."""
    for key, inner in fields_of(table).items():
        yield Setting(f"{prefix}.{key}", None, variable, inner.description)
