"""Makes a site of the pages, with zensical between the two: `python -m release.site lay FOLDER`, `… check FOLDER`.

The pages stay as they are: laid out as in the repository, so that every link among them still leads there. Their order
is that of docs/README.md. What leads elsewhere becomes an address to read, since the site asks nothing of any other.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

ROOT: Final = Path(__file__).parents[1]
SHOWN: Final = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "docs",
    "examples",
    "systemd",
    "tests/data/real",
    "release/image",
)
KINDS: Final = {"Quickstart": "Tutorial", "How to": "How-to", "Reference": "Reference", "Background": "Explanation"}
"""What docs/README.md calls its kinds of pages, and what the site does."""
_CREDIT: Final = "https://zensical.org"
"""The address of those who made what makes the site: the only one that leads elsewhere."""
_FENCED: Final = re.compile(r"^( *)(`{3,}).*?^\1\2`*$", re.MULTILINE | re.DOTALL)
_ELSEWHERE: Final = re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+|(?:[^)\s#:]*/)?\.[\w.]+)\)")
"""A link to another site, or to a hidden file, which a site has not."""
_LINKED: Final = re.compile(r"\]\(([^)#\s]+\.md)(#[^)]*)?\)")
_REMARKED: Final = re.compile(r"^( *`{3,}\w+) [^\n`]*$", re.MULTILINE)
"""The first line of a fence that says more than its language."""
_CONFIGURATION: Final = """\
[project]
site_name = "batchd"
site_description = "Files in, long documents out, through Claude's Message Batches API"
docs_dir = "pages"
site_dir = "html"
use_directory_urls = false
nav = {nav}

[project.theme]
language = "en"
font = false
features = ["content.code.copy", "navigation.footer", "navigation.sections", "navigation.top", "search.highlight"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"

[project.markdown_extensions]
tables = {{}}
sane_lists = {{}}
pymdownx.superfences = {{}}
pymdownx.highlight = {{}}
toc.permalink = true
toc.slugify = {{ object = "pymdownx.slugs.slugify", kwds = {{ case = "lower" }} }}
"""


def lay(folder: Path) -> None:
    """Copy what is shown, and write the configuration beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    for name in SHOWN:
        source, target = ROOT / name, pages / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("inbox", "outbox", ".batchd", "package"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for page in pages.rglob("*.md"):
        page.write_text(_at_home(page.read_text("utf-8")), encoding="utf-8")
    (folder / "zensical.toml").write_text(_CONFIGURATION.format(nav=_table(navigation())), encoding="utf-8")


def navigation() -> dict[str, dict[str, str]]:
    """Return the pages by kind and title, in the order in which docs/README.md names them."""
    found: dict[str, dict[str, str]] = {"": {_title("README.md"): "README.md"}}
    placed: set[str] = set()
    parts = re.split(r"^\*\*(.+?)\*\*$", (ROOT / "docs" / "README.md").read_text("utf-8"), flags=re.MULTILINE)
    for named_whole in (True, False):  # a page of which only parts are named comes where the first of them is
        for kind, text in zip(parts[1::2], parts[2::2], strict=True):
            for link, part in _LINKED.findall(text):
                path = str(PurePosixPath("docs", link)).replace("docs/../", "")
                if path not in placed and not (named_whole and part):
                    placed.add(path)
                    found.setdefault(KINDS[kind], {})[_title(path)] = path
    found.setdefault("Explanation", {})["Changelog"] = "CHANGELOG.md"
    return found


def remarks(site: Path) -> list[str]:
    """Name every link that leads nowhere, and every one that leads elsewhere."""
    site = site.resolve()
    read = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site)}: {link}" for path, page in read.items() for link in _wrong(site, path, page, read)
    ]


def _wrong(site: Path, path: Path, page: "_Page", read: Mapping[Path, "_Page"]) -> Iterator[str]:
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme in {"data", "mailto"} or (link.rstrip("/") == _CREDIT and page.links.count(link) == 1):
            continue
        within = site if parts.path.startswith("/") else path.parent
        target = (within / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
        target = index if (index := target / "index.html").exists() else target
        known = read.get(target)
        lost = known is not None and parts.fragment and unquote(parts.fragment) not in known.anchors
        if parts.scheme or parts.netloc or not target.exists() or lost:
            yield link


class _Page(HTMLParser):
    """What a page leads to, and where in it one can be led."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "__skip"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        given = dict(attrs)
        self.links += [value for name in ("href", "src", "srcset", "action") if (value := given.get(name))]
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text("utf-8"))
    return page


def _at_home(text: str) -> str:
    """Write addresses elsewhere as what they are, but for what stands in a fence, and fences as zensical knows them."""
    text = _REMARKED.sub(r"\1", text)
    fences = [found.span() for found in _FENCED.finditer(text)]

    def told(found: re.Match[str]) -> str:
        fenced = any(start <= found.start() < end for start, end in fences)
        return found[0] if fenced else f"{found[1]} (`{found[2]}`)"

    return _ELSEWHERE.sub(told, text)


def _title(path: str) -> str:
    found = re.search(r"^# (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    return found[1] if found else PurePosixPath(path).stem


def _table(kinds: Mapping[str, Mapping[str, str]]) -> str:
    """Write the navigation as TOML."""
    lines = []
    for kind, pages in kinds.items():
        entries = [f"{{ {_quoted(title)} = {_quoted(path)} }}" for title, path in pages.items()]
        joined = ",\n    ".join(entries)
        lines += entries if not kind else [f"{{ {_quoted(kind)} = [\n    {joined},\n  ] }}"]
    return "[\n  " + ",\n  ".join(lines) + ",\n]"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def main(verb: str, folder: Path) -> int:
    """Lay out the pages, or check the site that was made of them."""
    if verb == "lay":
        lay(folder)
        return 0
    found = remarks(folder / "html")
    print(*found, sep="\n", end="\n" if found else "")  # noqa: T201  what it is for
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
