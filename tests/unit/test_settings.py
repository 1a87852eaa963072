from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from batchd.errors import Unusable
from batchd.settings import Setting, Settings, describe, find_api_key, load_settings

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the places of a settings file are looked at, and hold none."""
    monkeypatch.delenv("BATCHD_CONFIG")
    monkeypatch.setattr("batchd.settings.loading.CONFIG_FILES", (Path("batchd.toml"), tmp_path / "etc" / "batchd.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complaint(flags: Mapping[str, object] | None = None, toml: str | None = None) -> str:
    if toml is not None:
        Path("batchd.toml").write_text(toml)
    with pytest.raises(Unusable) as caught:
        load_settings(flags or {}, None)
    return str(caught.value)


def test_nothing_said_gives_the_defaults_of_the_contract() -> None:
    settings = load_settings({}, None)
    assert settings == Settings()
    assert (settings.inbox, settings.outbox, settings.state) == (Path("inbox"), Path("outbox"), Path(".batchd"))
    assert (settings.poll.initial, settings.poll.factor, settings.poll.max, settings.poll.jitter) == (60, 1.5, 600, 0.1)
    assert settings.defaults.model == "claude-sonnet-5-5"


def test_flags_win_over_environment_over_file_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("batchd.toml").write_text("[poll]\ninitial = 1\nfactor = 1.1\nmax = 11\njitter = 0.01\n")
    monkeypatch.setenv("BATCHD_POLL__INITIAL", "2")
    monkeypatch.setenv("BATCHD_POLL__FACTOR", "1.2")
    poll = load_settings({"poll": {"initial": 3, "max": None}}, None).poll
    assert (poll.initial, poll.factor, poll.max, poll.jitter) == (3, 1.2, 11, 0.01)


def test_the_first_settings_file_that_exists_is_read(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    (nowhere / "etc").mkdir()
    (nowhere / "etc" / "batchd.toml").write_text('inbox = "etc"')
    assert load_settings({}, None).inbox == Path("etc")
    for name in ("asked", "variable", "batchd"):
        Path(f"{name}.toml").write_text(f'inbox = "{name}"')
    assert load_settings({}, None).inbox == Path("batchd")
    monkeypatch.setenv("BATCHD_CONFIG", "variable.toml")
    assert load_settings({}, None).inbox == Path("variable")
    assert load_settings({}, Path("asked.toml")).inbox == Path("asked")


def test_a_settings_file_that_was_asked_for_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unusable, match=r"--config = 'missing.toml': there is no such file"):
        load_settings({}, Path("missing.toml"))
    monkeypatch.setenv("BATCHD_CONFIG", "gone.toml")
    with pytest.raises(Unusable, match=r"\$BATCHD_CONFIG = 'gone.toml'"):
        load_settings({}, None)


def test_other_defaults_yield_to_whatever_was_said() -> None:
    base = {"poll": {"initial": 0.1, "max": 1.0}, "intake": {"settle": 0.0}}
    assert load_settings({}, None, base=base).poll.initial == 0.1
    said = load_settings({"poll": {"factor": 3}}, None, base=base)
    assert (said.poll.initial, said.poll.factor, said.poll.max) == (0.1, 3, 1.0)
    contradicting = load_settings({"poll": {"initial": 5}}, None, base=base)
    assert (contradicting.poll.initial, contradicting.poll.max, contradicting.intake.settle) == (5, 600, 0)


def test_doubt_follows_the_timeout_unless_somebody_set_it() -> None:
    assert load_settings({"api": {"timeout": 1200}}, None).api.doubt == 1800
    assert load_settings({"api": {"timeout": 10}}, None).api.doubt == 900
    assert load_settings({"api": {"timeout": 1200, "doubt": 5}}, None).api.doubt == 5


def test_tables_by_name_stand_in_the_environment_as_the_pages_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHD_NOTIFY__SINKS", '{"team": {"url": "https://x.example/secret"}}')
    monkeypatch.setenv("BATCHD_FOLDER", '{"legal": {"per_month": 200}}')
    monkeypatch.setenv("BATCHD_FOLDER__NIGHT", '{"hours": "20:00-06:00"}')
    found = load_settings({}, None)
    assert [name for name, sink in found.notify.sinks.items() if sink.url] == ["team"]
    assert found.folder["legal"].per_month == 200
    assert found.folder["night"].hours == "20:00-06:00"
    monkeypatch.setenv("BATCHD_NOTIFY__SINKS", "secret")
    with pytest.raises(Unusable, match=r"\$BATCHD_NOTIFY__SINKS: a variable for all of \[notify.sinks\]") as refused:
        load_settings({}, None)
    assert "secret" not in str(refused.value)


def test_lists_in_the_environment_are_separated_by_commas_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHD_API__BETAS", "one-2026, two")
    assert load_settings({}, None).api.betas == ("one-2026", "two")
    monkeypatch.setenv("BATCHD_API__BETAS", '["three"]')
    assert load_settings({}, None).api.betas == ("three",)


def test_models_are_tables_by_id_with_everything_optional() -> None:
    Path("batchd.toml").write_text('[models."claude-x-9"]\nlong_output = true\n')
    model = load_settings({}, None).models["claude-x-9"]
    assert (model.max_output, model.long_output, model.window) == (None, True, None)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("BATCHD_POLL__FACTOR", "1", "poll.factor = '1' (from $BATCHD_POLL__FACTOR): should be greater than 1"),
        (
            "BATCHD_INTAKE__SETTLE",
            "-1",
            "intake.settle = '-1' (from $BATCHD_INTAKE__SETTLE): should be greater than or",
        ),
        ("BATCHD_INTAKE__SETTLE", "soon", "intake.settle = 'soon'"),
        ("BATCHD_INTAKE__SETTLE", "inf", "intake.settle = 'inf'"),
        ("BATCHD_POLL__JITTER", "0.6", "should be less than or equal to 0.5"),
        ("BATCHD_POLL__MAX", "5", "poll.max (5) should not be less than poll.initial (60)"),
        ("BATCHD_API__REQUESTS_PER_MINUTE", "0", "should be greater than or equal to 1"),
        ("BATCHD_API__BASE_URL", "example.com", "should begin with https://"),
        ("BATCHD_API__BETAS", "a b", "api.betas = 'a b' (from $BATCHD_API__BETAS)"),
        ("BATCHD_BATCH__MAX_REQUESTS", "100001", "should be less than or equal to 100000"),
        ("BATCHD_BATCH__MAX_BYTES", "256000001", "should be less than or equal to 256000000"),
        ("BATCHD_BATCH", "many", "$BATCHD_BATCH: a variable for all of [batch] should be a JSON object"),
        ("BATCHD_BATCH", "[1]", "$BATCHD_BATCH: a variable for all of [batch] should be a JSON object"),
        ("BATCHD_INBOX", "", "inbox = ''"),
        ("BATCHD_POLL_FACTOR", "2", "(from $BATCHD_POLL_FACTOR): there is no such setting; did you mean poll.factor?"),
        ("BATCHD_INBOX__PATH", "x", "(from $BATCHD_INBOX__PATH): there is no such setting; did you mean inbox?"),
        ("BATCHD_RETRY__ATTEMPTS", "2", "there is no such setting; did you mean retry.max_attempts?"),
    ],
)
def test_what_is_wrong_is_said_with_name_value_source_and_remedy(
    variable: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert expected in complaint()


def test_each_mistake_has_its_line() -> None:
    text = complaint(
        toml='poll = 3\n[intake]\nsetle = 1\n[api]\ntimeout = "x"\n[batch]\nmax_requests = true\n[budgets]\n'
    )
    assert text.splitlines() == [
        "api.timeout = 'x' (from batchd.toml): should be a valid number, unable to parse string as a number",
        "intake.setle (from batchd.toml): there is no such setting; did you mean intake.settle?",
        "batch.max_requests = True (from batchd.toml): should be a number",
        "poll = 3 (from batchd.toml): should be a table",
        "budgets (from batchd.toml): there is no such setting; did you mean budget?",
    ]


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("[poll]\ninitial = nan", "poll.initial = nan (from batchd.toml): should be a finite number"),
        (f"[poll]\ninitial = 1{'0' * 400}", "should be a finite number"),
        ("[poll]\ninitial = []", "poll.initial = [] (from batchd.toml): should be a valid number"),
        ('[poll]\ninitial = "\u0661"', "should be a valid number, unable to parse string as a number"),
        ("[retry]\nmax_attempts = inf", "retry.max_attempts = inf (from batchd.toml): should be a finite number"),
        ("[retry]\nmax_attempts = 1.5", "should be a valid integer, got a number with a fractional part"),
        ('[retry]\nmax_attempts = "two"', "should be a valid integer, unable to parse string as an integer"),
        ("[retry]\nmax_attempts = {}", "should be a valid integer"),
        ("[budget]\nper_day = nan", "budget.per_day = nan (from batchd.toml): should be a finite number"),
        ('[budget]\nper_day = "much"', "budget.per_day = 'much' (from batchd.toml): should be a valid decimal"),
        ("[budget]\nper_day = -0.01", "should be greater than or equal to 0"),
        ("[intake]\nforce_polling = 2", "should be a valid boolean, unable to interpret input"),
        ("[intake]\nforce_polling = []", "should be a valid boolean"),
        ('[defaults]\nmodel = ""', "should have at least 1 character"),
        ("[defaults]\nmodel = 1", "should be a valid string"),
        ("[api]\nbetas = 1", "api.betas = 1 (from batchd.toml): should be a list"),
        ("[api]\nbetas = [1]", "api.betas = 1 (from batchd.toml): should be a valid string"),
        ("inbox = 1", "inbox = 1 (from batchd.toml): should be the path of a folder"),
        ('inbox = "~nobody-of-this-name/in"', "should begin with the home of a user who exists"),
        ("models = 1", "models = 1 (from batchd.toml): should be a table"),
        ("[models]\nx = 1", "models.x = 1 (from batchd.toml): should be a table"),
        ("[models.x]\nwindow = 0", "models.x.window = 0 (from batchd.toml): should be greater than or equal to 1"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_what_would_do(toml: str, expected: str) -> None:
    (line,) = complaint(toml=toml).splitlines()
    assert expected in line


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("budget.per_day=0.1", Decimal("0.1")),
        ("retry.max_attempts=1_0", 10),
        ("retry.max_attempts= 7.0 ", 7),
        ("intake.force_polling=Yes", True),
        ("intake.force_polling=0", False),
        ("api.timeout=1e3", 1000.0),
        ("models.x.long_output=off", False),
    ],
)
def test_a_value_may_be_written_as_text(said: str, expected: object) -> None:
    key, _, text = said.partition("=")
    value: object = text
    for part in reversed(key.split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    found: object = load_settings(value, None)
    for part in key.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == expected
    assert type(found) is type(expected)


def test_a_broken_file_is_named_with_the_line() -> None:
    assert complaint(toml="inbox = \n") == "batchd.toml is not TOML: Invalid value (at line 1, column 9)"


def test_no_name_is_a_setting_that_is_not_told_of() -> None:
    assert "_cli_parse_args (from batchd.toml): there is no such setting" in complaint(toml='_cli_parse_args = "true"')


def test_a_key_in_the_wrong_place_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHD_API__KEY", "canary-1")
    monkeypatch.setenv("BATCHD_API_KEY", "canary-2")
    monkeypatch.setenv("BATCHD_API__BASE_URL", "sk-ant-canary-3")
    monkeypatch.setenv("BATCHD_API__BETAS", "https://user:canary-4@host")
    assert "canary" not in complaint()


@pytest.mark.parametrize(
    "places",
    [
        {"outbox": "inbox"},
        {"outbox": "inbox/done"},
        {"state": "./outbox/../inbox/.state"},
        {"inbox": ".batchd/inbox"},
        {"state": ".."},
        {"outbox": "link/out"},
    ],
)
def test_no_folder_may_be_another_or_lie_in_it(places: dict[str, object], nowhere: Path) -> None:
    (nowhere / "inbox").mkdir()
    (nowhere / "link").symlink_to("inbox")
    text = complaint(places)
    assert next(iter(places)) in text
    assert "give it a place of its own" in text


@pytest.mark.parametrize("folder", ["..", "inbox", "outbox/job/documents", ".batchd/spool", "link"])
def test_what_others_asked_and_were_answered_cannot_be_attached(folder: str, nowhere: Path) -> None:
    (nowhere / "link").symlink_to("outbox")
    text = complaint({"attach": {"folders": ["code", folder]}})
    assert text.startswith(f"attach.folders ({folder}) should not be ")
    assert "list the folders of what is to be attached alone" in text


def test_folders_to_attach_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("batchd.toml").write_text('[attach]\nfolders = ["code", "~/notes"]\n')
    assert load_settings({}, None).attach.folders == (Path("code"), Path("~/notes").expanduser())
    monkeypatch.setenv("BATCHD_ATTACH__FOLDERS", "one, two")
    assert load_settings({}, None).attach.folders == (Path("one"), Path("two"))


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(AttributeError):
        settings.poll.max = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        settings.inbox = Path("other")  # type: ignore[misc]


def test_the_key_is_found_in_the_environment_then_in_the_credentials(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_api_key() is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(nowhere))
    assert find_api_key() is None
    file = nowhere / "anthropic-api-key"
    file.write_text("  from-file\n")
    assert find_api_key() == "from-file"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-environment")
    assert find_api_key() == "from-environment"
    assert "from-environment" not in repr(load_settings({}, None))


def test_a_key_that_is_not_text_is_unusable(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(nowhere))
    (nowhere / "anthropic-api-key").write_bytes(b"\xff\xfe")
    with pytest.raises(Unusable, match="cannot be a key"):
        find_api_key()


@pytest.mark.parametrize("setting", list(describe()), ids=lambda setting: setting.key)
def test_every_setting_is_explained_in_the_docs_with_its_default(setting: Setting) -> None:
    rows = [line.split(" | ") for line in DOCS.read_text().splitlines() if line.startswith(f"| `{setting.key}` |")]
    assert len(rows) == 1
    _, _, default, variable, meaning = rows[0]
    assert default == in_toml(setting.default)
    assert variable == f"`{setting.env}`"
    assert meaning.removesuffix(" |") == setting.description


def in_toml(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return f"`{list(value)}`"
        case str() | Path():
            return f'`"{value}"`'
        case _:
            return f"`{value}`"


def test_the_docs_name_no_setting_that_is_not_there() -> None:
    named = {line.split("`")[1] for line in DOCS.read_text().splitlines() if line.startswith("| `")}
    assert named == {setting.key for setting in describe()}
