"""The edge to the API: the only room that imports `anthropic`. It makes calls and sorts their errors."""

from batchd.edges.api.client import Api
from batchd.edges.api.responses import Page

__all__ = ["Api", "Page"]
