"""A stand-in of the Messages API and its batches: a real HTTP server that speaks it, and is as strict as it.

    async with serve(SandboxSettings()) as server:
        client = AsyncAnthropic(base_url=server.base_url, api_key="sk-any")

It imports nothing of the daemon, so that it can be its judge. What a prompt can tell it is in `directives.py`, what
can go wrong on the wire in `faults/plan.py`, and `ledger.py` knows what was sent and what it would have cost.
"""

from batchd.sandbox.faults import Fault, Faults
from batchd.sandbox.ledger import Call, Entry, Ledger
from batchd.sandbox.receipts import Receipt
from batchd.sandbox.script import Asked, Line, Script
from batchd.sandbox.serving import SandboxServer, create_app, serve
from batchd.sandbox.settings import SandboxSettings

__all__ = [
    "Asked",
    "Call",
    "Entry",
    "Fault",
    "Faults",
    "Ledger",
    "Line",
    "Receipt",
    "SandboxServer",
    "SandboxSettings",
    "Script",
    "create_app",
    "serve",
]
