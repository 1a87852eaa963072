import json
from collections.abc import Callable, Mapping

import msgspec
import pytest
from batchd.sandbox import answer, directives, filing, outline, writer
from batchd.sandbox.answer import Request
from batchd.sandbox.batch import Batch
from batchd.sandbox.checks import Terms
from batchd.sandbox.conversation import weigh
from batchd.sandbox.examiner import NOTHING_CACHED
from batchd.sandbox.filing import File
from batchd.sandbox.outline import Outline

from tests.support.effort import assert_linear

MARKED = "[SECTION: {title}]"
MARKERS = """Write a manual.
[SECTION: Chapter 1 — Setup]
[SECTION: Chapter 2 — Use]
At least 2,000 words."""


TWO = "[SECTION: A]\n[SECTION: B]"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Hello", Outline(words=120, open=True)),
        (MARKERS, Outline(("Chapter 1 — Setup", "Chapter 2 — Use"), marker=MARKED, words=2000)),
        ("Use sections: Scope, Terms, and Duties.", Outline(("Scope", "Terms", "Duties"), words=270, open=True)),
        (
            "Mark each as [SECTION: title].\nSections: A1; B2",
            Outline(("A1", "B2"), marker=MARKED, words=180, open=True),
        ),
        ("# One\ntext\n## Two\n500 words", Outline(("One", "Two"), words=500)),
        ("Outline:\n1. First\n2. Second\n- Third\n300 words each", Outline(("First", "Second", "Third"), words=900)),
        (
            "A book of 3 chapters, 15,000 words a chapter",
            Outline(("Chapter 1", "Chapter 2", "Chapter 3"), words=45_000),
        ),
        ("A 200-page contract", Outline(words=96_000)),
        ("About 10k tokens", Outline(words=6_500)),
        (
            f"In these three chapters, each of at least 1,000 words, each beginning with its line:\n\n{TWO}",
            Outline(("A", "B"), marker=MARKED, words=2_000),
        ),
        ("Every section has at least 300 words.\nSections: A, B", Outline(("A", "B"), words=600)),
        ("Sections: A, B\nAt least 900 words in each section, 2,000 in all.", Outline(("A", "B"), words=1_800)),
        ("Sections: A, B\n90 words in each section, 2,000 words in all.", Outline(("A", "B"), words=2_000)),
        ("Write twenty-word captions.", Outline(words=20)),
        ("A book in three chapters of 2.5k words.", Outline(("Chapter 1", "Chapter 2", "Chapter 3"), words=7_500)),
        ("Between 800 and 1,000 words, 2 sentences first.", Outline(words=1_000)),
        ("Sum up this 200-page contract in two hundred words.", Outline(words=200)),
        ("Summarise the 40-page report.", Outline(words=120, open=True)),
        ("Mindestens 500 Wörter.", Outline(words=500)),
        ("At least 3,000 characters.", Outline(words=750)),
        (
            "Begin each section with a line `=== title ===`. Sections: A, B.",
            Outline(("A", "B"), "=== {title} ===", 180, open=True),
        ),
        ("Write these:\n== A ==\n== B ==\n", Outline(("A", "B"), "== {title} ==", 180, open=True)),
        ('End with "Yours, B."', Outline(ending="Yours, B.", open=True)),
        ("The last line must be [DONE].", Outline(ending="[DONE]", open=True)),
        ("Finish with the line THE END", Outline(ending="THE END", open=True)),
        ("Each chapter ends with a quiz\n[SECTION: A]", Outline(("A",), marker=MARKED, open=True)),
        ("Return JSON, with a note of at most 300 words.", Outline(words=300, json=True)),
        ("Label it, as json.", Outline(json=True, open=True)),
        ("An article of 2,000 words about JSON", Outline(words=2_000)),
        ("Read job.json and many.jsonl", Outline(open=True)),
        ("A list of my complaints:\n- noise\n- dust", Outline(words=120, open=True)),
    ],
)
def test_reads_what_a_prompt_asks_for(prompt: str, expected: Outline) -> None:
    assert outline.read(prompt) == expected


def test_writes_at_least_the_words_asked_for_and_not_many_more() -> None:
    for words in (50, 500, 5_000, 50_000):
        text = writer.write(Outline(("A", "B", "C"), words=words), 1, most=10_000_000)
        assert words <= len(text.split()) <= words * 1.2 + 60


