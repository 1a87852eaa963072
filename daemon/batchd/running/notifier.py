"""The notifier: tells people and programs what has happened, each thing at least once, and keeps nobody waiting.

A notice is written in the commit of what it is about. Here it is addressed, once it is due, and from then on each sink
has a task of its own: whatever one does, or does not, delays no other, and never the daemon.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import structlog
from anyio import to_thread

from batchd.decisions.notices.body import message_of
from batchd.decisions.notices.pace import gap, over
from batchd.decisions.notices.routing import Route, sinks_for
from batchd.edges import event_log
from batchd.edges.clock import Bell, Clock
from batchd.edges.sinks import Taker
from batchd.edges.store import Store
from batchd.edges.store.notices import Waiting
from batchd.errors import Defect
from batchd.notice import Attempt, Message, Notice, Told
from batchd.running.retrying import Retrying
from batchd.trouble import Thing, Work

log = structlog.get_logger()

SEATS: Final = 4
"""Notices that one sink is told of at one time."""
_IDLE: Final = 3600.0
"""Seconds between two looks where nothing calls, and in which old notices are removed."""
_LAST_WORDS: Final = 20.0
"""Real seconds that the end of a run waits for first attempts."""
_EVENTS: Final = Thing(Work.LOOK, event_log.NAME, event_log.NAME)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A sink with what it wants to be told of."""

    route: Route
    taker: Taker

    @property
    def name(self) -> str:
        """The sink's."""
        return self.route.sink


