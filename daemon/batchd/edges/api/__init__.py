"""The edge to the API: the only room that imports `anthropic`. It makes calls and sorts their errors."""

from batchd.edges.api.calls import Api

__all__ = ["Api"]
