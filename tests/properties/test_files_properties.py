"""What holds for the files of every answer, and for every file that goes along with a prompt."""

import re
import string
from pathlib import PurePosixPath

from batchd.decisions.document.answer_files import MOST_FILES, find
from batchd.decisions.jobfile.attachment import Attached, wrapped
from hypothesis import given
from hypothesis import strategies as st

parts = st.sampled_from(["a", "B", "b", "..", ".", "", "ß", "~", "C:", "x" * 250, ".a.part", "é", "e\u0301"]) | st.text(
    max_size=5
)
paths = st.lists(parts, max_size=6).map("/".join)
lines = st.one_of(
    paths.map("[FILE: {}]".format),
    st.sampled_from(["[END OF FILES]", "```", "```python", "~~~~", "", "    x", "[FILE:", "text"]),
    st.text(max_size=20),
)
documents = st.lists(lines, max_size=30).map("\n".join)

letters = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=12)
RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?", re.IGNORECASE)
names = letters.filter(
    lambda name: (
        not (name.endswith(".") or (name.startswith(".") and name.endswith(".part")) or RESERVED.fullmatch(name))
    )
)
contents = st.lists(
    st.text(string.printable, max_size=30).filter(
        lambda line: not re.search(r"[\n\r]|```|~~~|\[(file:|end of files)", line, re.IGNORECASE)
    ),
    max_size=8,
).map(lambda lines: "\n".join(lines).strip("\n \t\x0b\x0c"))


@given(documents, st.booleans())
def test_nothing_is_written_that_leads_elsewhere_or_meets_another(document: str, cut: bool) -> None:  # noqa: FBT001
    found = find(document, cut=cut)
    folded = [file.path.casefold() for file in found.written]
    assert len(set(folded)) == len(folded) <= MOST_FILES
    for file in found.written:
        path = PurePosixPath(file.path)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert str(path) == file.path
        assert file.path.isprintable()
        assert all(0 < len(part.encode()) < 250 for part in path.parts)
        assert not {str(folder).casefold() for folder in path.parents} & set(folded)
        assert file.text == "" or (file.text.endswith("\n") and file.text.strip("\r\n \t"))
    assert all(refused.reason for refused in found.refused)


@given(documents, st.booleans())
def test_the_same_document_gives_the_same_files(document: str, cut: bool) -> None:  # noqa: FBT001
    assert find(document, cut=cut) == find(document, cut=cut)
    assert set(find(document, cut=True).written) <= set(find(document).written)


@given(st.dictionaries(names, contents, min_size=1, max_size=6), st.booleans(), st.booleans())
def test_what_was_written_as_files_comes_back(wanted: dict[str, str], fenced: bool, ended: bool) -> None:  # noqa: FBT001
    once = {name.casefold(): name for name in wanted}
    text = "A preamble.\n\n"
    for name in once.values():
        inside = f"```python\n{wanted[name]}\n```" if fenced else wanted[name]
        text += f"[FILE: d/{name}]\n\n{inside}\n\n"
    text += "[END OF FILES]\nA remark." if ended else ""
    found = find(text)
    assert found.refused == ()
    assert {file.path: file.text for file in found.written} == {
        f"d/{name}": f"{wanted[name]}\n" if wanted[name] else "" for name in once.values()
    }


@given(st.lists(st.tuples(names, st.text("</file_2>\nab ", max_size=60)), max_size=4))
def test_each_attached_file_ends_where_its_own_tag_does(files: list[tuple[str, str]]) -> None:
    text = wrapped(Attached(path, content) for path, content in files)
    opened = re.compile(r'<(file(?:_\d+)?) path="([^"]*)">\n')
    at = 0
    for path, content in files:
        mark = opened.match(text, at)
        assert mark is not None
        end = text.index(f"</{mark[1]}>\n", mark.end())
        whole = content if not content or content.endswith("\n") else f"{content}\n"
        assert (mark[2], text[mark.end() : end]) == (path, whole)
        at = end + len(f"</{mark[1]}>\n") + 1
