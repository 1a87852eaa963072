"""Tells what a lost life has brought to an end: its own notices were lost with it, told or not."""

from anyio import to_thread

from batchd.decisions.notices import lost
from batchd.edges.store import Store
from batchd.edges.store.notices import KEPT
from batchd.journey import lost_life
from batchd.journey.places import Places
from batchd.notice import Kind


async def retell(store: Store, places: Places, now: float) -> None:
    """Note each finished job and each rejected file of the outbox that the state has no notice of; twice does no harm.

    What is older than notices are kept is nobody's news. A job that the state takes for unfinished finishes again, and
    is told then.
    """
    known = await store.notices.told_of(Kind.JOB_FINISHED, "job")
    for job, at in await to_thread.run_sync(lost_life.finished_jobs, places.outbox, now - KEPT):
        there = await store.jobs.named(job.job)
        if (there is None or there.delivered) and (job.job, job.finished_at) not in known:
            await store.notices.note(lost.finished(job, at))
    files = {file for file, _ in await store.notices.told_of(Kind.FILE_REJECTED, "file")}
    for refusal in await to_thread.run_sync(lost_life.refusals, places.outbox, now - KEPT):
        if refusal.file not in files:
            await store.notices.note_rejection(lost.rejected(refusal.file, refusal.file, refusal.errors, refusal.at))
        for job_name in await to_thread.run_sync(lost_life.left_over, places.outbox, refusal.path):
            if await store.jobs.named(job_name) is None:
                await to_thread.run_sync(lost_life.remove, places.outbox, job_name)