class Notifier:
    """Addresses notices, and has them delivered."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self,
        store: Store,
        clock: Clock,
        outbox: Path,
        recipients: Sequence[Recipient],
        retrying: Retrying,
        *,
        page: str = "",
        folders: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Make one.

        Args:
            store: Where notices are.
            clock: What waits are measured by.
            outbox: Where `events.jsonl` is.
            recipients: The sinks.
            retrying: Goes on after trouble.
            page: Base address of the page; empty where there is none.
            folders: The sinks that top folders of the inbox name.
        """
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._recipients = recipients
        self._retrying = retrying
        self._page = page
        self._folders = {folder: frozenset(sinks) for folder, sinks in (folders or {}).items()}
        self._bell = Bell()
        self._bells = {each.name: Bell() for each in recipients}
        self._tried = Bell()
        self._stopped: set[str] = set()
        self._failing: set[str] = set()
        self._all_filed = False
        self._addressing = anyio.Lock()

    def ring(self) -> None:
        """Say that there may be something to tell."""
        self._bell.ring()

    def take_up(self) -> None:
        """Offer again what waits for those that wanted nothing any more: somebody has seen to them."""
        for name in self._stopped:
            self._bells[name].ring()
        self._stopped.clear()

    async def run(self) -> None:
        """Tell for ever."""
        async with anyio.create_task_group() as tasks:
            for each in self._recipients:
                thing = Thing(Work.LOOK, f"sink {each.name}", f"sink {each.name}")
                tasks.start_soon(self._retrying.until_done, thing, partial(self._serve, each))
            while True:
                await self._store.notices.forget([each.name for each in self._recipients], self._clock.now())
                await self._address_for_a_while()

    async def _address_for_a_while(self) -> None:
        until = self._clock.now() + _IDLE
        while (now := self._clock.now()) < until:
            await self._address()
            due = await self._store.notices.next_due()
            await self._bell.wait_at_most(max(min(until if due is None else due, until) - now, 0.05), self._clock)

    async def flush(self) -> bool:
        """Before this process ends: address everything, and let each sink be tried once, as far as that is quick.

        Returns:
            Whether all stands in `events.jsonl`.
        """
        filed = False
        with anyio.move_on_after(_LAST_WORDS):
            await self._store.notices.hasten(self._clock.now())
            await self._address(last=True)
            filed = self._all_filed
            names = [each.name for each in self._recipients if each.name not in self._stopped]
            while await self._store.notices.untried(names):
                await self._tried.wait()
        return filed

    async def _address(self, *, last: bool = False) -> None:
        async with self._addressing:
            while due := await self._store.notices.due(self._clock.now()):
                filed = await self._file(due.standing) if due.standing else True
                routes = [each.route for each in self._recipients]
                sinks = {each.id: sinks_for(self._named(each), routes) for each in due.standing}
                await self._store.notices.address(due, sinks, now=self._clock.now(), filed=filed)
                for name in {sink for each in sinks.values() for sink in each}:
                    self._bells[name].ring()
            await self._file_the_rest(last=last)

    def _named(self, notice: Notice) -> Notice:
        """Add the sinks that its folder names."""
        of_folder = self._folders.get(notice.queue or "")
        return replace(notice, named=notice.named | of_folder) if of_folder else notice

    async def _file_the_rest(self, *, last: bool) -> None:
        """Write what could not be written before; not again and again, but once more at the last."""
        if self._all_filed or (not last and self._retrying.resting(Work.LOOK).get(_EVENTS.id)):
            return
        while some := await self._store.notices.unfiled():
            if not await self._file(some):
                return
            await self._store.notices.filed(each.id for each in some)
        self._all_filed = True

    async def _file(self, notices: Sequence[Notice]) -> bool:
        """Write notices into `events.jsonl`; where that cannot be done, the sinks are told all the same."""
        lines = [self._message(each).body for each in notices]
        try:
            await to_thread.run_sync(event_log.append, self._outbox, lines)
        except OSError as error:
            self._all_filed = False
            await self._retrying.failed(_EVENTS, error)
            return False
        await self._retrying.over(_EVENTS)
        return True

    def _message(self, notice: Notice) -> Message:
        return message_of(notice, self._store.installation, self._page)

    async def _serve(self, recipient: Recipient) -> None:
        """Deliver to one sink, for ever."""
        name, bell = recipient.name, self._bells[recipient.name]
        under_way: set[int] = set()
        async with anyio.create_task_group() as tasks:
            while True:
                wait = _IDLE
                if name not in self._stopped and len(under_way) < SEATS:
                    now = self._clock.now()
                    most = SEATS - len(under_way)
                    for each in await self._store.notices.waiting(name, now, but=under_way, most=most):
                        under_way.add(each.notice.id)
                        tasks.start_soon(self._deliver, recipient, each, under_way)
                    at = await self._store.notices.next_at(name, but=under_way)
                    if at is not None and len(under_way) < SEATS:
                        wait = max(at - self._clock.now(), 0)
                await bell.wait_at_most(wait, self._clock)

    async def _deliver(self, recipient: Recipient, waiting: Waiting, under_way: set[int]) -> None:
        try:
            try:
                attempt = await recipient.taker.deliver(self._message(waiting.notice))
            except Exception as bug:  # noqa: BLE001  it is that sink's own trouble
                attempt = Attempt(Told.AGAIN, str(Defect.of(bug)))
            await self._note(recipient.name, waiting, attempt)
        finally:
            under_way.discard(waiting.notice.id)
            self._bells[recipient.name].ring()
            self._tried.ring()

    async def _note(self, sink: str, waiting: Waiting, attempt: Attempt) -> None:
        notices, number, now = self._store.notices, waiting.notice.id, self._clock.now()
        if attempt.told is Told.DONE:
            self._failing.discard(sink)
            await notices.done(number, sink, now)
            return
        about = {"sink": sink, "kind": waiting.notice.kind.value, "reason": attempt.reason}
        if attempt.told is Told.NEVER or over(waiting.since, now):
            log.error("notice given up", **about, attempts=waiting.attempts + 1)
            await notices.failed(number, sink, attempt.reason)
            return
        if attempt.told is Told.STOPPED and sink not in self._stopped:
            self._stopped.add(sink)
            log.error("sink stopped", sink=sink, reason=f"{attempt.reason}: it wants nothing any more; until a reload")
        elif sink not in self._failing:
            self._failing.add(sink)
            log.warning("notice not delivered", **about)
        await notices.again(number, sink, attempt.reason, now + gap(waiting.attempts + 1))
