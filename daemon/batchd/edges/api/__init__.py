"""The edge to the API: the only room that imports `anthropic`. It makes calls and sorts their errors."""

from batchd.edges.api.answers import Page
from batchd.edges.api.client import Api
from batchd.edges.api.turnstile import Turnstile

__all__ = ["Api", "Page", "Turnstile"]
