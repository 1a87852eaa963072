"""Before a batch is sent, looks whether the params of its jobs are there: where one job's are not, the others go."""

from collections.abc import Iterable
from pathlib import Path
from stat import S_ISREG

from anyio import to_thread

from batchd.edges.store import Spooled, Store
from batchd.errors import Unavailable
from batchd.model import Batch
from batchd.running.retrying import Retrying
from batchd.running.wakeups import Leg
from batchd.trouble import packing


class Readiness:
    """Dissolves a planned batch that cannot be sent whole, and parks the job that keeps it."""

    def __init__(self, store: Store, spool: Path, retrying: Retrying) -> None:
        self._store = store
        self._spool = spool
        self._retrying = retrying

    def before(self, send: Leg) -> Leg:
        """Make a leg that sends only what is there."""

        async def checked(batch: Batch) -> Batch:
            spooled = await self._store.trips.spooled(batch.id)
            lost = await to_thread.run_sync(_lost, self._spool, spooled)
            for each in spooled:
                if each.job in lost:
                    said = Unavailable(
                        f"its params in the state folder are gone or cut ({lost[each.job]}): cancel it, and drop again "
                        "what its folder in the outbox has as request.*"
                    )
                    await self._retrying.failed(packing(each.job, each.name), said)
                else:
                    await self._retrying.over(packing(each.job))
            return await self._store.batches.dissolve(batch) if lost else await send(batch)

        return checked


def _lost(spool: Path, spooled: Iterable[Spooled]) -> dict[int, str]:
    """Say what is wrong with the params of which job."""
    lost: dict[int, str] = {}
    for each in spooled:
        try:
            stat = (spool / each.claim).lstat()
        except OSError as error:
            lost[each.job] = error.strerror or type(error).__name__
            continue
        if not S_ISREG(stat.st_mode):
            lost[each.job] = "not a regular file"
        elif stat.st_size < each.end:
            lost[each.job] = f"{stat.st_size:,} bytes of {each.end:,}"
    return lost
