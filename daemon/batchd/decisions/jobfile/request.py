"""From one request as the user wrote it to one that can be sent: settings laid over each other, checked, serialized."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from batchd.claude.params import Params
from batchd.decisions.jobfile.draft import Draft, Origins, budget_of, finished
from batchd.decisions.jobfile.naming import LONGEST_ID, Names
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.jobfile.settings_check import (
    BESIDE,
    NOTHING,
    ON_ERROR,
    Settings,
    read_settings,
    readers_of,
    turn_of,
)
from batchd.decisions.jobfile.templates import Templates
from batchd.model import (
    Caution,
    Entry,
    Problem,
    Reject,
    Terms,
    Turn,
)
from batchd.text.jsonscan import Broken
from batchd.text.strictjson import MOST_FLAWS, Flaw, Json, member

Said: TypeAlias = Entry | Problem | Caution | Terms | Reject
"""What a job file turns out to hold, piece by piece; one Problem, and the file is refused whole."""

_MOST_CAUTIONS: Final = 100


_SHARED: Final = ("job.", "defaults.", "api.")


class Requests:
    """The requests of one job file, one after the other, with the job's settings merged into each.

    What a request says counts for more than what its job says, and that for more than the rules; at each place
    `params` counts for more than the settings beside it.
    """

    def __init__(self, rules: Rules, beneath: Mapping[str, Json] = MappingProxyType({})) -> None:
        """Begin a job file.

        Args:
            rules: What holds for every request.
            beneath: Settings of the job, as far as the file has none of its own.
        """
        self._of_folder = beneath
        self._rules = rules
        self._defaults = {"model": rules.model, "max_tokens": rules.max_tokens}
        self._job = read_settings(dict(beneath), "job") if beneath else NOTHING
        self._beneath: dict[str, Json] = {**self._defaults, **self._job.given}
        """What a request gets that says nothing."""
        self._asked = tuple(sorted({*rules.betas, *self._job.betas}))
        self._names = Names()
        self._templates = Templates() if beneath or rules.known is None else rules.known
        self._count = 0
        self._bytes = 0
        """Of all requests, as they will be sent."""
        self._warned: set[Flaw] = set()
        self._told: set[Flaw] = set()
        """Flaws of what requests share, which are told once."""
        self._job_line = 0

    @property
    def skips(self) -> bool:
        """Whether what is wrong with a request alone leaves it out, and stops no other."""
        return self._job.said.get(ON_ERROR) == "skip"

    def settle(self, line: int, found: Json) -> Iterator[Problem | Terms]:
        """Take the job's settings; they hold for every request that is offered afterwards.

        Args:
            line: Where they stand.
            found: The value of `job`.
        """
        if isinstance(found, dict):
            self._job_line = line
            self._job = read_settings(laid_over(self._of_folder, found), "job")
            self._asked = tuple(sorted({*self._rules.betas, *self._job.betas}))
            self._beneath = {**self._defaults, **self._job.given}
            self._templates = Templates()
            for flaw in self._job.flaws:
                yield Problem(line, *flaw)
            yield from self.terms()
        else:
            yield Problem(line, "job", "must be an object with settings")

    def terms(self) -> Iterator[Terms]:
        """Tell what holds for the job as a whole, if anything does."""
        budget, readers, turn = budget_of(self._job), readers_of(self._job.said), turn_of(self._job.said)
        if budget or readers or turn != Turn():
            yield Terms(budget, readers=readers, turn=turn)

    def count(self, line: int) -> None:
        """Count a request, also one that cannot be read: a file of errors alone must come to its end too.

        Raises:
            Broken: It is one more than a file may hold.
        """
        self._count += 1
        if self._count > self._rules.max_requests:
            raise Broken(line, f"more than {self._rules.max_requests:,} requests in one file; split it up")

    def offer(
        self, line: int, found: Json, params_path: str = "params", written: bytes | None = None
    ) -> Iterator[Said]:
        """Take one request.

        Args:
            line: Where it begins.
            found: The object that the user wrote: `custom_id`, `params`, and settings.
            params_path: What the user calls the place of `params`; empty where they stand alone.
            written: The line of the file, where it has one of its own: requests like it are recognized by it.

        Yields:
            An Entry, or everything that is wrong with it; and cautions, each once a file.

        Raises:
            Broken: It is one more than a file may hold.
        """
        self.count(line)
        if not isinstance(found, dict):
            yield Problem(line, "", 'must be an object such as {"custom_id": "…", "params": {…}}')
            return
        own = read_settings(found, "", params_path, BESIDE)
        name, flaws = self._claim(found)
        flaws += own.flaws
        asks = "params" in found or not own.flaws  # else it is no request at all, and one flaw says so
        if asks and "messages" not in own.params and "messages" not in self._job.params and "params" not in own.unsound:
            flaws.append(Flaw(member(params_path, "messages"), "missing; a request needs at least one message"))
        yield from (Problem(line, *flaw) for flaw in flaws)
        sound = not flaws and not self._job.flaws
        draft = finished(self._merged(own), self._rules)
        for said in self._finish(line, found.get("custom_id", ""), name, own, draft, sound=sound):
            yield said
            if written is not None and isinstance(said, Entry) and self._may_learn(draft):
                self._templates.learn(written, said, self._rules.catalogue.find(said.model).window)

    def _may_learn(self, draft: Draft) -> bool:
        """Whether nothing is said of a request that another file with one like it is to say as well."""
        return not draft.cautions or self._templates is not self._rules.known

    def recognize(self, line: int, written: bytes | None) -> Entry | None:
        """Take a request that differs only in its texts from one that was found sound; None: it must be offered.

        Args:
            line: Where it stands.
            written: The line of the file; None for one that is too long.

        Raises:
            Broken: It is one more than a file may hold.
        """
        found = None if written is None else self._templates.find(written)
        if found is None:
            return None
        custom_id, params, common = found
        if len(params) > self._rules.max_request_bytes or (name := self._names.claim(custom_id)) is None:
            return None
        self.count(line)
        self._weigh(line, len(params))
        return Entry(line, custom_id, name, params, *common)

    def _weigh(self, line: int, size: int) -> None:
        self._bytes += size
        if self._bytes > self._rules.max_job_bytes:
            most = self._rules.max_job_bytes
            raise Broken(
                line, f"its requests have together more than {most:,} bytes (intake.max_job_bytes); split it up"
            )

    def _claim(self, found: dict[str, Json]) -> tuple[str, list[Flaw]]:
        custom_id = found.get("custom_id")
        if not isinstance(custom_id, str) or not custom_id:
            said = "missing; every request needs one" if custom_id is None else "must be a text that is not empty"
            return "", [Flaw("custom_id", said)]
        if len(custom_id) > LONGEST_ID:
            return "", [Flaw("custom_id", f"{len(custom_id):,} characters; at most {LONGEST_ID} are taken")]
        try:
            name = self._names.claim(custom_id)
        except UnicodeEncodeError:
            return "", [Flaw("custom_id", "half of a surrogate pair, which is no character; write it whole")]
        if name is None:
            return "", [Flaw("custom_id", "another request of this file has the same; give each its own")]
        return name, []

    def _finish(  # noqa: PLR0913  what is known of a request
        self, line: int, custom_id: str, name: str, own: Settings, draft: Draft, *, sound: bool
    ) -> Iterator[Said]:
        """Hold a request against its model as far as it is sound, so that all is told at once, and serialize it."""
        origins = Origins(own, self._job, self._defaults)
        for caution in draft.cautions:
            if caution not in self._warned and len(self._warned) < _MOST_CAUTIONS:
                self._warned.add(caution)
                yield Caution(line, origins.of(caution.field), caution.message)
        for flaw in draft.flaws:
            yield from self._tell(line, Flaw(origins.of(flaw.field), flaw.message))
        if sound and not draft.flaws:
            self._weigh(line, len(draft.body))
            yield draft.entry(line, custom_id, name, budget_of(own), self._rules)

    def _merged(self, own: Settings) -> Draft:
        """Lay what a request says over what its job says, and that over the defaults; what is unsound is left out."""
        given, job = own.given, self._job
        params = {**given, **{key: value for key, value in self._beneath.items() if key not in given}}
        for key in own.unsound | (job.unsound - given.keys()):
            params.pop(key, None)
        looks = {key: look for key in params if (look := (own if key in given else job).looks.get(key))}
        betas = tuple(sorted({*self._asked, *own.betas})) if own.betas else self._asked
        return Draft(cast("Params", params), {**job.said, **own.said}, betas, looks)

    def _tell(self, line: int, flaw: Flaw) -> Iterator[Problem]:
        """What lies in the job's settings, or beneath them, is one mistake, however many requests it hits."""
        if not flaw.field.startswith(_SHARED):
            yield Problem(line, *flaw)
        elif flaw not in self._told:
            if len(self._told) < MOST_FLAWS:
                self._told.add(flaw)
            yield Problem(self._job_line if flaw.field.startswith("job.") else line, *flaw)


