"""Names for jobs, and their folders: nobody else gets a name that is promised before the store knows its job."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from anyio import from_thread

from batchd.edges.claims import Claim
from batchd.edges.outbox import JobFolder, choose_name
from batchd.edges.store import Store
from batchd.journey import lost_life
from batchd.text import safepath


class JobNames:
    """Gives names to jobs."""

    def __init__(self, store: Store, outbox: Path) -> None:
        """Promise no name yet.

        Args:
            store: Which knows the jobs there are.
            outbox: Where their folders lie.
        """
        self._store = store
        self._outbox = outbox
        self._naming = threading.Lock()
        self._promised: set[str] = set()
        """Names of jobs that are being stored, letter case ignored."""

    @contextmanager
    def chosen(self, taken: Sequence[Claim], *, sync: bool) -> Iterator[list[str]]:
        """Choose names for jobs and make their folders, durable or not.

        Nobody else gets a name until the block is left, and then the store knows it: so that many are stored in one
        commit, and none waits for another's.
        """
        names: list[str] = []
        try:
            with self._naming:
                is_taken = self._asked_at_once(claim.called.with_suffix("") for claim in taken)
                for claim in taken:
                    # Of a state that was put back, nobody knows that it has begun this job before.
                    begun = partial(lost_life.begun_with, self._outbox, claim)
                    name = choose_name(self._outbox, claim.called.with_suffix(""), is_taken, begun)
                    JobFolder(self._outbox, name).create(sync=sync)
                    self._promised.add(name.casefold())
                    names.append(name)
            yield names
        finally:
            self._promised -= {name.casefold() for name in names}

    def _asked_at_once(self, wanted: Iterable[PurePosixPath]) -> Callable[[str], bool]:
        """Ask the store once whether jobs have the names that files are most likely to get.

        What is promised to others is noted before that: until the store knows it, it stays promised.
        """
        promised = frozenset(self._promised)
        likely = {"/".join(safepath.components(path)) for path in wanted}
        known = from_thread.run(self._store.jobs.taken, likely) if len(likely) > 1 else None

        def is_taken(name: str) -> bool:
            if name.casefold() in promised or name.casefold() in self._promised:
                return True
            if known is not None and name in likely:
                return name in known
            return from_thread.run(self._store.jobs.named, name) is not None

        return is_taken
