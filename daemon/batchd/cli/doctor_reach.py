"""`batchd doctor`: the keys, and the way to the API by each of them."""

import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from batchd.cli.doctor_checks import Finding, Health
from batchd.decisions.batch.list_order import oddity
from batchd.errors import BatchdError, Gone, Parked, Unreachable, Unusable
from batchd.settings import Key, Settings, find_api_key, key_in

_SOME: Final = 20
"""How many batches of the list are looked at, for their order."""
_PATIENCE: Final = 15.0
_CREDENTIALS: Final = re.compile(r"//[^/@]*@")
"""User and password in an address, which is shown without them."""
_SKEW: Final = 60.0
"""Seconds by which our clock may differ from the server's before it is worth a remark."""


def key(settings: Settings) -> Finding:
    """Say where the key was found; it is never shown."""
    try:
        found = find_api_key(settings.api.key_file)
    except Unusable as error:
        return Finding("key", Health.PROBLEM, str(error), "put the key there as the Console shows it, readable by us")
    if found is not None:
        in_environment = os.environ.get("ANTHROPIC_API_KEY", "").strip()
        if settings.api.key_file is not None:
            return Finding("key", Health.OK, f"found in {settings.api.key_file} (api.key_file)")
        place = "$ANTHROPIC_API_KEY" if in_environment else "$CREDENTIALS_DIRECTORY/anthropic-api-key"
        return Finding("key", Health.OK, f"found in {place}")
    said = "neither in $ANTHROPIC_API_KEY nor in a credentials file: whether the SDK finds one, a call will show"
    return Finding("key", Health.WARNING, said, "set ANTHROPIC_API_KEY")


def further_keys(settings: Settings) -> Iterator[Finding]:
    """Say of each key of `[keys]` whether it is there; none is shown."""
    for name, each in settings.keys.items():
        try:
            key_in(_file_of(each), f"keys.{name}.file")
        except Unusable as error:
            remedy = "put the key there as the Console shows it, readable by us; what goes by it waits until then"
            yield Finding(f"key {name}", Health.PROBLEM, str(error), remedy)
        else:
            yield Finding(f"key {name}", Health.OK, f"found in {each.file} (keys.{name}.file)")


def _file_of(key: Key) -> Path:
    if key.file is None:
        raise LookupError("a key without a file is no setting")
    return key.file


async def reach(settings: Settings) -> AsyncIterator[Finding]:
    """Call the API by each key: the address, the key, the list that doubts are settled by, the clock, the model."""
    async for finding in _reach("", settings.api.base_url, lambda: find_api_key(settings.api.key_file), settings):
        yield finding
    for name, each in settings.keys.items():
        find = partial(key_in, _file_of(each), f"keys.{name}.file")
        async for finding in _reach(name, each.base_url or settings.api.base_url, find, settings):
            yield finding


async def _reach(
    name: str, base_url: str, find: Callable[[], str | None], settings: Settings
) -> AsyncIterator[Finding]:
    from batchd.edges.api import Api  # noqa: PLC0415  the SDK, which `--offline` must not wait for
    from batchd.edges.clock import Clock  # noqa: PLC0415  same

    where = base_url or os.environ.get("ANTHROPIC_BASE_URL") or "the API's own address"
    where = _CREDENTIALS.sub("//", where)
    about = f"api {name}".strip()
    try:
        with anyio.fail_after(_PATIENCE):
            async with Api.connect(
                key=find(),
                base_url=base_url,
                per_minute=50,
                patience=_PATIENCE,
                clock=Clock(),
            ) as api:
                page = await api.page(limit=_SOME)
                models = await api.models()
    except (TimeoutError, BatchdError) as error:
        yield replace(_unreached(where, error), about=about)
        return
    of = f" (organization {page.organization})" if page.organization else ""
    yield Finding(about, Health.OK, f"{where} takes the key{of}, and lists batches")
    if (odd := oddity([batch.id for batch in page.batches], [batch.created_at for batch in page.batches])) is not None:
        said = f"{where} {odd}: a create without an answer is looked for in the whole list, which takes longer"
        yield Finding("list", Health.WARNING, said, "tell whoever runs it; the API itself lists the newest first")
    if page.server_time is not None and not name:
        yield _clock(page.server_time - time.time())
    model, key_named = settings.defaults.model, f"key {name}" if name else "the key"
    if models and model not in models:
        yield Finding(
            "model",
            Health.WARNING,
            f"{model} is not among the models of {key_named}",
            "set defaults.model to one that is",
        )


def _unreached(where: str, error: Exception) -> Finding:
    """What keeps the API from answering, and what to do."""
    match error:
        case TimeoutError():
            said, remedy = f"no answer from {where}", "check network, proxy and api.base_url"
        case Unusable():
            said, remedy = str(error), "make a key in the Console"
        case Gone():
            said, remedy = f"no Message Batches at {where}", "check api.base_url"
        case Parked():
            said, remedy = f"{where}: {error}", "nothing is sent until then; it goes on by itself"
        case Unreachable():
            said, remedy = f"{where}: {error}", _remedy(str(error))
        case _:
            said, remedy = f"{where}: {error}", "check network, proxy, key and api.base_url"
    return Finding("api", Health.PROBLEM, said, remedy)


def _remedy(trouble: str) -> str:
    """What to do where there is no connection at all."""
    if "certificate" in trouble:
        return "SSL_CERT_FILE=/path/to/authority.pem in the daemon's environment, too"
    if "proxy" in trouble:
        return "put that variable right, or name the host in NO_PROXY"
    return "check api.base_url, network and name resolution; HTTPS_PROXY, where a proxy leads out"


def _clock(ahead: float) -> Finding:
    if abs(ahead) > _SKEW:
        said = f"differs from the API's by {abs(ahead):,.0f} s: what you are shown may be off; nothing depends on it"
        return Finding("clock", Health.WARNING, said, "let NTP set it")
    return Finding("clock", Health.OK, "agrees with the API's")