def apart(said: Iterable[Said], rejected: Reject) -> Iterator[Said]:
    """Leave a request out for what is wrong with it alone; what lies in the settings that it shares stays a problem.

    Args:
        said: Of the request.
        rejected: What is known of it, without its problems.
    """
    told = list(said)
    own = tuple(each for each in told if isinstance(each, Problem) and not each.field.startswith(_SHARED))
    yield from (each for each in told if each not in own)
    if own:
        yield rejected._replace(problems=own)


def laid_over(beneath: Mapping[str, Json], found: Mapping[str, Json]) -> dict[str, Json]:
    """Lay a job's own settings over those of its folder: what the job says counts, but no budget widens the folder's.

    Args:
        beneath: Without flaws.
        found: As the user wrote them.
    """
    params, under = found.get("params"), beneath.get("params")
    kept = {key: value for key, value in under.items() if key not in found} if isinstance(under, dict) else {}
    if isinstance(params, dict):
        params = {**kept, **params}
    elif params is None:
        params = kept
    own = params if isinstance(params, dict) else {}
    settings = {**{key: value for key, value in beneath.items() if key not in own}, **found, "params": params}
    most, wanted = beneath.get("budget"), found.get("budget")
    if isinstance(most, int | float) and isinstance(wanted, int | float) and not isinstance(wanted, bool):
        settings["budget"] = min(most, wanted)
    return settings
