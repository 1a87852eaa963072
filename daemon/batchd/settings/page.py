"""`[page]`: where the page listens, who may look at it, and how much it shows."""

import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Final

from msgspec import field

from batchd.settings.rules import Rule, flag, listed, text, whole
from batchd.settings.values import Table

CONTENTS: Final = ("none", "documents", "all")


def _content(said: object) -> str:
    if said not in CONTENTS:
        raise ValueError(f"should be one of {', '.join(CONTENTS)}")
    return str(said)


def _network(said: object) -> str:
    try:
        return str(ip_network(said if isinstance(said, str) else "", strict=False))
    except ValueError:
        raise ValueError("should be an address such as 10.0.0.5, or a network such as 10.0.0.0/24") from None


def _base_path(said: object) -> str:
    path = text(pattern=r"\A(/[A-Za-z0-9._~-]+)*/?\Z")(said)
    return str(path).rstrip("/")


def _by_user(rule: Rule) -> Rule:
    def read(said: object) -> dict[str, object]:
        if isinstance(said, str):
            try:
                said = json.loads(said)
            except (ValueError, RecursionError):
                said = None
        if not isinstance(said, Mapping):
            raise ValueError('should be a table such as "alice" = ["legal"]')  # noqa: TRY004  a mistake of a person
        return {str(user): rule(folders) for user, folders in said.items()}

    return read


Names = Annotated[tuple[str, ...], listed(text(shortest=1))]


class Page(Table, frozen=True):
    """`[page]`: what `batchd page` shows, where, and to whom."""

    listen: Annotated[
        str,
        text(shortest=1),
        "Where it listens: `HOST:PORT`, or `unix:PATH` for a socket that its group may use. "
        "Any but a loopback address needs `page.token` or `page.user_header`.",
    ] = "127.0.0.1:8790"
    base_path: Annotated[
        str, _base_path, "The path under which a proxy has it, such as `/batchd`, which the proxy strips."
    ] = ""
    hosts: Annotated[Names, "Names of this machine that are accepted in `Host`, beside those of the loopback."] = ()
    token: Annotated[
        str,
        text(),
        "A credential of the service manager, or the path of a file (0600), with what to sign in by.",
    ] = ""
    user_header: Annotated[
        str,
        text(pattern=r"\A[A-Za-z0-9-]*\Z"),
        "The header in which a proxy names who is signed in; believed from the unix socket and from `page.trusted`.",
    ] = ""
    trusted: Annotated[
        tuple[str, ...], listed(_network), "Addresses of proxies whose headers are believed; all others' are ignored."
    ] = ()
    content: Annotated[
        str,
        _content,
        "How much of what was asked and answered is shown: `none`, `documents` (answers as files), "
        "or `all` (requests and results too).",
    ] = "none"
    actions: Annotated[bool, flag, "Whether jobs can be dropped, released, cancelled and retried on the page."] = False
    max_upload: Annotated[int, whole(least=1), "Bytes of the largest file that can be dropped."] = 67_108_864
    folders: Annotated[
        dict[str, tuple[str, ...]],
        _by_user(listed(text())),
        'Who sees which top folders of the inbox, such as `alice = ["legal"]`; `"*"` as a name is anybody who is not '
        "signed in, as a folder every one. Without it everybody sees all.",
    ] = field(default_factory=dict)
