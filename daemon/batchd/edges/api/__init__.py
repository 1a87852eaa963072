"""The edge to the API: the only room that imports `anthropic`, where it must. It makes calls and sorts their errors."""

from batchd.edges.api.calls import Api

__all__ = ["Api"]
