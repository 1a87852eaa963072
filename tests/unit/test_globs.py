import pytest
from batchd.text.globs import Globs, objection


def meant(path: str, *patterns: str) -> frozenset[int]:
    """Walks as the edge does: which patterns mean a file at this path."""
    globs = Globs(patterns)
    *folders, file = path.split("/")
    steps = globs.begin()
    for folder in folders:
        steps = globs.enter(steps, folder)
    return globs.meant(steps, file)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("README.md", "README.md"),
        ("./src//a.py", "src/a.py"),
        ("*.py", "a.py"),
        ("src/*/b?.py", "src/x/b1.py"),
        ("src/[ab].py", "src/b.py"),
        ("**/*.py", "a.py"),
        ("**/*.py", "x/y/z/a.py"),
        ("src/**/a.py", "src/a.py"),
        ("src/**/**/a.py", "src/x/a.py"),
        ("src/**/t/**/a.py", "src/t/t/x/a.py"),
        ("**", "x/y"),
        ("src/**", "src/y/z.bin"),
        (".github/**/*.yml", ".github/workflows/ci.yml"),
        ("**/.*", "x/.gitignore"),
        (".*", ".env"),
    ],
)
def test_means(pattern: str, path: str) -> None:
    assert meant(path, pattern) == {0}


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.py", "x/a.py"),
        ("*.py", "a.pyc"),
        ("*.PY", "a.py"),
        ("*", ".env"),
        ("**", ".env"),
        ("**/*", ".git/config"),
        ("**/*", "x/.git/config"),
        ("?env", ".env"),
        ("[.]env", ".env"),
        ("src/*", "src/x/a"),
        ("src/**", "src"),
        ("a.py/**", "a.py"),
        ("src/*/a.py", "src/a.py"),
    ],
)
def test_does_not_mean(pattern: str, path: str) -> None:
    assert meant(path, pattern) == set()


def test_follows_many_patterns_at_once_and_goes_nowhere_else() -> None:
    assert meant("src/a.py", "*.md", "src/*", "**/a.*", "**") == {1, 2, 3}
    globs = Globs(["src/*.py", "docs/**"])
    assert not globs.enter(globs.begin(), "node_modules")
    assert not globs.enter(globs.enter(globs.begin(), "src"), "deeper")
    assert globs.enter(globs.enter(globs.begin(), "docs"), "deeper")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "must be a pattern"),
        (" ", "must be a pattern"),
        ("/etc/passwd", "must be relative"),
        ("~/x", "must be relative"),
        ("../x", "must not have .."),
        ("a/../../x", "must not have .."),
        ("a/..", "must not have .."),
        ("a\\b", "no backslash"),
        ("a\0b", "no control character"),
        ("src/", "write src/**"),
        (".", "write **"),
        ("src/**.py", "must stand alone"),
        ("x" * 1_001, "at most 1,000"),
    ],
)
def test_refuses_what_leads_elsewhere_or_means_nothing(pattern: str, said: str) -> None:
    assert said in objection(pattern)


def test_takes_names_with_dots() -> None:
    assert [objection(each) for each in ("..a/b..c", "...", "a.b", ".x/**", "**")] == [""] * 5
