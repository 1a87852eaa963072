from functools import partial

import pytest
from batchd.decisions.document.answer_files import DEEPEST, MOST_FILES, find, objection, wanting

from tests.support.effort import assert_linear

ANSWER = """Here is the package:

[FILE: src/a.py]
```python
print("a")

print("b")
```

[FILE: README.md]

# A package

```sh
python a.py
```

[FILE: src/empty/__init__.py]
[END OF FILES]

That was all.
"""


def test_takes_an_answer_apart() -> None:
    found = find(ANSWER)
    assert {file.path: file.text for file in found.written} == {
        "src/a.py": 'print("a")\n\nprint("b")\n',
        "README.md": "# A package\n\n```sh\npython a.py\n```\n",
        "src/empty/__init__.py": "",
    }
    assert found.refused == ()


@pytest.mark.parametrize(
    "line",
    ["[FILE:a.py]", "[file:  a.py ]", "  [FILE: a.py]\r", "## [FILE: a.py]", "**[FILE: a.py]**", "[FILE: `./a.py`]"],
)
def test_reads_marks_as_models_write_them(line: str) -> None:
    assert [file.path for file in find(f"{line}\ntext").written] == ["a.py"]


@pytest.mark.parametrize("line", ["see [FILE: a.py]", "[FILE: a.py] and more", "    [FILE: a.py]", "[FILE a.py]"])
def test_a_mark_is_a_line_of_its_own(line: str) -> None:
    assert find(f"{line}\ntext").written == ()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("x", "x\n"),
        ("\n \n  x\n\n y  \n\n", "  x\n\n y  \n"),
        ("x\r\ny\r\n\r\n", "x\r\ny\r\n"),
        ("```\r\nx  \r\n```\r\n", "x  \r\n"),
        ("x  ", "x  \n"),
        (" \n\t\n", ""),
        ("", ""),
        ("```\n```", ""),
        ("~~~py title=1\nx\n~~~", "x\n"),
        ("````md\n```\nx\n```\n````", "```\nx\n```\n"),
        ("```\n\n\n x\n\n```\n\n", " x\n"),
        ("```\nx\n```\nand\n```\ny\n```", "```\nx\n```\nand\n```\ny\n```\n"),
        ("```\nx\n```\nA remark.", "```\nx\n```\nA remark.\n"),
        ("```\nnever closed", "```\nnever closed\n"),
        ("```\n  ```\n```", "  ```\n"),
        ("x\u2028y\x0b", "x\u2028y\x0b\n"),
    ],
)
def test_content_is_what_stands_within_one_fence_or_without(content: str, text: str) -> None:
    (file,) = find(f"[FILE: a]\n{content}").written
    assert file.text == text


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", "absolute"),
        ("//etc/passwd", "absolute"),
        ("../a", ".."),
        ("a/../../b", ".."),
        ("a/..", ".."),
        ("a\\..\\b", "backslash"),
        ("C:/a", "drive letter"),
        ("c:a", "drive letter"),
        ("a\0b", "cannot be seen"),
        ("a\tb", "cannot be seen"),
        ("a\u202eyp.txt", "cannot be seen"),
        ("a\u200b", "cannot be seen"),
        ("x" * 250, "249 bytes"),
        ("ü" * 125, "249 bytes"),
        ("/".join("a" * 33), "more than 32 folders"),
        ("/".join(["x" * 200] * 6), "1,000 bytes"),
        (".a.part", "used while files are written"),
        ("", "no path"),
        (".", "no path"),
        ("./", "no path"),
    ],
)
def test_a_path_that_leads_elsewhere_is_told_and_not_written(path: str, reason: str) -> None:
    found = find(f"[FILE: {path}]\ntext\n[FILE: good.py]\ntext")
    assert [file.path for file in found.written] == ["good.py"]
    ((told, said),) = found.refused
    assert told == path.strip()
    assert reason in said


@pytest.mark.parametrize("path", ["..a/b..c", "...a", ".gitignore", ".github/workflows/ci.yml", "a b.py", "名.py"])
def test_takes_names_that_only_look_odd(path: str) -> None:
    assert objection(path) == ""


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("a.py", "a.py", "has this path"),
        ("src/A.py", "SRC/a.py", "has this path"),
        ("stra\u00dfe", "STRASSE", "has this path"),
        ("caf\u00e9", "cafe\u0301", "has this path"),
        ("a/b/c", "a/b", "for a folder"),
        ("a/b", "A/B/c/d", "a folder of this path"),
    ],
)
def test_of_two_that_cannot_stand_beside_each_other_the_first_is_written(first: str, second: str, reason: str) -> None:
    found = find(f"[FILE: {first}]\n1\n[FILE: {second}]\n2")
    assert [(file.path, file.text) for file in found.written] == [(first, "1\n")]
    ((told, said),) = found.refused
    assert told == second
    assert reason in said


