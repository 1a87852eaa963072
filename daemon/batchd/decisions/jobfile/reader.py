"""What a job file says: from its bytes to checked requests, every error with its line and field (CONTRACT.md).

Pure and streaming: of a file of any size no more is kept than a chunk, one request, and the digests of the ids.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from batchd.claude.params_check import PARAMETERS
from batchd.decisions.jobfile.attachment import ATTACH, Attached, attach, wrapped
from batchd.decisions.jobfile.naming import LONGEST_ID
from batchd.decisions.jobfile.openai_file import BODY, OpenAiFile
from batchd.decisions.jobfile.other_forms import HEAD, NOT_UTF8, BadlyEncoded, encoding, form_of_lines, results
from batchd.decisions.jobfile.request import Requests, Said, apart
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.jobfile.settings_check import BESIDE, RESULTS, SETTINGS, likely
from batchd.model import Caution, Entry, Problem, Reject
from batchd.text.characters import is_blank
from batchd.text.jsonscan import Broken, Part, mentions, split_document, split_lines
from batchd.text.pictures import pictures
from batchd.text.strictjson import Flaw, Flawed, Json, Malformed, crowded, decode, member, shown

__all__ = ["SUFFIXES", "Rules", "Said", "Source", "filled", "parse_line", "read", "usable"]

Source: TypeAlias = Callable[[], Iterable[bytes]]
"""Opens the file at its first byte each time it is called; pieces of 64 KB to 1 MB serve best."""

SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".md", ".txt")
"""The kinds of file that are taken."""

_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = " \t\r"
LINES_A_REQUEST: Final = 10
"""Blank ones included: of nothing but line ends, a file of 4 GB would keep its reader for an hour."""
_ONLY_JOB: Final = 'only a plain "job" may stand beside requests'
_IN_JOB: Final = 'an argument of the SDK\'s call; here it goes into job: {{"job": {{"{0}": …}}, "requests": […]}}'


def read(
    source: Source, suffix: str, stem: str, rules: Rules, beneath: Mapping[str, Json] = MappingProxyType({})
) -> Iterator[Said]:
    """Read a job file; this never raises anything of its own, whatever the bytes.

    It goes on after an error as long as anything can be understood, so that all are told, however many they are.
    Cautions come once a file. Whether there was a Problem is known at the end only: until then keep what came.

    Args:
        source: The file; opened twice or three times where a JSON document has its `job` after its `requests`.
        suffix: Of the file's name, with its dot; letter case does not matter.
        stem: The name without it: the custom_id of a request that has none of its own to have.
        rules: Defaults, limits and the catalogue of models.
        beneath: Settings without flaws that hold for a job as far as it says nothing itself.

    Yields:
        Entries, Problems and Cautions, in the order of the file.
    """
    kind = suffix.lower()
    requests = Requests(rules, beneath)
    limit = rules.max_request_bytes
    if kind in SUFFIXES and (wrong := encoding(_head(source))):
        yield Problem(0, "", wrong)
        return
    if kind in {".jsonl", ".ndjson"}:
        said = _read_lines(source, requests, rules)
    elif kind == ".json":
        said = _read_document(source, requests, usable(stem), limit)
    elif kind in SUFFIXES:
        said = _read_prose(source, requests, usable(stem), rules)
    else:
        yield Problem(0, "", f"files of this kind are not taken; {', '.join(SUFFIXES)} are")
        return
    yield from requests.terms()
    empty = True
    try:
        for each in said:
            empty = False
            yield each
    except Broken as broken:
        yield Problem(broken.line, "", broken.message)
    else:
        if empty:
            yield Problem(0, "", "there is no request in this file")


def usable(stem: str) -> str:
    """Make a custom_id of a file's name, which may hold bytes that are no characters."""
    return stem.encode("utf-8", "replace").decode()[:LONGEST_ID] or "request"


