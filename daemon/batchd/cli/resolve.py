"""`batchd resolve`: a person decides about a batch that the daemon holds."""

import re
from functools import partial
from typing import Annotated, Final

import typer

from batchd.cli.exit_codes import Failure
from batchd.cli.job_commands import Answer, AsJson, write_down
from batchd.cli.options import Chosen, takes_settings
from batchd.decisions.batch.plan import resent_as_a_whole
from batchd.edges.clock import Clock
from batchd.edges.store import Stale, Store
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.lifecycle import State
from batchd.model import Batch, BatchId, Evidence, Lane, RemoteId

_REMOTE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""What may stand in an address of the API; the format of its ids may change."""
_MOST: Final = (1 << 63) - 1
"""What the database can number."""
_DROPPED: Final = "dropped by `batchd resolve`: whether the API answered it, and charged for it, is not known"


@takes_settings
def resolve(  # noqa: PLR0913  the options of a command
    chosen: Chosen,
    *,
    batch: Annotated[
        int | None,
        typer.Argument(
            metavar="[BATCH]", min=1, max=_MOST, help="Its number, as `batchd status` shows it.", show_default=False
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every single message that is held, with --resend or --drop.")
    ] = False,
    adopt: Annotated[
        str | None,
        typer.Option("--adopt", metavar="ID", help="The API has it under this id.", show_default=False),
    ] = None,
    resend: Annotated[
        bool, typer.Option("--resend", help="The API has nothing of it, or never will have: send it again.")
    ] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="Give its requests up; `batchd retry` can still send them again.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Decide about a batch whose submission stayed in doubt.

    By itself batchd never risks paying twice. Look into the Console (or GET
    /v1/messages/batches): is there a batch of that time with that many
    requests? If so, adopt it; a wrong one does no harm, since its results
    must carry the ids that batchd gave. If there is none, have it sent again:
    if there is one after all, both are paid for.

    [bold]Examples[/bold]
      batchd resolve 12 --adopt msgbatch_013Zva2CMHLNnXjNJJKqJ2EF
      batchd resolve 12 --resend
      batchd resolve 12 --drop
      batchd resolve --all --resend

    [bold]Exit codes[/bold] 0 done; 1 the batch waits for no answer; 2 wrong
    call, or no such batch.
    """
    if sum((adopt is not None, resend, drop)) != 1:
        raise Unusable("say one of --adopt ID, --resend and --drop")
    if (batch is None) is not every or (every and adopt is not None):
        raise Unusable("say the number of one batch, or --all with --resend or --drop")
    if adopt is not None and not _REMOTE.fullmatch(adopt):
        raise Unusable(
            f"--adopt {adopt!r}: should be the API's id of a batch, such as msgbatch_013Zva2CMHLNnXjNJJKqJ2EF"
        )
    settings = chosen.settings()
    decided = "adopt" if adopt is not None else "resend" if resend else "drop"
    if batch is None:
        return write_down(settings, partial(_resolve_all, resend=resend, decided=decided), as_json=as_json)
    remote = None if adopt is None else RemoteId(adopt)
    one = partial(_resolve_one, batch=BatchId(batch), remote=remote, resend=resend, decided=decided)
    return write_down(settings, one, as_json=as_json)


async def _resolve_all(store: Store, *, resend: bool, decided: str) -> Answer:
    """Decide about all single messages alike; a batch may still be found at the API, and is decided about by itself."""
    messages = [each.id for each in await store.batches.held() if each.lane is Lane.SYNC]
    if not messages:
        raise Failure("no single message waits for an answer")
    for each in messages:
        await _resolve(store, batch=each, remote=None, resend=resend)
    what = "sent again; whatever was charged for them is counted" if resend else "given up"
    return Answer(
        f"{len(messages):,} messages are {what}.", {**signed("resolve"), "batches": messages, "decided": decided}
    )


async def _resolve_one(store: Store, *, batch: BatchId, remote: RemoteId | None, resend: bool, decided: str) -> Answer:
    text = await _resolve(store, batch=batch, remote=remote, resend=resend)
    return Answer(text, {**signed("resolve"), "batches": [batch], "decided": decided})


async def _resolve(store: Store, *, batch: BatchId, remote: RemoteId | None, resend: bool) -> str:
    try:
        found = await store.batches.get(batch)
    except LookupError:
        held = ", ".join(str(each.id) for each in await store.batches.held()) or "none"
        raise Unusable(f"there is no batch {batch}; those that wait for an answer: {held}") from None
    if found.state is not State.HELD:
        raise Failure(f"batch {batch} is {found.state}: it waits for no answer")
    if remote is not None and found.lane is Lane.SYNC:
        raise Failure(f"batch {batch} is a single message, which no list shows: say --resend or --drop")
    try:
        if remote is not None:
            return await _adopt(store, found, remote)
        if resend:
            return await _resend(store, found)
        await store.resolutions.drop(found, _DROPPED)
    except Stale:
        raise Failure(f"batch {batch} was decided about just now: see `batchd status`") from None
    return f"Batch {batch} is given up: its requests without an answer end as canceled."


async def _adopt(store: Store, batch: Batch, remote: RemoteId) -> str:
    origin = None if batch.intent is None else batch.intent.origin
    owner = await store.remotes.owner(remote, account=batch.account, origin=origin)
    if owner not in {None, batch.id}:
        raise Failure(f"{remote} is batch {owner} already")
    if remote in await store.remotes.disproved(batch.id):
        raise Failure(f"{remote} is another's: its results have been looked at, and carry other ids")
    now = Clock().now()
    await store.batches.adopt(batch, remote, Evidence.PERSON, now=now, next_poll_at=now)
    return f"Batch {batch.id} is taken for {remote}; its results must carry the ids that batchd gave."


async def _resend(store: Store, batch: Batch) -> str:
    if resent_as_a_whole(batch, any_delivered=await store.trips.any_delivered(batch.id)):
        await store.resolutions.send_again(batch)
    else:
        await store.resolutions.send_rest_again(batch, now=Clock().now())
    return f"Batch {batch.id} is sent again; whatever the API may have of it is paid for as well."
