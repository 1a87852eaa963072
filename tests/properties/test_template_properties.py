"""What is recognized by its template is just what the whole check says of the same line alone."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.decisions.jobfile.reader import Rules, Said, read
from batchd.decisions.jobfile.templates import Templates
from batchd.decisions.money.worst_case import Bounds, worst_of
from batchd.model import Caution, Entry, Problem
from hypothesis import given
from hypothesis import strategies as st

CASES = sorted((Path(__file__).parents[1] / "data" / "cases").glob("*.jsonl"))

TEXTS = (
    *(
        '"hello"',
        '"  \\n\\t "',
        '""',
        '" "',
        '"\\u00a0"',
        '"\u2028"',
        '"a\u2029b"',
        '"é 漢 \U0001f600"',
        '"\\ud83d\\ude00"',
    ),
    *('"\\ud800"', '"\\ude00 x"', '"\\ud800\\u0041"', '"say \\"no\\""', '"\\u0022"', '"\\u0022\\u0022"', '"\\\\"'),
    *('"\\\\\\""', '"a\tb"', '"\\x41"', '"[{[{"', '"\\/"', '"\\u0000"', '"\x7f"', '"\\"role\\":\\"user\\""', '"u0022"'),
)
VALUES = (
    *TEXTS,
    "null",
    "true",
    "1",
    "NaN",
    "-Infinity",
    "1e999",
    "01",
    "9" * 4_301,
    "[" * 201 + "]" * 201,
    "{}",
    "[]",
)
SPACES = ("", " ", "  ", "\t", " \r")
EXTRA = ("system", "metadata", "temperature", "tools", "stranger")
EXTRA_VALUES = ('"hello"', "{}", "0.5", '{"user_id":"\\u0022"}', *VALUES)
TURNS = ', {"role": "%s", "content": "b"}, {"role": "user", "content": "c"}]'
FAMILIAR = ('"hello"', '"say \\"no\\""', '"é 漢"', '"a\\nb"')


def members(draw: st.DrawFn, found: Sequence[tuple[str, str]]) -> str:
    """An object with its members in any order, some of them twice, blanks anywhere."""
    chosen = list(draw(st.permutations(found))) if draw(st.integers(0, 3)) == 0 else list(found)
    if chosen and draw(st.integers(0, 7)) == 0:
        key, value = draw(st.sampled_from(chosen))
        again = draw(st.sampled_from((value, '"hello"', "1", "[]")))
        chosen.insert(draw(st.integers(0, len(chosen))), (key, again))
    space = draw(st.sampled_from(SPACES)) if draw(st.booleans()) else ""
    return "{" + f",{space}".join(f'{space}"{key}"{space}:{space}{value}' for key, value in chosen) + space + "}"


def text(draw: st.DrawFn) -> str:
    """A text, mostly one without guile."""
    return draw(st.sampled_from(FAMILIAR if draw(st.integers(0, 5)) else VALUES))


def turn(draw: st.DrawFn) -> str:
    """A turn of text or blocks."""
    role = draw(st.sampled_from(('"user"',) * 6 + ('"assistant"', '"system"', '"\\u0075ser"')))
    content = text(draw)
    if draw(st.integers(0, 3)) == 0:
        extra = [("cache_control", '{"type":"ephemeral"}')] if draw(st.integers(0, 7)) == 0 else []
        blocks = [
            members(draw, [("type", '"text"'), ("text", text(draw)), *extra]) for _ in range(draw(st.integers(0, 2)))
        ]
        content = f"[{','.join(blocks)}]"
    return members(draw, [("role", role), ("content", content)])


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Lines of a file that are much alike."""
    written = []
    for number in range(draw(st.integers(2, 6))):
        turns = [turn(draw) for _ in range(1 if draw(st.booleans()) else draw(st.integers(0, 3)))]
        params = [
            ("model", '"claude-haiku-4-5"' if draw(st.integers(0, 9)) else draw(st.sampled_from(VALUES))),
            ("max_tokens", draw(st.sampled_from(("100", "100", "100", "200", "1e2", "0")))),
            ("messages", f"[{','.join(turns)}]"),
        ]
        extra = st.tuples(st.sampled_from(EXTRA), st.sampled_from(EXTRA_VALUES))
        params += draw(st.lists(extra, max_size=1))
        line = [("custom_id", f'"r{number}"'), ("params", members(draw, params))]
        if draw(st.integers(0, 9)) == 0:
            line.append((draw(st.sampled_from(("documents", "lane", "job", "failure"))), draw(st.sampled_from(VALUES))))
        written.append(members(draw, line) + draw(st.sampled_from(("", "", "", " ", "\r", "x", "\x00"))))
    return written


def heard(written: Iterable[bytes]) -> list[Said]:
    """What a file of these lines says."""
    whole = b"\n".join(written)
    return list(read(lambda: [whole], ".jsonl", "x", Rules()))


def plain(said: Said) -> object:
    """Without the line, and params as what they mean, with their length: order of keys is nobody's business."""
    if isinstance(said, Entry):
        meant = json.loads(said.params)
        return said._replace(line=0, template=0, params=b""), meant, len(said.params)
    return (said.field, said.message) if isinstance(said, (Problem, Caution)) else said


def agree(written: Sequence[bytes]) -> int:
    """Compare what a file says with what each of its lines says alone; how many were recognized by a template."""
    together = heard(written)
    for number, line in enumerate(written, start=1):
        here = [plain(said) for said in together if getattr(said, "line", 0) == number]
        alone = [plain(said) for said in heard([line])]
        entries = [said for said in alone if isinstance(said, tuple) and isinstance(said[0], Entry)]
        assert [said for said in here if isinstance(said, tuple) and isinstance(said[0], Entry)] == entries
        problems = any(isinstance(said, Problem) and said.line == number for said in together)
        assert problems == (not entries)
    return sum(isinstance(said, Entry) and said.template > 0 for said in together)


