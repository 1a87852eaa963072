"""What `batchd doctor` says of those who are told: whether they can be, as far as that shows without telling them."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from batchd.cli.doctor_checks import Finding, Health
from batchd.edges.sinks.secret import Unreadable, read_secrets
from batchd.settings import Settings, Sink


def sinks(settings: Settings) -> Iterator[Finding]:
    """Look at the settings of each sink; nothing is sent."""
    for name, sink in settings.notify.sinks.items():
        said, remedy = _wrong(sink)
        about = f"sink {name}"
        if said:
            yield Finding(about, Health.PROBLEM, said, remedy)
        elif sink.url is not None and not sink.secret:
            yield Finding(about, Health.OK, f"{sink.url.shown}, unsigned: `batchd notify test {name}` tries it")
        else:
            yield Finding(about, Health.OK, f"`batchd notify test {name}` tries it")
    if settings.metrics.listen or settings.metrics.textfile:
        if find_spec("prometheus_client") is None:
            yield Finding(
                "metrics", Health.PROBLEM, "prometheus-client is not installed", "pip install 'batchd[metrics]'"
            )
        else:
            yield Finding("metrics", Health.OK, settings.metrics.listen or settings.metrics.textfile)


def _wrong(sink: Sink) -> tuple[str, str]:
    """Say what keeps a sink from being told, and what to do; nothing where all is well."""
    if sink.secret:
        try:
            read_secrets(sink.secret)
        except Unreadable as error:
            return str(error), "a file of mode 0600 with whsec_ and 24 bytes or more in base64"
    if sink.command and shutil.which(sink.command[0]) is None:
        there = Path(sink.command[0]).exists()
        said = f"{sink.command[0]!r} {'may not be run' if there else 'is not there'}"
        return said, "chmod +x it" if there and not os.access(sink.command[0], os.X_OK) else "name a program that is"
    if sink.apprise is not None and find_spec("apprise") is None:
        return "apprise is not installed", "pip install 'batchd[notify]'"
    return "", ""
