"""Claims: files and bundles that were taken from the inbox and are not yet jobs, each alone in a new folder.

A file is taken by one rename, so that at every instant it is either in the inbox or claimed. From another file system
it is copied, and the original is removed when the copy is whole. Below its claim's folder it keeps the path that it had
below the inbox, which therefore needs no record of its own. All of it blocks: callers run it in a worker thread.
"""

from batchd.edges.claims.along import Along, going_along, open_along
from batchd.edges.claims.claim import Claim, Given, chunks, discard, holds, instructed, instructions, open_claim
from batchd.edges.claims.digest import content_of, digest_of
from batchd.edges.claims.taking import claim, recover_claims, secure

__all__ = [
    "Along",
    "Claim",
    "Given",
    "chunks",
    "claim",
    "content_of",
    "digest_of",
    "discard",
    "going_along",
    "holds",
    "instructed",
    "instructions",
    "open_along",
    "open_claim",
    "recover_claims",
    "secure",
]