@given(lines())
def test_a_line_means_what_it_means_alone(written: list[str]) -> None:
    agree([line.encode("utf-8", "surrogatepass") for line in written])


def request(number: int, body: str) -> bytes:
    return f'{{"custom_id": "r{number}", "params": {{"model": "claude-haiku-4-5", "max_tokens": 9, {body}}}}}'.encode()


SOUND = '"messages": [{"role": "user", "content": "hello \\"you\\""}]'


@pytest.mark.parametrize(
    "body",
    [
        SOUND,
        '"messages":[{"role":"user","content":"a\u2028b"}]',
        '"messages": [{"content": "x", "role": "user"}]',
        '"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]',
        '"messages": [{"role": "user", "content": "a"}' + TURNS % "assistant",
    ],
)
def test_plain_texts_are_recognized(body: str) -> None:
    assert agree([request(0, SOUND), request(1, body)]) == 1


@pytest.mark.parametrize(
    "body",
    [
        '"messages": [{"role": "user", "content": "a", "content": "b"}]',
        '"messages": [{"role": "assistant", "role": "user", "content": "b"}]',
        '"messages": [{"role": "user", "content": [{"type": "text", "type": "text", "text": "b"}]}]',
        '"messages": [{"role": "user", "content": "a"}], "messages": [{"role": "user", "content": "b"}]',
        '"max_tokens": 9, "messages": [{"role": "user", "content": "\\u0022 \\u0022"}]',
        '"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "\\u0022\\u0022\\u0022\\u0022"}]',
        '"messages": [{"role": "user", "content": "\\ud800"}]',
        '"messages": [{"role": "user", "content": " \\n"}]',
        '"messages": [{"role": "user", "content": []}]',
        '"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]',
        '"messages": [{"role": "user", "content": "a"}' + TURNS % "system",
        '"messages": [{"role": "user", "content": NaN}]',
        '"messages": []',
    ],
)
def test_what_is_wrong_is_not_recognized(body: str) -> None:
    assert agree([request(0, SOUND), request(1, body), request(2, SOUND)]) == 1


def test_an_id_used_before_is_refused() -> None:
    said = heard([request(0, SOUND), request(1, SOUND), request(1, SOUND)])
    assert [(each.line, each.field) for each in said if isinstance(each, Problem)] == [(3, "custom_id")]


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_cases_mean_the_same_behind_others(file: Path) -> None:
    """Each line of what people had, behind a sound one of the same template where there is one."""
    for number, line in enumerate(each for each in file.read_bytes().splitlines() if each.strip()):
        try:
            found = json.loads(line.decode())
        except ValueError:
            continue
        if not isinstance(found, dict) or "params" not in found:
            continue
        twin = json.dumps({**found, "custom_id": f"twin-{number}"}).encode()
        assert {plain(s) for s in heard([line]) if isinstance(s, Problem)} == {
            plain(s) for s in heard([twin, line]) if isinstance(s, Problem) and s.line == 2
        } or any(isinstance(s, Problem) and s.line == 1 for s in heard([twin, line]))


def test_what_is_recognized_is_bounded_as_any_other() -> None:
    texts = ("a", "a text of more words", "ein Text aus noch mehr Wörtern als der andere")
    found = [request(n, f'"messages": [{{"role": "user", "content": "{text}"}}]') for n, text in enumerate(texts * 2)]
    entries = [said for said in heard(found) if isinstance(said, Entry)]
    bounds = Bounds(Catalogue())
    assert [entry.template for entry in entries] == [0, *[1] * 5]
    assert [bounds.of(entry) for entry in entries] == [
        worst_of(entry._replace(template=0), Catalogue()) for entry in entries
    ]


@pytest.mark.parametrize("again", [False, True])
def test_files_that_share_their_templates_are_told_what_each_would_be_alone(again: bool) -> None:  # noqa: FBT001  a parameter of the test
    alone = Rules(max_requests=100)
    shared = replace(alone, known=Templates())
    files = [case.read_bytes() for case in CASES] + SHARED
    for whole in files * (1 + again):
        assert told(whole, shared) == told(whole, alone)


def told(whole: bytes, rules: Rules) -> list[Said]:
    said = read(lambda: [whole], ".jsonl", "file", rules)
    return [each._replace(template=0) if isinstance(each, Entry) else each for each in said]


REQUEST = b'{"custom_id": "%b", "params": {"model": "claude-haiku-4-5", "max_tokens": %b, "messages": [%b]}}\n'
TURN = b'{"role": "user", "content": "hello"}'
SHARED = [
    REQUEST % (b"a", b"100", TURN),
    REQUEST % (b"b", b"100", TURN),
    b'{"job": {"betas": ["context-1m-2025-08-07"], "max_tokens": 5}}\n' + REQUEST % (b"a", b"100", TURN),
    b'{"job": {"cache": "off"}}\n' + REQUEST % (b"a", b"100", TURN),
    b'{"job": {"lane": 3}}\n' + REQUEST % (b"a", b"100", TURN),
    CAUTIONED := REQUEST.replace(b"claude-haiku-4-5", b"claude-unheard-of") % (b"a", b"100", TURN),
    CAUTIONED,
    CAUTIONED.replace(b'"a"', b'"b"') + CAUTIONED,
]


def test_what_one_file_is_cautioned_of_the_next_one_is_too() -> None:
    rules = Rules(known=Templates())
    for _ in range(3):
        assert any(isinstance(each, Caution) for each in told(CAUTIONED, rules))
