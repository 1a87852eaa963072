"""The documentation against the program: examples are taken, links lead somewhere, commands exist and are told of."""

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
import typer
from batchd.claude.price import price
from batchd.cli.commands import COMMANDS, command_line
from batchd.cli.sandbox import sandbox
from batchd.decisions.jobfile.attachment import Attached, Gathered, wrapped
from batchd.decisions.jobfile.reader import SUFFIXES, Rules, read
from batchd.model import Problem, Usage
from batchd.sandbox import SandboxSettings, directives
from batchd.sandbox.faults import KINDS

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
RECIPES = sorted((ROOT / "examples").glob("*/README.md"))
PAGES = (*DOCS, *sorted((ROOT / "examples").glob("*.md")), *RECIPES, *sorted((ROOT / "systemd").glob("*.md")))
PROMPTS = {ROOT / "examples" / name for name in ("handbook.md", "two_hundred_pages.md", "urgent.md")}
"""Markdown that is a request and no page."""
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_file() and path.name != "README.md")
ENDINGS = {"jsonl": ".jsonl", "json": ".json", "markdown": ".md"}

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


class Fence(NamedTuple):
    page: Path
    line: int
    kind: str
    remark: str
    text: str


def fences(page: Path) -> Iterator[Fence]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        kind, _, remark = found[1].partition(" ")
        yield Fence(page, 1 + text.count("\n", 0, found.start()), kind, remark, found[2])


def inputs() -> list[Fence]:
    return [each for page in DOCS for each in fences(page) if each.kind in ENDINGS and each.remark != "output"]


def problems(data: bytes, suffix: str, stem: str, rules: Rules | None = None) -> list[Problem]:
    return [each for each in read(lambda: [data], suffix, stem, rules or Rules()) if isinstance(each, Problem)]


def with_files(_patterns: Sequence[str], _most: int) -> Gathered:
    """Stands for folders in which every pattern means something."""
    return Gathered((Attached("README.md", "# A package"), Attached("src/a.py", "a = 1")))


