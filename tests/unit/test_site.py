from pathlib import Path

from release.site import ROOT, lay, navigation, remarks


def test_every_page_has_its_place_among_the_four_kinds() -> None:
    placed = [path for pages in navigation().values() for path in pages.values()]
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} - {"docs/README.md"}
    assert pages - set(placed) == set()
    assert len(placed) == len(set(placed))
    assert list(navigation()) == ["", "Tutorial", "How-to", "Reference", "Explanation"]


def test_addresses_elsewhere_become_text_but_for_what_stands_in_a_fence(tmp_path: Path) -> None:
    lay(tmp_path)
    changelog = (tmp_path / "pages/CHANGELOG.md").read_text("utf-8")
    assert "(`https://semver.org/spec/v2.0.0.html`)" in changelog
    assert "](http" not in changelog


def test_links_that_lead_nowhere_or_elsewhere_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h2 id="x"></h2><a href="b.html#y"></a><a href="#x"></a><img src="lost.png">')
    (tmp_path / "b.html").write_text(
        '<a href="https://zensical.org/"></a><script src="https://cdn.example/x.js"></script>'
    )
    assert remarks(tmp_path) == ["a.html: b.html#y", "a.html: lost.png", "b.html: https://cdn.example/x.js"]
