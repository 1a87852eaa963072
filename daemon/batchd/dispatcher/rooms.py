"""The rooms in which a daemon's work is done."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from batchd.edges.api import Api
from batchd.edges.transcripts import Transcripts
from batchd.journey.bulk_finishing import BulkFinishing
from batchd.journey.cache_warmer import CacheWarmer
from batchd.journey.courier import Courier
from batchd.journey.finishing import Finishing
from batchd.journey.intake import Intake
from batchd.journey.packer import Packer
from batchd.journey.restoring import Restoring
from batchd.journey.sender import Sender
from batchd.journey.stepping import Stepping
from batchd.journey.sync_sender import SyncSender
from batchd.running.accounts import Accounts
from batchd.running.filling import Filling
from batchd.running.held_file import HeldFiles
from batchd.running.lookout import Lookout
from batchd.running.metering import Metering
from batchd.running.notifier import Notifier
from batchd.running.pause_notice import PauseNotice
from batchd.running.reloading import Reloading
from batchd.running.retrying import Retrying
from batchd.running.token_counter import TokenCounter
from batchd.running.wakeups import Wakeups
from batchd.running.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class Rooms:
    """Where the work is done."""

    api: Api
    intake: Intake
    packer: Packer
    sender: Sender
    sync_sender: SyncSender
    courier: Courier
    wakeups: Wakeups
    cache_warmer: CacheWarmer
    token_counter: TokenCounter
    held_files: HeldFiles
    pause_notice: PauseNotice
    finishing: Finishing
    bulk_finishing: BulkFinishing
    stepping: Stepping
    transcripts: Transcripts
    retrying: Retrying
    watchdog: Watchdog
    restoring: Restoring
    notifier: Notifier
    accounts: Accounts
    reloading: Reloading
    keeping: Callable[[], Awaitable[None]]
    """Removes what is old, day by day."""
    metering: Metering
    lookout: Lookout
    filling: Filling | None
    """Gives workers their batches; None where this process carries all of them itself."""
