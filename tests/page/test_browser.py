"""The page in a real browser: seen by axe, on a phone, in the dark, without JavaScript, and while something happens."""

import os
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import pytest

from tests.acceptance.installation import Installation
from tests.support.page import ASKED, Visit, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
ALONE = (
    "--no-sandbox",  # as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE, DESK = 390, 1280
WHOLE = ((DESK, "light"), (PHONE, "dark"))
"""Where axe asks all of its questions; elsewhere those that a width or colours may answer otherwise."""
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block", "target-size"]}}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "in CI a real browser looks at the page: .ci/run installs chromium"
        pytest.skip("there is no chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  starts a process of its own

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ALONE))
        yield opened
        opened.close()


class Tab:
    """A tab that notes what it asks of whom, and what its console says."""

    def __init__(self, browser: "Browser", visit: Visit, *, width: int = DESK, script: bool = True) -> None:
        self.base = f"http://{visit.place}"
        self.context = browser.new_context(
            viewport={"width": width, "height": 800},
            java_script_enabled=script,
            bypass_csp=False,
        )
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def go(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")

    @property
    def strangers(self) -> list[str]:
        return [url for url in self.asked if not url.startswith(f"{self.base}/")]


@pytest.fixture(scope="module")
def busy(seen: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """A page on which everything can be seen and done."""
    home = shutil.copytree(seen, tmp_path_factory.mktemp("busy") / "home")
    with served(home, actions=True, content="all") as visit:
        yield visit


def test_axe_finds_nothing_and_nothing_comes_from_elsewhere(browser: "Browser", busy: Visit) -> None:
    from axe_playwright_python.base import (  # type: ignore[import-untyped]  # noqa: PLC0415  it has no types, and reads all of axe
        AXE_SCRIPT,
    )

    jobs = {each["job"]: each["id"] for each in busy("/jobs.json").data["jobs"]}
    document = busy(f"/jobs/{jobs['notes']}.json").data["page"][0]["document"]
    views = ["/", f"/jobs/{jobs['legal/contracts']}", "/batches", "/costs?by=folder", "/drop"]
    with Tab(browser, busy) as tab:
        for path in (*views, f"/jobs/{jobs['notes']}/files/{document}?view=1"):
            tab.go(path)
            tab.page.evaluate(AXE_SCRIPT)
            for width, scheme in product((DESK, PHONE), SCHEMES):
                tab.page.set_viewport_size({"width": width, "height": 800})
                tab.page.emulate_media(color_scheme=scheme)
                asked = {"resultTypes": ["violations"], **({} if (width, scheme) in WHOLE else COLOURS)}
                found = tab.page.evaluate("asked => axe.run(document, asked)", asked)["violations"]
                told = [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
                assert told == [], (path, width, scheme)
                wide = tab.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
                assert wide[0] <= wide[1], (path, width)
        assert tab.strangers == []
        assert tab.said == []


def test_it_is_whole_without_javascript(browser: "Browser", busy: Visit) -> None:
    with Tab(browser, busy, script=False) as tab:
        tab.go("/")
        tab.page.get_by_role("link", name="legal/contracts").first.click()
        tab.page.get_by_role("heading", name="legal/contracts").wait_for()
        tab.page.get_by_text("clause 1 <b>x</b>").wait_for()
        tab.page.get_by_role("link", name="Costs").click()
        tab.page.get_by_role("link", name="by model").click()
        tab.page.get_by_role("cell", name="claude-haiku-5-5").wait_for()
        assert tab.said == []


def test_an_open_tab_follows_what_happens(browser: "Browser", seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    with Installation(home) as running, served(home) as visit, Tab(browser, visit) as tab:
        tab.go("/")
        tab.page.get_by_text("daemon stopped").wait_for()
        running.start("run", "--sandbox")
        tab.page.get_by_text("daemon runs").wait_for()
        running.drop("hello.txt", f"{ASKED}: say hello")
        row = tab.page.get_by_role("listitem").filter(has=tab.page.get_by_role("link", name="hello", exact=True))
        row.get_by_text("done", exact=True).wait_for(timeout=60_000)
        assert tab.said == []


def test_a_colleague_drops_a_table_sees_the_price_and_takes_the_results_away(
    browser: "Browser", seen: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    table = tmp_path / "lift.csv"
    table.write_text("id,text\n1,The lift is stuck\n2,No hot water\n")
    with (
        Installation(home) as running,
        served(home, actions=True, content="all") as visit,
        Tab(browser, visit, width=PHONE) as tab,
    ):
        running.start("run", "--sandbox")
        tab.go("/drop")
        tab.page.get_by_label("The file").set_input_files(table)
        tab.page.get_by_label("Folder").select_option("support")
        tab.page.get_by_role("button", name="What would it cost?").click()
        tab.page.get_by_text("ready to be sent").wait_for()
        tab.page.get_by_text("At most").wait_for()
        tab.page.get_by_role("button", name="Send it").click()
        tab.page.get_by_role("heading", name="support/lift").wait_for(timeout=60_000)
        tab.page.get_by_text("done", exact=True).first.wait_for(timeout=60_000)
        with tab.page.expect_download() as download:
            tab.page.get_by_role("link", name="results.csv").click()
        assert download.value.suggested_filename == "results.csv"
        assert Path(download.value.path()).read_text().startswith("id,text,")
        assert tab.strangers == []
        assert tab.said == []
