"""The names of things."""

from typing import NewType

JobId = NewType("JobId", int)
RequestId = NewType("RequestId", int)
BatchId = NewType("BatchId", int)
RemoteId = NewType("RemoteId", str)
"""The API's own name of a batch, `msgbatch_…`; its format and length may change."""