def test_the_same_seed_writes_the_same_text_and_another_another() -> None:
    wish = Outline(words=300)
    assert writer.write(wish, 7, most=9_999) == writer.write(wish, 7, most=9_999)
    assert writer.write(wish, 7, most=9_999) != writer.write(wish, 8, most=9_999)


def test_marks_sections_as_asked_and_leaves_out_what_it_is_told_to() -> None:
    wish = Outline(("One", "Two", "Three"), marker=MARKED, words=100)
    text = writer.write(wish, 1, most=9_999, omit=frozenset({"Two"}))
    assert [line for line in text.splitlines() if line.startswith("[")] == ["[SECTION: One]", "[SECTION: Three]"]
    assert text.startswith(writer.OPENING)


def test_writing_a_megabyte_takes_no_longer_than_its_length_asks() -> None:
    def writing(words: int) -> Callable[[], object]:
        wish = Outline(tuple(f"Chapter {n}" for n in range(60)), words=words)
        return lambda: writer.write(wish, 1, most=10_000_000)

    assert len(str(writing(190_000)())) > 1_000_000
    assert_linear(writing, 12_000)


def test_odd_characters_survive_json_on_one_line() -> None:
    text = writer.write(Outline(words=10), 1, most=9_999, unicode=True)
    line = msgspec.json.encode(text)
    assert b"\n" not in line
    assert "\u2028".encode() in line
    assert json.loads(line) == text


def test_directives_are_read_and_unknown_ones_refused() -> None:
    orders = directives.read(
        "x\n[sandbox: fail overloaded_error 2] [sandbox: truncate at 1234 rounds 3]\n[sandbox: never]"
    )
    assert (orders.fail, orders.fail_times) == ("overloaded_error", 2)
    assert (orders.truncate_at, orders.truncate_rounds) == (1234, 3)
    assert orders.take == float("inf")
    with pytest.raises(ValueError, match="no such directive"):
        directives.read("[sandbox: explode]")
    with pytest.raises(ValueError, match="no such directive"):
        directives.read("[sandbox: truncate now]")


def ask(prompt: str, *more: Mapping[str, object], max_tokens: int = 100_000, **params: object) -> dict[str, object]:
    whole = {
        "model": "claude-sonnet-4-6",
        "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": prompt}, *more],
        **params,
    }
    batch = Batch(1, "msgbatch_1", 1, 0, 0, 9, 0, None, 0, None, Terms("2026-10-21"))
    request = Request("a", "succeeded", None, b"", weigh(whole).tokens, NOTHING_CACHED)
    return answer.message(request, batch, msgspec.json.encode(whole), seed=0)


def text_of(message: Mapping[str, object]) -> str:
    blocks = msgspec.convert(message["content"], list[dict[str, object]])
    return "".join(str(block["text"]) for block in blocks if block["type"] == "text")


def usage_of(message: Mapping[str, object]) -> dict[str, object]:
    return msgspec.convert(message["usage"], dict[str, object])


def test_max_tokens_cuts_and_is_billed() -> None:
    message = ask("Write 5,000 words", max_tokens=100)
    assert message["stop_reason"] == "max_tokens"
    assert len(text_of(message)) == 400
    assert usage_of(message)["output_tokens"] == 100


@pytest.mark.parametrize("cut", ["truncate", "truncate at 777", "truncate at 300 rounds 3"])
def test_a_continued_text_is_the_text_that_would_have_been(cut: str) -> None:
    whole = text_of(ask("Write 900 words."))
    prompt = f"Write 900 words. [sandbox: {cut}]"
    more: list[Mapping[str, object]] = []
    parts: list[str] = []
    for _ in range(5):
        message = ask(prompt, *more)
        parts.append(text_of(message))
        if message["stop_reason"] == "end_turn":
            break
        more += [{"role": "assistant", "content": parts[-1]}, {"role": "user", "content": "Go on."}]
    assert "".join(parts) == whole
    assert len(parts) == (4 if "rounds" in cut else 2)


def test_a_continuation_forgives_lost_blanks() -> None:
    prompt = "Write 300 words [sandbox: truncate at 84]"
    first = text_of(ask(prompt))
    assert first.endswith("\n\n")
    second = text_of(
        ask(prompt, {"role": "assistant", "content": first.rstrip()}, {"role": "user", "content": "Go on"})
    )
    assert second.startswith("\n\n1.1 ")