def prose(page: Path) -> str:
    """What is said outside fences."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def commands() -> set[str]:
    group = typer.main.get_command(command_line(COMMANDS))
    return set(getattr(group, "commands", {}))


def named(page: Path) -> set[str]:
    """The commands that a page names, in code."""
    code = re.findall(r"`([^`\n]+)`", prose(page)) + [
        line for fence in fences(page) if fence.kind in {"sh", "text"} for line in fence.text.splitlines()
    ]
    call = re.compile(r"^[ $]*(?:\S+=\S+ )*(?:sudo (?:-u \S+ )?)?(?:\S*/)?batchd ([a-z]\w*)(?=\s|$)")
    return {found[1] for each in code if (found := call.match(each))}


@pytest.mark.parametrize("fence", inputs(), ids=lambda fence: f"{fence.page.name}:{fence.line}")
def test_every_example_is_taken_unless_it_shows_a_refusal(fence: Fence) -> None:
    assert fence.remark in {"", "refused", "attached"}
    rules = Rules(gather=with_files if fence.remark == "attached" else None)
    found = problems(fence.text.encode(), ENDINGS[fence.kind], "example", rules)
    assert bool(found) == (fence.remark == "refused"), found


def test_attached_files_look_as_they_are_shown() -> None:
    shown = [fence.text for fence in fences(ROOT / "docs" / "formats.md") if fence.text.startswith("<file ")]
    assert shown == [wrapped(with_files([], 0).files)]


def test_every_kind_of_input_has_an_example() -> None:
    assert {fence.kind for fence in inputs()} == set(ENDINGS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_file_is_taken_unless_its_name_says_otherwise(path: Path) -> None:
    found = problems(path.read_bytes(), path.suffix, path.stem)
    assert bool(found) == path.name.startswith("refused"), found
    assert path.suffix in SUFFIXES


def test_the_readme_of_the_examples_names_every_file() -> None:
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"({path.name})" not in page] == []
    assert RECIPES
    assert [path.parent.name for path in RECIPES if f"({path.parent.name}/README.md)" not in page] == []


def test_files_that_the_readme_of_the_examples_names_exist() -> None:
    (commands_shown,) = [
        fence.text for fence in fences(ROOT / "examples" / "README.md") if "tests/data/real" in fence.text
    ]
    named_files = re.findall(r"tests/data/real/\S+", commands_shown)
    assert named_files
    assert [name for name in named_files if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in PROMPTS], ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            assert anchor in {slug(heading) for heading in HEADING.findall(prose(file))}, target


@pytest.mark.parametrize("page", [page for page in PAGES if page not in PROMPTS], ids=lambda page: page.name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    assert named(page) - commands() == set()


def test_every_command_is_told_of() -> None:
    assert named(ROOT / "docs" / "commands.md") == commands()


def test_the_readme_comes_to_its_reference_within_two_screens() -> None:
    before, _, _ = (ROOT / "README.md").read_text("utf-8").partition("## Documentation")
    assert len(before.splitlines()) <= 2 * 55
    assert {page.name for page in DOCS} - set(
        re.findall(r"(\w+\.md)", (ROOT / "docs" / "README.md").read_text())
    ) == set()


def table(page: Path, head: str) -> list[str]:
    """The names in the first column of the table that begins so."""
    rows = page.read_text("utf-8").split(f"\n{head}\n")[1].split("\n\n")[0]
    return re.findall(r"^\| `([\w-]+)", rows, re.MULTILINE)


def test_the_page_of_the_sandbox_has_all_that_it_can_be_told() -> None:
    page = ROOT / "docs" / "sandbox.md"
    told = re.findall(r"^\| `(\w+)", directives.__doc__ or "", re.MULTILINE)
    assert table(page, "| directive | does |") == told != []
    assert table(page, "| kind | in | what happens |") == list(KINDS)
    assert table(page, "| in `SandboxSettings` | is | default |") == [each.name for each in fields(SandboxSettings)]


def test_every_setting_of_the_sandbox_is_a_flag_that_its_page_tells_with_the_same_default() -> None:
    flags = {
        name: each.default
        for name, each in inspect.signature(sandbox).parameters.items()
        if name not in {"faults", "url_file"}
    }
    wanted = {each.name: each.default for each in fields(SandboxSettings) if each.name != "faults"}
    assert flags == {**wanted, "fault": None}
    shown = re.findall(r"^\| `--([\w-]+)", (ROOT / "docs" / "sandbox.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(shown) == sorted([*(name.replace("_", "-") for name in flags), "faults", "url-file"])


def test_the_figures_of_the_articles_example_are_those_of_the_price_list() -> None:
    def without(*calls: Usage) -> Decimal:
        return sum((price(usage, "claude-sonnet-4-6").standard or Decimal(0) for usage in calls), Decimal(0))

    def chunked(prompt: int, *outputs: int, along: bool = True) -> Decimal:
        before = [sum(outputs[:n]) if along else 0 for n in range(len(outputs))]
        return without(*(Usage(prompt + read, each) for read, each in zip(before, outputs, strict=True)))

    third = 50_000
    cached = without(Usage(0, third, 0, 1_000), Usage(0, third, 1_000, third), Usage(0, third, 1_000 + third, third))
    ways = (
        (1_000, chunked(1_000, third, third, third)),
        (50_000, chunked(50_000, third, third, third)),
        (1_000, cached),
        (1_000, chunked(1_000, 128_000, 22_000)),
        (1_000, chunked(1_000, third, third, third, along=False)),
        (100_000, chunked(100_000, third, third, third, along=False)),
    )
    page = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| ([\d,]+) \| \$([\d.]+) \| \$([\d.]+) \| ([\d.]+) % \|", page)
    assert len(rows) == len(ways)
    for (prompt, costs), row in zip(ways, rows, strict=True):
        batch = price(Usage(prompt, 150_000), "claude-sonnet-4-6").charged
        assert batch is not None
        assert row == (f"{prompt:,}", f"{costs:.4f}", f"{batch:.4f}", f"{100 * (1 - batch / costs):.1f}")


def test_the_daemon_names_only_pages_that_exist() -> None:
    said = {
        name
        for source in (ROOT / "daemon").rglob("*.py")
        for name in re.findall(r"docs/\w+\.md", source.read_text(encoding="utf-8"))
    }
    assert [name for name in said if not (ROOT / name).is_file()] == []


def test_every_source_file_that_a_page_names_exists() -> None:
    sources = [
        path.as_posix() for folder in ("daemon", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]
    for page in DOCS:
        for name in re.findall(r"(?<![\w*/.<>{])[\w/]+\.py\b", FENCE.sub(text_kept, page.read_text("utf-8"))):
            assert any(source.endswith(f"/{name}") for source in sources), f"{page.name}: {name}"


def text_kept(fence: re.Match[str]) -> str:
    """What a fence shows of files of our own: those without a language, which draw."""
    return fence[2] if fence[1] == "" else ""