def _read_lines(source: Source, requests: Requests, rules: Rules) -> Iterator[Said]:
    limit, most = rules.max_request_bytes, rules.max_requests * LINES_A_REQUEST
    badly_encoded, openai = BadlyEncoded(), OpenAiFile(rules.catalogue)
    first = True
    for number, line in filled(split_lines(source(), limit), most):
        first, was_first = False, first
        if known := requests.recognize(number, line):
            yield known
            continue
        try:
            value = parse_line(line, limit)
        except (UnicodeDecodeError, Flawed) as error:
            requests.count(number)
            if requests.skips:
                yield _unreadable(number, error)
            elif isinstance(error, Flawed):
                yield from _no_line(source, number, line if was_first else None, error, limit)
            else:
                badly_encoded.add(number)
            continue
        if was_first and (said := _another_form(value)):
            raise Broken(number, said)
        if was_first and isinstance(value, dict) and "job" in value and "custom_id" not in value:
            yield from _job_line(number, value, requests)
        else:
            offered = _offered(number, value, line, requests, openai)
            yield from apart(offered, Reject(number, 0, id_of(value), (), value)) if requests.skips else offered
    yield from badly_encoded.problems()
    yield from openai.told()


def _offered(number: int, value: Json, line: bytes | None, requests: Requests, openai: OpenAiFile) -> Iterator[Said]:
    """Offer a line, converted where the file is another vendor's; what it shares with others is told at the end."""
    if objection := openai.objection(value):
        requests.count(number)
        yield Problem(number, "", objection)
    elif not openai.theirs or not isinstance(value, dict):
        yield from requests.offer(number, value, written=line)
    elif (found := openai.converted(number, value)).flaws:
        requests.count(number)
        if requests.skips:
            yield from (Problem(number, *flaw) for flaw in found.flaws)
        else:
            openai.refuse(number, found.flaws)
    else:
        for said in requests.offer(number, found.said, BODY):
            yield replace(said, field=found.place(said.field)) if isinstance(said, Problem | Caution) else said


def filled(lines: Iterable[bytes | None], most: int) -> Iterator[tuple[int, bytes | None]]:
    """Number the lines, and leave out blank ones; None is one beyond the limit.

    Raises:
        Broken: There are more than so many.
    """
    for number, line in enumerate(lines, start=1):
        if number > most:
            raise Broken(number, f"more than {most:,} lines in one file; split it up")
        bare = line.removeprefix(_BOM) if line and number == 1 else line
        if bare is None or bare.strip():
            yield number, bare


def _no_line(source: Source, number: int, first: bytes | None, error: Flawed, limit: int) -> Iterator[Problem]:
    """Tell what is wrong with a line, or with the whole file where it begins as another form of JSON."""
    if first is not None and (said := form_of_lines(first.decode(), _second(source, limit))):
        raise Broken(number, said)
    yield from (Problem(number, *flaw) for flaw in error.flaws)


def _unreadable(number: int, error: Flawed | UnicodeDecodeError) -> Reject:
    flaws = error.flaws if isinstance(error, Flawed) else [Flaw("", NOT_UTF8)]
    return Reject(number, 0, "", tuple(Problem(number, *flaw) for flaw in flaws))


def id_of(value: Json) -> str:
    """The custom_id of a request, if it has one that can be told."""
    found = value.get("custom_id") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _another_form(value: Json) -> str:
    if isinstance(value, list):
        return "this is a JSON array, not lines; save it as a .json file"
    return results(value)


def _head(source: Source) -> bytes:
    """The first bytes, as many as tell an encoding, however the pieces are cut."""
    head = b""
    for piece in source():
        head += piece[:HEAD]
        if len(head) >= HEAD:
            break
    return head[:HEAD]


def _second(source: Source, limit: int) -> str:
    """The second line that is not blank, as far as it can be read."""
    lines = (line for line in split_lines(source(), limit) if line is None or line.strip())
    next(lines, None)
    return (next(lines, b"") or b"").decode(errors="replace")


