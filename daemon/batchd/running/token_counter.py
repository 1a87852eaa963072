"""Has the API count the tokens of a prompt whose bound, a token for each byte, is too much for a budget.

Only then does the count matter, and only then is it asked for: counting is free, but it is a call with its own limits.
"""

from pathlib import Path

import structlog
from anyio import to_thread

from batchd.decisions.money.budget import Prompt, countable, dollars, worst_case
from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.edges.spool import read_from_spool
from batchd.edges.store import Store
from batchd.errors import Gone, Refused, Unavailable
from batchd.model import Held, RequestId

log = structlog.get_logger()

MOST = 20
"""Requests of one job that are counted; of many small ones the budget is simply too small."""
PAUSE = 600.0
"""Seconds after which an API that could not be asked is asked again."""


class TokenCounter:
    """Tightens the bounds of requests that a budget holds."""

    def __init__(self, store: Store, api: Api, clock: Clock, spool: Path) -> None:
        self._store = store
        self._api = api
        self._clock = clock
        self._spool = spool
        self._again_at: dict[RequestId, float] = {}
        self._counted: set[RequestId] = set()

    async def due(self) -> list[Held]:
        """List the requests by which jobs are held, and which were not counted yet."""
        now = self._clock.now()
        return [each for each in await self._store.spending.uncounted(MOST) if now >= self._again_at.get(each.id, now)]

    async def count(self, held: Held) -> None:
        """Have a request counted; if that makes it cheaper than was feared, its job is looked at again."""
        if held.id in self._counted:
            return  # it was listed just before its count was stored
        place = held.place
        params = await to_thread.run_sync(read_from_spool, self._spool / place.claim, place.offset, place.size)
        try:
            tokens = await self._api.count_tokens(await to_thread.run_sync(countable, params), held.betas)
        except (Refused, Gone):
            await self._note(held, held.worst)
            return
        except Unavailable as trouble:
            log.warning("tokens not counted", request=held.id, reason=str(trouble))
            self._again_at[held.id] = self._clock.now() + PAUSE
            return
        prompt = Prompt.counted(tokens, params)
        worst = worst_case(prompt, held.model, held.max_tokens, held.rounds, held.allowance, lane=held.lane)
        worst = held.worst if worst is None else min(worst, held.worst)
        log.info("tokens counted", request=held.id, tokens=tokens, at_most=dollars(worst), before=dollars(held.worst))
        await self._note(held, worst)

    async def _note(self, held: Held, worst: int) -> None:
        await self._store.spending.counted(held.id, worst)
        self._counted.add(held.id)
