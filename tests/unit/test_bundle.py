"""What a bundle asks: of rows, of files, or once; what goes along, and where; and what is wrong with it."""

import base64
import json
import random
from typing import Any

import pytest
from batchd.decisions.jobfile.reader import Said
from batchd.model import Caution, Entry, Problem

from tests.support import media
from tests.support.bundles import said

PNG = media.png(200, 100)
PDF = media.pdf(2, packed=False, draw=random.Random(1))  # noqa: S311  a document, no secret
TABLE = "subject,photo\nlate,a.png\nbroken,b.png\n"


def entries(files: dict[str, bytes | str]) -> list[Entry]:
    found = said(files)
    assert not [each for each in found if isinstance(each, Problem)], found
    return [each for each in found if isinstance(each, Entry)]


def problems(files: dict[str, bytes | str]) -> list[str]:
    return [shown(each) for each in said(files) if isinstance(each, Problem)]


def shown(each: Said) -> str:
    assert isinstance(each, Problem | Caution)
    return f"{each.line} {each.field}: {each.message}"


def cautions(files: dict[str, bytes | str]) -> list[str]:
    return [shown(each) for each in said(files) if isinstance(each, Caution)]


def params(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(entry.params)
    return found


def content(entry: Entry) -> Any:
    return params(entry)["messages"][0]["content"]


def kinds(entry: Entry) -> list[str]:
    return [block["type"] for block in content(entry)]


def test_a_prompt_alone_is_one_request() -> None:
    [entry] = entries({"prompt.md": "---\nmax_tokens: 77\n---\nWhat do bees eat?"})
    assert (entry.custom_id, content(entry), entry.max_tokens) == ("bundle", "What do bees eat?", 77)


def test_the_only_text_at_the_top_is_the_prompt_and_beside_prompt_md_it_is_data() -> None:
    assert content(entries({"ask.md": "Why?"})[0]) == "Why?"
    [entry] = entries({"prompt.md": "---\nattach: [notes.md]\n---\nSum up.", "notes.md": "bees"})
    assert content(entry)[0]["text"] == '<file path="notes.md">\nbees\n</file>\n'


@pytest.mark.parametrize("files", [{"a.csv": "x\n1\n"}, {"a.md": "x", "b.md": "y"}, {"deep/prompt.md": "x"}, {}])
def test_without_a_prompt_it_says_what_would_do(files: dict[str, bytes | str]) -> None:
    [problem] = problems(files)
    assert "prompt.md" in problem


@pytest.mark.parametrize("rows", ["---\nrows: tickets.csv\n---\n", ""])
def test_a_row_is_a_request(rows: str) -> None:
    found = entries({"prompt.md": f"{rows}Sort: {{{{ subject }}}}", "tickets.csv": TABLE})
    assert [(each.custom_id, content(each), each.max_tokens) for each in found] == [
        ("row-2", "Sort: late", 4096),
        ("row-3", "Sort: broken", 4096),
    ]


def test_lines_of_objects_are_rows() -> None:
    found = entries({"prompt.md": "Sort: {{ subject }}", "tickets.jsonl": '{"subject": "late"}\n'})
    assert [content(each) for each in found] == ["Sort: late"]


def test_a_table_that_is_attached_is_no_rows() -> None:
    [entry] = entries({"prompt.md": "---\nattach: ['*.csv']\n---\nSum up.", "tickets.csv": TABLE})
    assert "broken,b.png" in content(entry)[0]["text"]


def test_of_two_tables_the_prompt_says_which() -> None:
    files: dict[str, bytes | str] = {"prompt.md": "Sort: {{ subject }}", "a.csv": TABLE, "b.csv": TABLE}
    assert "neither rows nor each" in problems(files)[0]
    files["prompt.md"] = "---\nrows: b.csv\n---\nSort: {{ subject }}"
    assert len(entries(files)) == 2


def test_each_file_is_a_request_by_its_path_with_its_block_first() -> None:
    files: dict[str, bytes | str] = {"prompt.md": "---\neach: 'in/**'\n---\nDescribe {{ stem }}."}
    found = entries({**files, "in/a.png": PNG, "in/b/c.pdf": PDF, "in/d.txt": "bees", "elsewhere.png": PNG})
    assert [each.custom_id for each in found] == ["in/a.png", "in/b/c.pdf", "in/d.txt"]
    assert [kinds(each) for each in found] == [["image", "text"], ["document", "text"], ["text", "text"]]
    source = content(found[0])[0]["source"]
    assert (source["media_type"], base64.b64decode(source["data"])) == ("image/png", PNG)
    assert content(found[1])[1]["text"] == "Describe c."
    assert content(found[2])[0]["text"] == '<file path="in/d.txt">\nbees\n</file>\n'


def test_a_text_stands_where_the_prompt_says() -> None:
    [entry] = entries({"prompt.md": "---\neach: '*.txt'\n---\nTranslate: {{ text }}!", "a.txt": "{{ 7*7 }}"})
    assert content(entry) == "Translate: {{ 7*7 }}!"


def test_rows_and_each_exclude_one_another() -> None:
    found = problems({"prompt.md": "---\nrows: a.csv\neach: '*.png'\n---\n{{ subject }}", "a.csv": TABLE, "b.png": PNG})
    assert found == ["0 each: stands beside rows; a bundle asks of rows or of files, so leave one of them out"]


def test_a_row_attaches_what_its_cells_name() -> None:
    prompt = '---\nattach: ["photos/{{ photo }}"]\n---\nWhat is seen?'
    found = entries({"prompt.md": prompt, "tickets.csv": TABLE, "photos/a.png": PNG, "photos/b.png": media.gif(9, 9)})
    assert [kinds(each) for each in found] == [["image", "text"], ["image", "text"]]
    assert [content(each)[0]["source"]["media_type"] for each in found] == ["image/png", "image/gif"]


@pytest.mark.parametrize("cell", ["../a.png", "/etc/passwd", "c.png", "*", "*.png", "", "[ab].png", "a.png/.."])
def test_a_cell_leads_nowhere_else_and_is_no_pattern(cell: str) -> None:
    prompt = '---\nattach: ["photos/{{ photo }}"]\n---\nWhat is seen?'
    table = f'subject,photo\nlate,a.png\nbroken,"{cell}"\n'
    [found] = [
        each
        for each in said({"prompt.md": prompt, "t.csv": table, "photos/a.png": PNG, "a.png": PNG})
        if isinstance(each, Problem)
    ]
    assert (found.line, found.row, found.field) == (3, 3, "attach[0]")


def test_a_pattern_may_have_stars_beside_a_cell_that_has_brackets() -> None:
    prompt = '---\nattach: ["{{ name }}/*.png"]\n---\nWhat is seen?'
    [entry] = entries(
        {"prompt.md": prompt, "t.csv": "name\n[ab]\n", "[ab]/1.png": PNG, "[ab]/2.png": PNG, "a/3.png": PNG}
    )
    assert kinds(entry) == ["image", "image", "text"]


def test_attach_names_columns_that_the_table_must_have() -> None:
    found = problems({"prompt.md": '---\nattach: ["{{ foto }}"]\n---\nWhat is seen?', "t.csv": TABLE, "a.png": PNG})
    assert "did you mean 'photo'" in found[0]


def test_a_picture_in_the_prompt_is_a_block_where_it_stands() -> None:
    [entry] = entries({"prompt.md": "Before ![a chart](img/a.png) behind.", "img/a.png": PNG})
    assert kinds(entry) == ["text", "image", "text"]
    assert [block.get("text") for block in content(entry)] == ["Before ", None, " behind."]


def test_a_picture_in_the_prompt_may_be_the_row_s() -> None:
    found = entries({"prompt.md": "{{ subject }} ![x](p/{{ photo }})", "t.csv": TABLE, "p/a.png": PNG, "p/b.png": PNG})
    assert [kinds(each) for each in found] == [["text", "image"]] * 2


def test_what_a_row_says_shows_no_picture() -> None:
    table = 'subject\n"![x](a.png)"\n'
    [entry] = entries({"prompt.md": "![x](b.png) {{ subject }}", "t.csv": table, "a.png": PNG, "b.png": PNG})
    assert kinds(entry) == ["image", "text"]
    assert content(entry)[1]["text"] == " ![x](a.png)"
    assert (
        "U+E000" in problems({"prompt.md": "![x](b.png) {{ s }}", "t.csv": "s\n\ue000a.png\ue001\n", "b.png": PNG})[0]
    )


def test_a_picture_that_is_not_there_is_told_and_one_far_away_is_text() -> None:
    assert "'a.png', which is no file" in problems({"prompt.md": "![x](a.png)"})[0]
    [entry] = entries({"prompt.md": "See ![x](https://example.org/a.png)."})
    assert content(entry) == "See ![x](https://example.org/a.png)."
    assert "is not fetched" in cautions({"prompt.md": "See ![x](https://example.org/a.png)."})[0]


def test_pictures_in_code_are_code() -> None:
    [entry] = entries({"prompt.md": "```\n![x](a.png)\n```\nExplain."})
    assert isinstance(content(entry), str)


def test_names_are_told_by_bytes_and_not_by_endings() -> None:
    files: dict[str, bytes | str] = {"prompt.md": "---\neach: '*.jpg'\n---\nDescribe.", "a.jpg": PNG}
    assert content(entries(files)[0])[0]["source"]["media_type"] == "image/png"
    assert cautions(files) == ["0 a.jpg: is image/png by its bytes, whatever its name says, and is sent as that"]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(20), "HEIC"),
        ("a.tiff", b"II*\0" + bytes(20), "TIFF"),
        ("a.bmp", b"BM" + bytes(20), "BMP"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("a.docx", b"PK\x03\x04" + bytes(20), "office"),
        ("a.xlsx", b"PK\x03\x04" + bytes(20), "CSV"),
        ("a.zip", b"PK\x03\x04" + bytes(20), "zip"),
        ("a.doc", b"\xd0\xcf\x11\xe0" + bytes(20), "office"),
        ("a.png", b"no picture", "neither a picture nor a PDF"),
        ("a.png", PNG[:10], "cannot be read as a picture"),
        ("a.jpg", b"\xff\xd8\xff\xe1" + b"\0\2\xff\xe1" * 2_000, "cannot be read as a picture"),
        ("a.png", media.png(8_001, 1), "8,001 x 1 pixels"),
        ("a.png", PNG + bytes(8_000_000), "bytes in base64"),
        ("a.png", PNG + bytes(24_000_000), "more than 23,500,000 bytes"),
        ("a.txt", b"bees" * 6_000_000, "more than 23,500,000 bytes"),
        ("a.bin", b"\xff\xfe\x00", "not UTF-8"),
        ("a.txt", b"nul\0", "NUL"),
        ("a.pdf", b"%PDF-1.7 cut", "cannot be read as a PDF"),
        ("a.pdf", media.locked_pdf(), "encrypted"),
        ("a.pdf", media.pdf(601, packed=False, draw=random.Random(1)), "601 pages"),  # noqa: S311  a document
        *(("a.pdf", data, "cannot be read as a PDF") for data in media.CYCLIC_PDFS.values()),
    ],
)  # fmt: skip
def test_what_cannot_go_along_is_told_by_its_path(name: str, data: bytes, told: str) -> None:
    [found] = problems({"prompt.md": "---\neach: '*.*'\n---\nDescribe.", name: data})
    assert found.startswith(f"0 {name}: ")
    assert told in found


