"""The values that travel through the house: nothing here acts, everything is frozen.

Three nouns. A *job* is a file that was taken, a *request* is one message of it, and a *batch* is one
trip to the API, which may carry requests of several jobs.
"""

from batchd.model.batch import Batch, Counts, Evidence, Intent, Lacking, Place, Plan, RemoteBatch, Sending, WireRow
from batchd.model.ids import BatchId, JobId, RemoteId, RequestId
from batchd.model.job import Ceiling, Job, StepBar
from batchd.model.money import Cost, Usage, total
from batchd.model.request import (
    BETA_300K,
    BETA_NAME,
    DEFAULT_MAX_TOKENS,
    DEFAULT_MODEL,
    LONG_TOKENS,
    MOST_DOLLARS,
    MOST_PRIORITY,
    READERS,
    ROWS_MAX_TOKENS,
    Amended,
    Caution,
    Entry,
    Foreseen,
    Lane,
    Problem,
    Readers,
    Reject,
    RowsForm,
    Terms,
    Turn,
    Verdict,
    Wishes,
)
from batchd.model.steps import NOT_BEGUN, NOTHING_BEGUN, Answered, Standing, Step, Steps
from batchd.model.waiting import Held, Waiting

__all__ = [
    "BETA_300K",
    "BETA_NAME",
    "DEFAULT_MAX_TOKENS",
    "DEFAULT_MODEL",
    "LONG_TOKENS",
    "MOST_DOLLARS",
    "MOST_PRIORITY",
    "NOTHING_BEGUN",
    "NOT_BEGUN",
    "READERS",
    "ROWS_MAX_TOKENS",
    "Amended",
    "Answered",
    "Batch",
    "BatchId",
    "Caution",
    "Ceiling",
    "Cost",
    "Counts",
    "Entry",
    "Evidence",
    "Foreseen",
    "Held",
    "Intent",
    "Job",
    "JobId",
    "Lacking",
    "Lane",
    "Place",
    "Plan",
    "Problem",
    "Readers",
    "Reject",
    "RemoteBatch",
    "RemoteId",
    "RequestId",
    "RowsForm",
    "Sending",
    "Standing",
    "Step",
    "StepBar",
    "Steps",
    "Terms",
    "Turn",
    "Usage",
    "Verdict",
    "Waiting",
    "WireRow",
    "Wishes",
    "total",
]
