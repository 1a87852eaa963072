"""The steps of a bundle, checked before any of them is asked: what each needs, what it may cost, and what is wrong."""

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from batchd.decisions.bundle.composing import Composer, shown_in
from batchd.decisions.bundle.files import Files
from batchd.decisions.bundle.steps.pricing import UNBOUNDED, longest, shown_by, worst_with
from batchd.decisions.bundle.steps.prompts import find_attached, read_prompt
from batchd.decisions.bundle.steps.reading import STEPS, LoadSchema, Reading
from batchd.decisions.bundle.steps.references import NO_LIST, Known
from batchd.decisions.bundle.steps.script import Asked, Script, records_of
from batchd.decisions.jobfile.answer_form import SCHEMA
from batchd.decisions.jobfile.attachment import ATTACH
from batchd.decisions.jobfile.request import Requests, Said, laid_over
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.jobfile.settings_check import SETTINGS
from batchd.decisions.rows.media import Loaded
from batchd.decisions.rows.prompt_file import PromptFile, line_of, tried
from batchd.decisions.rows.requests_of import requests_of
from batchd.model import Caution, Entry, Foreseen, Problem, Step, Steps, Terms
from batchd.text.spelling import closest
from batchd.text.strictjson import Json

MOST_STEPS: Final = 50
MOST_ALONG: Final = 64_000_000
"""Bytes of files that are kept until the last step is asked."""
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z")
_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")
_OF_JOINS: Final = ("join", "write")
_OF_QUESTIONS: Final = ("prompt", "each", ATTACH, *SETTINGS)
_OF_JOBS: Final = ("budget", "on_error")
"""Settings that hold for a job as a whole."""
_APART: Final = ("rows", "each", ATTACH, "id", "delimiter", "encoding", "on_error")
"""Settings of a prompt file that say what is asked, as steps do."""


def read_steps(  # noqa: PLR0913  what stands around the steps
    prompt: PromptFile, text: str, where: str, files: Files, rules: Rules, load: LoadSchema
) -> Iterator[Said]:
    """Read the steps of a bundle.

    Args:
        prompt: Its prompt file, sound but for them.
        text: All of that.
        where: Its path.
        files: Beside it.
        rules: By which requests are checked.
        load: Reads schemas.

    Yields:
        The terms of the job and the request of its first step, or everything that is wrong.
    """
    found = Reading(prompt, text, where, files, rules, load, tuple(prompt.own.steps))
    yield from prompt.cautions
    yield from _apart(found)
    first: list[Entry] = []
    for name, said in prompt.own.steps.items():
        problems = list(_named(found, name, said))
        if problems or not isinstance(said, dict):
            yield from problems
            found.known[name] = Known()
        elif "join" in said:
            yield from _join(found, name, said)
        else:
            for each in _question(found, name, said):
                if isinstance(each, Entry):
                    first.append(each)
                else:
                    yield each
    if any(step.each for step in found.steps) and prompt.budget is None:
        said_of = "a list in an answer decides how many requests there are: say budget, in USD, which bounds them"
        yield found.problem("budget", said_of)
    if not found.wrong:
        yield from _too_much_along(found)
    if found.wrong:
        return
    yield from _idle(found)
    script = Script(found.asked, _along(found))
    steps = Steps(steps=tuple(found.steps))
    written = msgspec.json.encode(script)
    yield Terms(
        prompt.budget,
        readers=prompt.readers,
        turn=prompt.turn,
        steps=steps,
        script=written,
        foreseen=tuple(found.foreseen),
    )
    yield from first


def _apart(found: Reading) -> Iterator[Said]:
    """What does not stand beside steps."""
    own = msgspec.structs.asdict(found.prompt.own)
    default = msgspec.structs.asdict(type(found.prompt.own)())
    for name in _APART:
        if own[name] != default[name]:
            yield found.problem(name, "stands beside steps, each of which says itself what it asks; leave it out")
    if found.prompt.settings.get("documents", True) is not True:
        yield found.problem("documents", "answers of steps are always documents; leave it out")
    if SCHEMA in found.prompt.settings:
        yield found.problem(SCHEMA, "stands beside steps; say it in the step whose answer it is of")
    if found.prompt.template is not None:
        yield Caution(
            0, "", f"{found.where}: the text below the settings is not asked: each step has a file of its own"
        )
    if len(found.names) > MOST_STEPS:
        yield found.problem(STEPS, f"{len(found.names):,} steps; at most {MOST_STEPS} are taken")


