"""A request on its way to be sent: its settings laid over each other, held against its model, and serialized."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import msgspec

from batchd.claude.media import decoded, files_of
from batchd.claude.media_limits import most_pages
from batchd.claude.model_check import CURRENT_VERSION, Asked, fit
from batchd.claude.params import Params
from batchd.claude.shapes import Look
from batchd.decisions.jobfile import lanes
from batchd.decisions.jobfile.answer_form import SCHEMA
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.jobfile.settings_check import Said, Settings
from batchd.model import Entry, Lane, Wishes
from batchd.text import typed
from batchd.text.strictjson import Flaw, Flawed, Json, encode, shown

_ROUNDS_OF_LONG: Final = 3

_MOST_WINDOW: Final = 1_000_000
"""Tokens of the largest model."""


@dataclass(slots=True)
class Draft:
    """A request, as far as it is known; its flaws and cautions name parameters as if they stood alone."""

    params: Params
    """The sound ones of all places."""
    said: Said
    """Its other settings, of all places."""
    betas: tuple[str, ...]
    looks: Mapping[str, Look]
    """What the walks through its parameters noted."""
    version: str = CURRENT_VERSION
    lane: Lane = Lane.BATCH
    body: bytes = b""
    """Its parameters, as they go out."""
    flaws: list[Flaw] = field(default_factory=list)
    cautions: list[Flaw] = field(default_factory=list)

    def entry(self, line: int, custom_id: str, name: str, budget: Decimal | None, rules: Rules) -> Entry:
        """The request that can be sent, where there are no flaws.

        Args:
            budget: USD; what the request itself says.
        """
        max_tokens = self.params["max_tokens"]
        # A stream may break off at any length, and what came of it is paid for.
        is_continued = max_tokens > rules.long_tokens or self.lane is Lane.SYNC
        return Entry(
            line=line,
            custom_id=custom_id,
            name=name,
            params=self.body,
            model=self.params["model"],
            max_tokens=max_tokens,
            betas=self.betas,
            budget=budget,
            rounds=self.said.get("continue", _ROUNDS_OF_LONG if is_continued else 0),
            wishes=typed.convert({**self.said, "lane": self.lane}, Wishes),
            version=None if self.version == CURRENT_VERSION else self.version,
        )


def finished(draft: Draft, rules: Rules) -> Draft:
    """Hold a draft against its model and its lane, and serialize it; all that is wrong with it is among its flaws."""
    _resolve_model(draft, rules)
    if SCHEMA in draft.said:
        _answer_by_schema(draft)
    _fit_model(draft, rules)
    if "model" in draft.params and "max_tokens" in draft.params:
        _choose_lane(draft, rules)
    _find_sinks(draft, rules)
    _serialize(draft, rules)
    _open_pdfs(draft, rules)
    return draft


def _resolve_model(draft: Draft, rules: Rules) -> None:
    """Put the model where a name stands for one."""
    name = draft.params.get("model")
    if isinstance(name, str) and (model := rules.catalogue.resolve(name)) != name:
        draft.params["model"] = model
        draft.cautions.append(Flaw("model", f"{shown(name)} is {model} here"))


def _answer_by_schema(draft: Draft) -> None:
    """Put a schema where the API has it, and expect an answer that keeps it."""
    form = draft.said.pop(SCHEMA)
    expect = msgspec.json.decode(draft.said["expect"]) if "expect" in draft.said else {}
    config = draft.params.get("output_config") or {}
    if "json" in expect:
        draft.flaws.append(Flaw("expect.json", f"stands beside {SCHEMA}, which is the expectation; leave one out"))
    elif "format" in config:
        draft.flaws.append(Flaw("output_config.format", f"stands beside {SCHEMA}, which is sent there; leave one out"))
    else:
        draft.params["output_config"] = {**config, "format": form.format}
        draft.said["expect"] = msgspec.Raw(encode({**expect, "json": form.expected}))
        draft.cautions += form.cautions()


def _fit_model(draft: Draft, rules: Rules) -> None:
    uses = [use for look in draft.looks.values() for use in look.uses]
    points = {key: look.breakpoints for key, look in draft.looks.items()}
    found = fit(Asked(draft.params, draft.betas, uses, points), rules.catalogue)
    draft.flaws += found.flaws
    draft.cautions += found.cautions
    draft.betas, draft.version = found.betas, found.version


def _choose_lane(draft: Draft, rules: Rules) -> None:
    """Say by which lane a request goes, what its user should know of that, and what is wrong with it."""
    facts, max_tokens, now = rules.catalogue.find(draft.params["model"]), draft.params["max_tokens"], rules.now
    wish, needed_by = draft.said.get("lane", "auto"), draft.said.get("needed_by")
    draft.lane = lanes.choose(needed_by, max_tokens, facts, now) if wish == "auto" else Lane(wish)
    decisive = needed_by if wish == "auto" else None
    unfit = list(lanes.check_fit(draft.lane, max_tokens, draft.betas, facts, decisive, now))
    remark = lanes.caution(draft.lane, needed_by, max_tokens, facts, now)
    if remark and not unfit:
        draft.cautions.append(Flaw("needed_by", remark))
    draft.flaws += unfit


def _find_sinks(draft: Draft, rules: Rules) -> None:
    """Find those that are to be told: a file can name them, and never gives an address."""
    names = draft.said.get("notify")
    for name in names if isinstance(names, list) else ():
        if name not in rules.sinks:
            known = f"those of the daemon's settings are {', '.join(sorted(rules.sinks))}" if rules.sinks else ""
            draft.flaws.append(
                Flaw("notify", f"there is no sink {shown(name)}; {known or 'the settings of the daemon have none'}")
            )


def _open_pdfs(draft: Draft, rules: Rules) -> None:
    """Have a parser open the PDFs of a request, which tells what their bytes alone do not."""
    if rules.count_pages is None or b'"application/pdf"' not in draft.body or draft.flaws:
        return
    for file in files_of(draft.params.get("messages")):
        if file.picture or file.data is None or (data := decoded(file.data)) is None:
            continue
        found = rules.count_pages(data, most_pages(_MOST_WINDOW))
        if isinstance(found, str):
            draft.flaws.append(Flaw(f"{file.field}.source.data", found))


def _serialize(draft: Draft, rules: Rules) -> None:
    try:
        draft.body = encode(draft.params)
    except Flawed as flawed:
        draft.flaws += flawed.flaws
    if len(draft.body) > rules.max_request_bytes:
        most = rules.max_request_bytes
        said = f"{len(draft.body):,} bytes with the job's settings; at most {most:,} are taken"
        draft.flaws.append(Flaw("", said))


@dataclass(frozen=True, slots=True)
class Origins:
    """Tells where in the file a merged parameter came from."""

    own: Settings
    job: Settings
    defaults: Mapping[str, Json]

    def of(self, path: str) -> str:
        """The path of a parameter as the user wrote it."""
        key = re.split(r"[.\[]", path, maxsplit=1)[0]
        beside = self._beside(key)
        if beside is not None:
            of_request, of_job = beside
            return path if of_request else f"job.{path}" if of_job else f"api.{path}"
        places = (
            (self.own.path, self.own.params),
            ("", self.own.shortcuts),
            ("job.params", self.job.params),
            ("job", self.job.shortcuts),
            ("defaults", self.defaults),
        )
        prefix = next((place for place, params in places if key in params), self.own.path)
        return ".".join(each for each in (prefix, path) if each)

    def _beside(self, key: str) -> tuple[Json, Json] | None:
        """What request and job say of a setting that is no parameter."""
        if key == "betas":
            return self.own.betas, self.job.betas
        if key in {"expect", "needed_by", "notify", SCHEMA}:
            return self.own.said.get(key), self.job.said.get(key)
        return None


def budget_of(said: Settings) -> Decimal | None:
    """The budget that one place sets, in USD, as exactly as it was written."""
    return Decimal(str(said.said["budget"])) if "budget" in said.said else None
