"""Writes where the repository is into all that is packed: `python -m release.address URL EMAIL`."""

import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
PLACES = ("pyproject.toml", "release/deb/control")
"""What tells an address to whoever installs it; every other link is relative, or made of these."""
_RESERVED = re.compile(r"(?:.+\.)?(?:example|invalid|test|localhost|example\.(?:com|net|org))")
"""Names that lead nowhere (RFC 2606)."""
_EMAIL = re.compile(r"[^@\s<>]+@([^@\s<>]+)")


def is_reserved(host: str) -> bool:
    """Whether a name stands for none."""
    return _RESERVED.fullmatch(host.lower()) is not None


def reserved(root: Path) -> set[str]:
    """Name what is still to be put in the place of names that lead nowhere: files, each with the name."""
    return {
        f"{place}: {host}"
        for place in PLACES
        for host in re.findall(r"(?:https?://|@)([\w.-]+\w)", (root / place).read_text("utf-8"))
        if is_reserved(host)
    }


def objection(address: str, email: str) -> str:
    """Say why these cannot be where the repository is, and who is written to; empty where they can."""
    parts, found = urlsplit(address), _EMAIL.fullmatch(email)
    host = parts.hostname or ""
    if parts.scheme != "https" or "." not in host or not parts.path.strip("/") or parts.query or parts.fragment:
        return f"{address!r} is no repository's address: make address URL=https://HOST/OWNER/NAME EMAIL=…"
    if found is None:
        return f"{email!r} is no address of mail: make address URL=… EMAIL=NAME@HOST"
    if taken := [each for each in (host, found[1]) if is_reserved(each)]:
        return f"{taken[0]} is a reserved name, which leads nowhere"
    return ""


def put(root: Path, address: str, email: str) -> None:
    """Write them in the place of those that stand there."""
    before = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Source"]
    for place in PLACES:
        text = (root / place).read_text("utf-8").replace(before, address.rstrip("/"))
        text = re.sub(r"^(Maintainer: .*<).*>$", lambda found: f"{found[1]}{email}>", text, flags=re.MULTILINE)
        (root / place).write_text(text, "utf-8")


def main(address: str, email: str) -> int:
    """Put them, or say why not."""
    if said := objection(address, email):
        sys.stderr.write(f"address: {said}\n")
        return 1
    put(ROOT, address, email)
    return 0


if __name__ == "__main__":
    sys.exit(main(*[*sys.argv[1:], "", ""][:2]))