def _named(found: Reading, name: str, said: Json) -> Iterator[Problem]:
    place = f"{STEPS}.{name}"
    if not _NAME.match(name):
        yield found.problem(place, "a step is called by up to 40 of a-z, 0-9 and -, such as outline")
    elif not isinstance(said, dict) or not said:
        yield found.problem(place, "must say what is asked, such as {prompt: outline.md}, or what is joined")
    elif "join" in said or "write" in said:
        for key in said.keys() - set(_OF_JOINS):
            yield found.problem(f"{place}.{key}", f"a join asks nothing; it has {' and '.join(_OF_JOINS)} alone")
        if "join" not in said:
            yield found.problem(f"{place}.write", "is for a join: say in join whose answers are written")
    else:
        for key in said.keys() - set(_OF_QUESTIONS):
            near = closest(key, (*_OF_QUESTIONS, *_OF_JOINS), 0.7)
            known = f"did you mean {near}?" if near else f"it has {', '.join(sorted(_OF_QUESTIONS))}"
            yield found.problem(f"{place}.{key}", f"no setting of a step; {known}")
        for key in (key for key in _OF_JOBS if key in said):
            yield found.problem(f"{place}.{key}", "holds for the job as a whole; say it beside steps")
        if said.get("documents", True) is not True:
            yield found.problem(f"{place}.documents", "answers of steps are always documents; leave it out")


def _join(found: Reading, name: str, said: Mapping[str, Json]) -> Iterator[Said]:
    place = f"{STEPS}.{name}"
    told = said["join"] if isinstance(said["join"], list) else [said["join"]]
    of = [each for each in told if isinstance(each, str)]
    if not of or len(of) < len(told):
        yield found.problem(f"{place}.join", "must be the name of a step, or a list of them")
        return
    for each in of:
        if wrong := found.references(name).objection(each):
            yield found.problem(f"{place}.join", wrong)
        elif found.known[each].joins:
            yield found.problem(f"{place}.join", f"{each} is a join itself; name the steps that it joins")
    write = said.get("write", f"{name}.md")
    if not isinstance(write, str) or not _FILE.match(write):
        yield found.problem(
            f"{place}.write", "must be the name of a file in documents, such as book.md: no folder in it"
        )
    elif write.casefold() in found.written or write.split(".", 1)[0].casefold() in found.asking:
        yield found.problem(f"{place}.write", f"{write} is written by another step; choose another name")
    else:
        found.written.add(write.casefold())
        found.used |= {*of, name}
        found.lengths[name] = UNBOUNDED if len(of) > 1 else found.lengths.get(of[0], UNBOUNDED)
        found.steps.append(Step(name=name, join=tuple(of), write=write))
    found.known[name] = Known(joins=True)


def _question(found: Reading, name: str, said: Mapping[str, Json]) -> Iterator[Said]:
    found.known[name] = Known()
    prompt = yield from read_prompt(found, name, said.get("prompt"))
    settings, sound = yield from _settings(found, name, said)
    schema = settings.get(SCHEMA)
    found.known[name] = Known(
        schema=schema if sound and isinstance(schema, dict) else None, sound=sound, lists="each" in said
    )
    listed = NO_LIST
    if "each" in said:
        read = found.references(name).list_of(said["each"])
        if isinstance(read, str):
            yield found.problem(f"{STEPS}.{name}.each", read)
            return
        listed = read
    paths = yield from find_attached(found, name, said.get(ATTACH, []))
    if prompt is None or not sound:
        return
    text, template, first = prompt
    for place, message in found.references(name).wrong_names(template, listed):
        line = first + text.count("\n", 0, max(text.find(place), 0))
        yield found.told(str(said["prompt"]), line, message)
    sees = tuple(dict.fromkeys(str(path[1]) for path in template.answers if path[0] == STEPS))
    found.used |= {*listed.way[:1], *sees}
    if not found.wrong:
        asked = Asked(text, _settled(settings, found.rules), tuple(paths), listed.properties)
        previous = any(path[0] == "previous" for path in template.answers)
        step = Step(name=name, each=listed.way, sees=sees, previous=previous)
        yield from _probed(found, step, asked, found.references(name).samples(template, listed))