def test_the_file_in_which_an_answer_was_cut_is_not_written() -> None:
    found = find("[FILE: a]\n1\n[FILE: b]\nhal", cut=True)
    assert [file.path for file in found.written] == ["a"]
    assert [(path, reason.split(":")[0]) for path, reason in found.refused] == [("b", "not whole")]
    assert [file.path for file in find("[FILE: a]\n1\n[END OF FILES]\nAnd now th", cut=True).written] == ["a"]


def test_files_and_refusals_are_bounded() -> None:
    found = find("".join(f"[FILE: {number}]\n" for number in range(2 * MOST_FILES + 500)))
    assert len(found.written) == MOST_FILES
    assert len(found.refused) == MOST_FILES + 1
    assert found.refused[-1] == ("", "and 500 more")


def test_says_what_is_wanting() -> None:
    assert wanting(ANSWER) == ""
    assert wanting("Sure! Here it is.").startswith("no file found: each begins with a line [FILE: relative/path]")
    assert "1 refused, the first as a path with .. in it" in wanting("[FILE: ../secret-name]\nx")
    assert "secret-name" not in wanting("[FILE: ../secret-name]\nx")


@pytest.mark.parametrize(
    "line", ["[FILE: a]", "[FILE: " + "]" * 50, "[FILE:" + " " * 60, "```", "", " " * 60, "[FILE: [FILE: [FILE:"]
)
@pytest.mark.parametrize("between", ["\n", ""])
def test_is_linear(line: str, between: str) -> None:
    assert_linear(lambda lines: partial(find, "[FILE: x]\n```\n" + (line + between) * lines), 1_500)


def test_depth_counts_names() -> None:
    assert objection("/".join("a" * DEEPEST)) == ""


README = """# The form

```text
[FILE: src/report.py]
print("hello")

[END OF FILES]
```

So it is.
"""


def test_a_file_may_show_the_form_in_a_code_block() -> None:
    answer = f"[FILE: README.md]\n{README}\n[FILE: a.py]\n```python\na = 1\n```\n[END OF FILES]\n"
    found = find(answer)
    assert {file.path: file.text for file in found.written} == {"README.md": README, "a.py": "a = 1\n"}
    wrapped = f"[FILE: README.md]\n````markdown\n{README}````\n[END OF FILES]\n"
    assert [tuple(file) for file in find(wrapped).written] == [("README.md", README)]


def test_a_code_block_that_was_never_closed_hides_no_file() -> None:
    answer = "".join(f"[FILE: {name}.py]\n```python\n{name} = 1\n" for name in "abc") + "[END OF FILES]\n"
    assert [file.path for file in find(answer).written] == ["a.py", "b.py", "c.py"]
    bare = "[FILE: a.txt]\n```\nx\n[FILE: b.txt]\ny\n[END OF FILES]\n"
    assert [file.path for file in find(bare).written] == ["a.txt", "b.txt"]
    closed_later = "[FILE: a.py]\n```python\na = 1\n[FILE: b.py]\n```python\nb = 1\n```\n[END OF FILES]\n"
    assert [file.path for file in find(closed_later).written] == ["a.py", "b.py"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("CON", "reserves"),
        ("src/aux.txt", "reserves"),
        ("nul.tar.gz", "reserves"),
        ("COM1/a.py", "reserves"),
        ("lpt².log", "reserves"),
        ("e|f?.txt", "takes in no name"),
        ("ab:c", "takes in no name"),
        ('say "hi".txt', "takes in no name"),
        ("folder./a.py", "ends in a dot or a blank"),
        ("name /a.py", "ends in a dot or a blank"),
        ("a.", "ends in a dot or a blank"),
    ],
)
def test_what_windows_does_not_take_is_refused(path: str, reason: str) -> None:
    assert reason in objection(path)


@pytest.mark.parametrize("path", ["console.py", "src/auxiliary.txt", "com10.txt", "nullable", "pages/[id].tsx", ".env"])
def test_what_only_resembles_it_is_written(path: str) -> None:
    assert objection(path) == ""
