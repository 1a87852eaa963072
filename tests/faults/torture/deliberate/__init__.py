"""Deliberate faults, a file a subject: which line of ours is broken into what, and the test that finds it."""

from tests.faults.torture.deliberate import batches, documents, isolation, money, protocol, rules, sync, waiting
from tests.faults.torture.deliberate.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    *protocol.MUTATIONS,
    *batches.MUTATIONS,
    *documents.MUTATIONS,
    *isolation.MUTATIONS,
    *money.MUTATIONS,
    *rules.MUTATIONS,
    *sync.MUTATIONS,
    *waiting.MUTATIONS,
)

__all__ = ["MUTATIONS", "Mutation"]