def _settings(
    found: Reading, name: str, said: Mapping[str, Json]
) -> Generator[Problem | Caution, None, tuple[dict[str, Json], bool]]:
    """Lay the settings of a step over those of the job; returns them, and whether they are sound."""
    place = f"{STEPS}.{name}"
    own = {key: value for key, value in said.items() if key not in {"prompt", "each", ATTACH}}
    sound = True
    if isinstance(path := own.get(SCHEMA), str):
        try:
            own[SCHEMA] = found.load(path)
        except ValueError as error:
            yield found.problem(f"{place}.{SCHEMA}", str(error))
            del own[SCHEMA]
            sound = False
    settings = laid_over(found.prompt.settings, own)
    if settings.get("params") is None:
        del settings["params"]
    for remark in tried(settings, found.rules):
        where = f"{place}.{remark.field}".rstrip(".")
        if isinstance(remark, Problem):
            sound = False
            yield found.problem(where, remark.message)
        elif not found.prompt.has_told(remark):
            yield Caution(line_of(found.text, where), where, remark.message)
    return settings, sound


def _settled(settings: Mapping[str, Json], rules: Rules) -> dict[str, Json]:
    """Say what the settings of the program would: they may have changed when a later step is asked."""
    said = settings.get("params")
    params = said if isinstance(said, dict) else {}
    given = {**settings, **params}
    named = rules.catalogue.resolve(str(given.get("model", rules.model)))
    params = {**params, "model": named, "max_tokens": given.get("max_tokens", rules.max_tokens)}
    kept = {key: value for key, value in settings.items() if key not in {"model", "max_tokens", "budget"}}
    return {**kept, "params": params}


def _probed(found: Reading, step: Step, asked: Asked, samples: Mapping[str, Json]) -> Iterator[Said]:
    """Write a request of a step with the shortest of answers, and price it with the longest."""
    template = asked.template()
    prompt = PromptFile(asked.settings, template, attach=asked.attach)
    requests = Requests(found.rules, asked.settings)
    item = samples.get("item")
    answers = {key: samples[key] for key in ("steps", "previous") if key in samples}
    (record,) = records_of(asked, step.name, {1 if step.each else 0: item}, answers)
    for said in requests_of(prompt, template, [record], requests, Composer(found.files, asked.attach)):
        if not isinstance(said, Entry):
            if isinstance(said, Problem):
                found.wrong = True
                yield replace(
                    said,
                    line=line_of(found.text, f"{STEPS}.{step.name}"),
                    row=0,
                    message=f"{found.where}: {step.name}: {said.message}",
                )
            elif isinstance(said, Caution) and not said.field.startswith("job"):  # those were told with the settings
                yield said
            continue
        own = longest(said)
        worst = worst_with(said, shown_by(template.answers, found.lengths, own), found.rules.catalogue)
        found.lengths[step.name] = UNBOUNDED if step.each else own
        found.steps.append(msgspec.structs.replace(step, worst=worst))
        found.asked[step.name] = asked
        if len(found.asked) == 1:
            yield said
        else:
            found.foreseen.append(Foreseen(step.name, said, worst, counted=not step.each))


def _along(found: Reading) -> dict[str, Loaded]:
    """The files that go along with steps, as they were read: the bundle may be gone when they are asked."""
    paths = [path for asked in found.asked.values() for path in (*asked.attach, *shown_in(asked.prompt))]
    return {path: found.files.load(path) for path in dict.fromkeys(paths)}


def _too_much_along(found: Reading) -> Iterator[Problem]:
    paths = {path for asked in found.asked.values() for path in (*asked.attach, *shown_in(asked.prompt))}
    if (size := sum(found.files.sizes[path] for path in paths)) > MOST_ALONG:
        said = f"{size:,} bytes go along with all steps together; at most {MOST_ALONG:,} are kept for them"
        yield found.problem(STEPS, said)


def _idle(found: Reading) -> Iterator[Caution]:
    """Tell of steps whose answers nothing uses; the last one's are what the job is for."""
    for step in found.steps[:-1]:
        if step.name not in found.used:
            place = f"{STEPS}.{step.name}"
            yield Caution(line_of(found.text, place), place, f"no step uses the answers of {step.name}")