def parse_line(line: bytes | None, limit: int) -> Json:
    """Decode a line; whatever is wrong with it, it is a flaw of this line and no other.

    Raises:
        Flawed: It is no JSON, or not quite.
        UnicodeDecodeError: It is not UTF-8.
    """
    if line is None:
        raise Flawed([Flaw("", f"a line of more than {limit:,} bytes; one request must be shorter")])
    try:
        text = line.decode().strip(_BLANK)
        if crowded(text):
            raise Flawed([Flaw("", "this request has too many parts; split it up")])
        value, end = decode(text)
    except Malformed as error:
        said = f"not JSON: {error.message} (character {error.position + 1:,})"
        raise Flawed([Flaw("", said)]) from None
    if end < len(text):
        raise Flawed([Flaw("", f"something follows after the object (character {end + 1:,})")])
    return value


def _job_line(number: int, value: dict[str, Json], requests: Requests) -> Iterator[Said]:
    yield from requests.settle(number, value["job"])
    if len(value) > 1:
        yield Problem(number, "", "job must stand alone on its line")


def _read_document(source: Source, requests: Requests, stem: str, limit: int) -> Iterator[Said]:
    """Read a create body, one request, or bare params; which of them it is, its keys tell."""
    job = _find_job(source, limit)
    if job:
        yield from requests.settle(job.line, job.value)
    rest: dict[str, Part] = {}
    listed, readable = False, True
    for part in split_document(source(), "requests", limit):
        if isinstance(part.value, Flawed):
            requests.count(part.line)
            readable = False
            yield from _problems(part, part.value)
        elif part.number is None:
            rest[part.key] = part
        elif part.number >= 0:
            offered = requests.offer(part.line, part.value)
            rejected = Reject(part.line, 0, id_of(part.value), (), part.value)
            yield from apart(offered, rejected) if requests.skips else offered
        else:
            listed = True
    if listed:
        yield from (
            Problem(part.line, member("", key), _IN_JOB.format(key) if key in SETTINGS else _ONLY_JOB)
            for key, part in rest.items()
            if key != "job" or job is None
        )
    elif readable:
        yield from _offer_alone(rest, requests, stem)


def _find_job(source: Source, limit: int) -> Part | None:
    """Look for the job's settings, which may stand behind all the requests to which they apply."""
    with suppress(Broken):  # the reading itself will come to that place, and tell
        for part in split_document(source(), "requests", limit):
            if part.key == "job" and not isinstance(part.value, Flawed):
                return part
            # Most files have none, and one quick look saves them from being decoded twice.
            if part.number == -1 and not mentions(source(), b'"job"'):
                return None
    return None


def _problems(part: Part, flawed: Flawed) -> Iterator[Problem]:
    place = member("", part.key) if part.number is None else f"{part.key}[{part.number}]"
    for flaw in flawed.flaws:
        yield Problem(part.line, f"{place}.{flaw.field}" if flaw.field else place, flaw.message)


def _offer_alone(parts: dict[str, Part], requests: Requests, stem: str) -> Iterator[Said]:
    """Take a document that is one request, or the params of one."""
    line = min((part.line for part in parts.values()), default=1)
    found = {key: part.value for key, part in parts.items()}
    if "requests" in found:
        yield Problem(parts["requests"].line, "requests", "must be a list of requests")
    elif found.keys() & {"custom_id", "params"}:
        yield from requests.offer(line, {"custom_id": stem, **found})
    else:
        yield from requests.offer(line, {"custom_id": stem, "params": found}, params_path="")


