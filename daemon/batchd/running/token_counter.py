"""Has the API count the tokens of a prompt whose bound, a token for each byte, is too much for a budget.

Only then does the count matter, and only then is it asked for: counting is free, but it is a call with its own limits.
"""

from pathlib import Path

import structlog
from anyio import to_thread

from batchd.claude.catalogue import Catalogue
from batchd.claude.prompt_size import countable
from batchd.decisions.money.counting import worth_counting
from batchd.decisions.money.worst_case import Prompt, worst_case
from batchd.edges.clock import Clock
from batchd.edges.spool import read_from_spool
from batchd.edges.store import Store
from batchd.errors import Gone, Refused, Unavailable
from batchd.model import Held, JobId, RequestId
from batchd.running.accounts import Accounts

log = structlog.get_logger()

AHEAD = 20
"""Requests of one job that are counted at one time, so that they travel together."""
PAUSE = 600.0
"""Seconds after which an API that could not be asked is asked again."""


class TokenCounter:
    """Tightens the bounds of requests that a budget holds."""

    def __init__(self, store: Store, accounts: Accounts, clock: Clock, spool: Path, catalogue: Catalogue) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._spool = spool
        self._again_at: dict[RequestId, float] = {}
        self._counted: set[RequestId] = set()
        self._catalogue = catalogue
        self._told: set[JobId] = set()

    async def due(self) -> list[Held]:
        """List the requests by which jobs are held, if to count them could let those go on."""
        now = self._clock.now()
        worth = worth_counting(await self._store.holds.uncounted(AHEAD), self._catalogue)
        return [each for each in worth if now >= self._again_at.get(each.id, now)]

    async def count(self, held: Held) -> None:
        """Have a request counted; if that makes it cheaper than was feared, its job is looked at again."""
        if held.id in self._counted:
            return  # it was listed just before its count was stored
        if held.job not in self._told:
            self._told.add(held.job)
            log.info("tokens are counted", job=held.job_name, reason="the bound of a prompt is too much for a budget")
        place = held.place
        params = await to_thread.run_sync(read_from_spool, self._spool / place.claim, place.offset, place.size)
        try:
            api = self._accounts.api(self._accounts.of_job(held.job_name))
            tokens = await api.count_tokens(await to_thread.run_sync(countable, params), held.betas)
        except (Refused, Gone):
            await self._note(held, held.worst)
            return
        except Unavailable as trouble:
            log.warning("tokens not counted", request=held.id, reason=str(trouble))
            self._again_at[held.id] = self._clock.now() + PAUSE
            return
        facts = self._catalogue.find(held.model)
        bound = await to_thread.run_sync(Prompt.bounded, params, facts, held.betas, held.wishes.expect)
        prompt = bound.counted(tokens)
        worst = worst_case(prompt, held.model, held.max_tokens, held.rounds, held.allowance, lane=held.wishes.lane)
        worst = held.worst if worst is None else min(worst, held.worst)
        log.debug("tokens counted", request=held.id, tokens=tokens)
        await self._note(held, worst)

    async def _note(self, held: Held, worst: int) -> None:
        await self._store.holds.counted(held.id, worst)
        self._counted.add(held.id)
