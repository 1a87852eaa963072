"""The dispatcher: the task tree, the looks at what is due, and the end."""

from batchd.dispatcher.rooms import Rooms
from batchd.dispatcher.stopping import GRACE
from batchd.dispatcher.task_tree import Dispatcher

__all__ = ["GRACE", "Dispatcher", "Rooms"]