def _read_prose(source: Source, requests: Requests, stem: str, rules: Rules) -> Iterator[Said]:
    from batchd.decisions.jobfile.front_matter import read_prose  # noqa: PLC0415  YAML, which other files never need

    limit = rules.max_request_bytes
    pieces: list[bytes] = []
    size = 0
    for chunk in source():
        size += len(chunk)
        if size > limit:
            yield Problem(0, "", f"a text of more than {limit:,} bytes; one request must be shorter")
            return
        pieces.append(chunk)
    try:
        text = b"".join(pieces).removeprefix(_BOM).decode()
        prose = read_prose(text)
    except UnicodeDecodeError as error:
        yield Problem(1 + error.object.count(b"\n", 0, error.start), "", NOT_UTF8)
        return
    if is_blank(prose.prompt):
        yield Problem(
            prose.line, "", "there is no text, so nothing to ask; write the prompt, below the settings if any"
        )
        return
    settings, wrong = _known(prose.settings, prose.flaws)
    yield from wrong
    yield from _json_as_prose(prose.prompt)
    yield from _pictures_as_prose(prose.prompt)
    if RESULTS in settings:
        yield from requests.settle(1, {RESULTS: settings.pop(RESULTS)})
    files: tuple[Attached, ...] = ()
    if ATTACH in settings:
        files, flaws = attach(settings.pop(ATTACH), rules.gather, limit)
        yield from (Problem(1, *flaw) for flaw in flaws)
    params = settings.get("params", {})
    if isinstance(params, dict):
        if "messages" in params:
            yield Problem(1, "params.messages", "the text below the settings is the message; leave this out")
        params = {**params, "messages": [{"role": "user", "content": _content(files, prose.prompt)}]}
    said = requests.offer(1, {"custom_id": stem, **settings, "params": params})
    yield from (each for each in said if not (wrong and isinstance(each, Entry)))


def _known(found: dict[str, Json], flaws: Iterable[Flaw]) -> tuple[dict[str, Json], list[Problem]]:
    """Part settings from what front matter holds elsewhere: of the latter all is told as one mistake."""
    ours = {*SETTINGS, *BESIDE, ATTACH}
    strange = [key for key in found if key not in ours and key not in PARAMETERS and not likely(key)]
    said = [Problem(1, *flaw) for flaw in flaws if flaw.field not in strange]
    if strange:
        names = ", ".join(member("", key) for key in strange)
        what = "no setting of that name" if len(strange) == 1 else "no settings of these names"
        known = ", ".join((*SETTINGS, ATTACH))
        told = f"{what}: {names}. What stands between the --- lines are settings here ({known}); take the rest out, or "
        said.append(Problem(1, member("", strange[0]), f"{told}begin the text with another line than ---"))
    flawed = {re.split(r"[.\[]", flaw.field, maxsplit=1)[0] for flaw in flaws}
    return {key: value for key, value in found.items() if key not in strange and key not in flawed}, said


def _json_as_prose(prompt: str) -> Iterator[Caution]:
    """Say that a text is a file of requests by another name, all of which would go as one prompt."""
    start = prompt.lstrip()
    if not start.startswith(("{", "[")):
        return
    try:
        value, _ = decode(start)
    except (Malformed, Flawed):
        return
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict) and first.keys() & {"custom_id", "params", "requests", "messages"}:
        said = "this text is JSON as .jsonl and .json files have it, and all of it would be sent as one prompt"
        yield Caution(1, "", f"{said}; if it holds requests, take the ending .txt or .md off its name")


def _pictures_as_prose(prompt: str) -> Iterator[Caution]:
    """Say that a picture which a text shows is not sent."""
    if picture := next(pictures(prompt), None):
        said = "is fetched by nobody" if picture.is_far else "stays where it is"
        yield Caution(
            1, "", f"the picture {shown(picture.path)} {said}: pictures go along in a folder NAME.job, beside prompt.md"
        )


def _content(files: tuple[Attached, ...], prompt: str) -> Json:
    """The prompt behind its files, which are a block of their own: prompts with the same files begin alike."""
    if not files:
        return prompt
    return [{"type": "text", "text": wrapped(files)}, {"type": "text", "text": prompt}]
