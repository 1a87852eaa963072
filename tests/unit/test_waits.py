"""Why a job waits that nobody holds: a pause, its hours, or others that go first."""

from datetime import UTC, datetime
from decimal import Decimal

from batchd.delivery import Tally
from batchd.edges.store import JobStanding, Pause
from batchd.edges.store.turns import JobTurn
from batchd.model import Cost, Job, JobId, Turn, Usage
from batchd.standing.waits import waits

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def job(number: int, name: str, *, waiting: int = 1, hold: str | None = None) -> JobStanding:
    return JobStanding(Job(JobId(number), "c", name, f"{name}.jsonl", 0.0, 1, hold=hold), _tally(waiting), ())


def _tally(waiting: int) -> Tally:
    return Tally(waiting, 0, {}, Usage(), Cost(Decimal(0), Decimal(0)), Decimal(0))


def told(*jobs: JobStanding, turns: list[JobTurn] | None = None, paused: tuple[Pause, ...] = ()) -> dict[int, str]:
    found = waits(jobs, turns or [], {"night": Turn(0, "20:00-06:00")}, paused, NOON)
    return {int(job): reason for job, reason in found.items()}


def test_hours_are_told_with_their_begin() -> None:
    night = [JobTurn(JobId(1), "night", None, None), JobTurn(JobId(2), "night", None, "11:00-13:00")]
    found = told(job(1, "night/a"), job(2, "night/b"), turns=night)
    assert found == {1: "it is sent in its hours alone (20:00-06:00), from 2026-11-27 20:00 on"}


def test_a_pause_comes_first_and_is_of_its_folder_alone() -> None:
    pause = Pause("legal", 0.0, None, "me", None)
    assert told(job(1, "legal/a"), job(2, "legally/a"), paused=(pause,)) == {1: "folder legal is paused"}
    everything = Pause(None, 0.0, None, "me", None)
    assert told(job(1, "a"), paused=(everything,)) == {1: "everything is paused"}


def test_what_goes_after_others_says_so_and_what_could_go_says_nothing() -> None:
    urgent = [JobTurn(JobId(2), "", 5, None)]
    assert told(job(1, "a"), job(2, "b"), turns=urgent) == {1: "jobs of a higher priority go first (5 before 0)"}
    assert told(job(1, "a"), job(2, "b", waiting=0), turns=urgent) == {}


def test_what_is_held_or_has_nothing_left_to_send_says_nothing_here() -> None:
    everything = (Pause(None, 0.0, None, "me", None),)
    assert told(job(1, "a", hold="no money"), job(2, "b", waiting=0), paused=everything) == {}
