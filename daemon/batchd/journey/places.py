"""Where things lie: the folders of one installation, by what they hold."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one installation."""

    inbox: Path
    outbox: Path
    state: Path

    @property
    def claims(self) -> Path:
        """Files that were taken and are not jobs yet."""
        return self.state / "claims"

    @property
    def spool(self) -> Path:
        """The checked params of every request, one file a job."""
        return self.state / "spool"

    @property
    def drafts(self) -> Path:
        """Documents between two rounds."""
        return self.state / "drafts"

    @property
    def streams(self) -> Path:
        """Answers of the sync lane, as they come."""
        return self.state / "streams"
