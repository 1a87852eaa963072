"""The edge to the API: the only room that imports `anthropic`. It makes calls and sorts their errors."""

from daemon.edges.api.answers import Page
from daemon.edges.api.client import Api
from daemon.edges.api.turnstile import Turnstile

__all__ = ["Api", "Page", "Turnstile"]
