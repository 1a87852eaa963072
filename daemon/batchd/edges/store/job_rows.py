"""A row of `jobs`, as the value that the rest of the program knows."""

from batchd.edges.store.statements import Row
from batchd.model import Job, JobId, RowsForm, StepBar, Steps
from batchd.text import typed


def job_of(row: Row) -> Job:
    """Read a row of `jobs`."""
    # What a person has cancelled waits for no money, whatever was noted of it before.
    ended = row["cancel_wanted"] or row["delivered"]
    hold = None if ended else row["step_hold"] or row["hold"]
    return Job(
        id=JobId(row["id"]),
        claim=row["claim"],
        name=row["name"],
        source=row["source"],
        received_at=row["received_at"],
        total=row["total"],
        finished_at=row["finished_at"],
        delivered=bool(row["delivered"]),
        cancel_wanted=bool(row["cancel_wanted"]),
        retry_wanted=bool(row["retry_wanted"]),
        hold=hold,
        hold_until=None if hold is None or row["step_hold"] else row["hold_until"],
        released=bool(row["released"]),
        released_up_to=row["released_up_to"],
        cache=row["cache"],
        results_length=row["results_length"],
        missing=row["missing"],
        rejected=row["rejected"],
        rows=None if row["rows"] is None else typed.decode(row["rows"], RowsForm),
        sandbox=bool(row["sandbox"]),
        steps=None if row["steps"] is None else typed.decode(row["steps"], Steps),
        steps_left=row["steps_left"],
        steps_passed=row["steps_passed"],
        step_entries=row["step_entries"],
        steps_note=row["steps_note"],
        step_bar=None if ended or row["step_bar"] is None else StepBar(row["step_bar"]),
        later=row["later"],
        uid=row["uid"],
        pruned=bool(row["rows_pruned"]) or row["folder_pruned"] is not None or row["folder_packed"] is not None,
        twin=None if hold is None else row["twin"],
        caution=row["caution"],
    )