def test_a_conversation_that_is_not_continued_gets_a_fresh_answer() -> None:
    message = ask("Hi", {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Write 50 words"})
    assert text_of(message).startswith(writer.OPENING)


def test_other_endings() -> None:
    assert ask("[sandbox: refuse]")["stop_reason"] == "refusal"
    assert ask("[sandbox: pause]")["stop_reason"] == "pause_turn"
    assert ask("[sandbox: stop model_context_window_exceeded]")["stop_reason"] == "model_context_window_exceeded"
    stopped = ask("Hello", stop_sequences=["model wrote"])
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "model wrote")
    assert text_of(stopped) == "This is sandbox text: no "


def test_a_full_window_ends_the_text() -> None:
    prompt = "x" * (200_000 - 300) * 4 + " [sandbox: words 9000]"
    message = ask(prompt, model="claude-haiku-4-5", max_tokens=64_000)
    assert message["stop_reason"] == "model_context_window_exceeded"


def test_thinking_counts_as_output_and_blocks_split_the_text() -> None:
    message = ask("Write 300 words [sandbox: thinking 500] [sandbox: blocks 3]")
    blocks = msgspec.convert(message["content"], list[dict[str, object]])
    assert [block["type"] for block in blocks] == ["thinking", "text", "text", "text"]
    usage = usage_of(message)
    assert usage["output_tokens"] == 500 + writer.tokens(len(text_of(message)))
    assert usage["output_tokens_details"] == {"thinking_tokens": 500}
    assert ask("Hi", thinking={"type": "adaptive"})["usage"] != ask("Hi")["usage"]


SENT = '<file path="src/a&amp;b.py">\nprint(1)\n</file>\n\n<file_2 path="b.md">\nsee </file>\n</file_2>\n'


def test_what_is_sent_along_is_material_and_no_wish() -> None:
    text, files = filing.take_out(f"Hello.\n{SENT}Write 50 words.")
    assert files == (File("src/a&b.py", "print(1)\n"), File("b.md", "see </file>\n"))
    assert text.split() == ["Hello.", "Write", "50", "words."]
    assert filing.take_out("a <file> of <file path='x'>") == ("a <file> of <file path='x'>", ())
    assert filing.take_out('<file path="a">\nnever closed') == ('<file path="a">\nnever closed', ())
    assert filing.take_out('<file path="a">\n</file>\n') == ("\n", (File("a", ""),))
    material = '<file path="a.md">\n# One\n# Two\n[sandbox: refuse]\n9,000 words\n</file>\n'
    message = ask(f"{material}\nWrite 50 words.")
    assert message["stop_reason"] == "end_turn"
    assert "One" not in text_of(message)
    assert len(text_of(message).split()) < 200


def test_files_that_are_asked_for_by_form_alone_are_those_that_were_sent() -> None:
    text = text_of(ask(f"{SENT}\nPort it. Write each file under its line [FILE: path]."))
    assert text.startswith(f"{writer.OPENING}\n\n[FILE: src/a&b.py]\n{filing.RETURNED}\nprint(1)\n\n[FILE: b.md]\n")
    assert text.endswith("\n[END OF FILES]")


def test_files_that_are_named_are_made_up() -> None:
    text = text_of(ask(f"{SENT}\nWrite them:\n[FILE: tests/test_a.py]\n[FILE: b.md]\n[FILE: tests/test_a.py]"))
    marks = [line for line in text.splitlines() if line.startswith("[")]
    assert marks == ["[FILE: tests/test_a.py]", "[FILE: b.md]", "[END OF FILES]"]
    assert f"[FILE: tests/test_a.py]\n{filing.INVENTED}\n# " in text
    assert f"[FILE: b.md]\n{filing.RETURNED}\nsee </file>\n" in text


def test_files_that_are_cut_are_continued() -> None:
    prompt = f"{SENT}\n[FILE: path]"
    whole = text_of(ask(prompt))
    cut = text_of(ask(f"{prompt} [sandbox: truncate at 150]"))
    more = ask(
        f"{prompt} [sandbox: truncate at 150]",
        {"role": "assistant", "content": cut},
        {"role": "user", "content": "Go on."},
    )
    assert cut + text_of(more) == whole


def test_a_text_ends_as_it_was_asked_to() -> None:
    assert text_of(ask("Write 50 words. End with the line [END OF AGREEMENT].")).endswith(".\n\n[END OF AGREEMENT]")
