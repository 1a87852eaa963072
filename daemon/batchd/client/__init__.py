"""batchd for programs: drop what is to be asked, wait for it, and read what came.

Everything here goes through files: the inbox, and the outbox. Nothing of the daemon is imported, and the daemon
need not run on this machine, as long as the folders are shared.
"""

from batchd.client.dropping import Ticket, submit
from batchd.client.finished import Held, Refused
from batchd.client.reading import Row, results
from batchd.client.waiting import wait
from batchd.formats.jobs import Job

__all__ = ["Held", "Job", "Refused", "Row", "Ticket", "results", "submit", "wait"]