def test_pictures_of_one_request_are_counted_together_and_told_by_their_paths() -> None:
    prompt = "---\nattach: ['*.png']\n---\nCompare."
    large = {f"{n:02}.png": media.png(2_001, 1) for n in range(20)}
    assert len(entries({"prompt.md": prompt, **large})) == 1
    found = problems({"prompt.md": prompt, **large, "small.png": PNG})
    assert len(found) == 20
    assert found[0].startswith("1 00.png: has 2,001 x 1 pixels")


def test_files_that_nothing_uses_are_one_caution() -> None:
    found = cautions({"prompt.md": "Why?", **{f"{n}.txt": "x" for n in range(7)}})
    assert found == ["0 : nothing uses '0.txt', '1.txt', '2.txt', '3.txt', '4.txt' and 2 more"]


def test_a_schema_may_lie_in_a_file() -> None:
    schema = '{"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}'
    [entry] = entries({"prompt.md": "---\nschema: form.json\n---\nSort.", "form.json": schema})
    assert params(entry)["output_config"]["format"]["schema"]["properties"] == {"label": {"type": "string"}}
    assert "no file of this bundle" in problems({"prompt.md": "---\nschema: form.json\n---\nSort."})[0]
    assert "not JSON" in problems({"prompt.md": "---\nschema: f.json\n---\nSort.", "f.json": "{"})[0]


def test_what_only_a_folder_says_is_refused() -> None:
    assert "is for the .batchd.md of a folder" in problems({"prompt.md": "---\ntakes: ['*.csv']\n---\nWhy?"})[0]


@pytest.mark.parametrize(
    "setting", ["attach: photo.png", "each: ''", "attach: ['../x']", "rows: 5", "attach: ['/etc/*']"]
)
def test_wrong_patterns_are_told_at_their_line(setting: str) -> None:
    assert problems({"prompt.md": f"---\nmax_tokens: 9\n{setting}\n---\nWhy?"})[0].startswith("3 ")


def test_names_in_a_prompt_that_is_asked_once_are_a_mistake_unless_they_are_raw() -> None:
    assert "neither rows nor each" in problems({"prompt.md": "Sort {{ subject }}."})[0]
    assert content(entries({"prompt.md": "{% raw %}{{ x }}{% endraw %}"})[0]) == "{{ x }}"


def test_a_budget_holds_for_the_job() -> None:
    assert any("budget=Decimal('5')" in repr(each) for each in said({"prompt.md": "---\nbudget: 5\n---\nWhy?"}))
