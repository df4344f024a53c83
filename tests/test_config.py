"""Settings from file, environment and flags; what is wrong is named, with the way out."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import pytest

from edgevoice.config import ActionSettings, Settings
from edgevoice.config_file import ACTION_VARIABLES, RANGES, field_types, load_settings, variable
from edgevoice.config_text import documented
from edgevoice.config_values import SECRET, as_toml, without_secrets
from edgevoice.errors import ConfigError

RUN = "[[actions]]\nintent = 'a'\nrun = ['true']"
HOOK = "[[actions]]\nintent = 'a'\nwebhook = 'https://example.org'"


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A file that does not exist."""
    return tmp_path / "none.toml"


def test_without_anything_the_defaults_hold(nowhere: Path) -> None:
    """No file, no variables, no flags."""
    assert load_settings(environment={}, file=nowhere) == Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """Defaults < file < environment < flags, each setting by itself."""
    file = tmp_path / "config.toml"
    file.write_text('model = "file"\n[vad]\naggressiveness = 0\nhangover_s = 1\n[asr]\nthreads = 3\n')
    environment = {"EDGEVOICE_VAD_AGGRESSIVENESS": "1", "EDGEVOICE_ASR_THREADS": "5", "EDGEVOICE_INTENT_EARLY": "off"}
    settings = load_settings({"asr.threads": 7, "model": None}, environment=environment, file=file)
    assert settings.model == "file"
    assert settings.vad.hangover_s == 1.0
    assert settings.vad.aggressiveness == 1
    assert settings.asr.threads == 7
    assert settings.intent.early is False


def test_every_setting_can_be_set_in_the_environment(nowhere: Path) -> None:
    """No two settings share a variable, and each takes its own default back."""
    names = field_types()
    assert len({variable(name) for name in names}) == len(names)
    environment = {}
    for name in names:
        section, _, key = name.rpartition(".")
        default = getattr(getattr(Settings(), section) if section else Settings(), key)
        environment[variable(name)] = default if isinstance(default, str) else as_toml(default)
    assert load_settings(environment=environment, file=nowhere) == Settings()


def test_every_number_has_a_range() -> None:
    """A new number cannot be forgotten, and the defaults are in range."""
    numbers = {key.name for each in documented() for key in each.keys if key.annotation in (int, float)}
    assert numbers == set(RANGES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[vad]\nagressiveness = 1", "'vad.agressiveness'.*'vad.aggressiveness'"),
        ("[vda]\nthreshold = 1", "'vda.threshold'.*'vad.threshold'"),
        ("mdoel = 'x'", "'mdoel'.*'model'"),
        ("vad = 3", "'vad' .* is a section"),
        ("[vad]\naggressiveness = 4", "is 4, and it must be between 0 and 3"),
        ("[vad]\naggressiveness = 1.5", "must be a whole number"),
        ("[vad]\naggressiveness = true", "is true, and it must be a whole number"),
        ("[vad]\nhangover_s = -1", "must be between"),
        ("[vad]\nhangover_s = nan", "must be between"),
        ("[audio]\nqueue_seconds = inf", "must be between"),
        ("[asr]\nhop_s = '1'", "must be a number"),
        ("[asr]\nprovider = 'gpu'", "must be one of: auto, cuda, tensorrt, cpu"),
        ("[intent]\nearly = 'yes'", "must be true or false"),
        ("model = 3", "must be text"),
        ("actions = 3", "'actions' in .*line 1, is 3, and it must be an array of tables"),
        (
            "[actions]\nintent = 'a'",
            "'actions' in .*line 1, is a table, and .* array of tables.* Write \\[\\[actions\\]\\]",
        ),
        ("[serve]\naddress = 'foo'", "'serve.address' in .*line 2, is 'foo', and it must be HOST:PORT"),
        ("[files]\nchannel_names = 'you'", "'files.channel_names' in .*line 2, is 'you', .* two different names"),
        ("actions = ['a']", "'actions' in .*line 1, is 'a', and it must be a table"),
        (f"{RUN}\nretry = 1", "no setting 'retry' .*line 4.. The nearest name is 'retries'"),
        (f"{RUN}\n{RUN}\ncooldown_s = -1", "'actions.cooldown_s' in .*line 7, is -1, and .* between 0 and 86400"),
        (f"{RUN}\nminimum_score = '1'", "'actions.minimum_score' in .*line 4, .* must be a number"),
        (f"{RUN}\nchannel = 'me'", "'actions.channel' .*line 4, .* must be one of: any, you, them"),
        (f"{RUN}\nearly = 1", "'actions.early' in .*line 4, .* must be true or false"),
        ("[[actions]]\nnotify = 'a'", "'actions' in .*line 1, has no 'intent'"),
        ("[[actions]]\nintent = 'a'\nrun = 'say hello'", "'actions.run' in .*line 3, .* must be a list"),
        ("[[actions]]\nintent = 'a'\nrun = ['a', 1]", "'actions.run' in .*line 3, is 1, and it must be text"),
        ("[vad\n", "cannot be read.*line 1"),
        ("# here\n\n[vad]\naggressiveness = 4", "line 4, is 4"),
        ("\n[vad]\n\nagressiveness = 4", "line 4"),
        ("model = 'x'\n[vad]\n[nothing]", "'nothing'.*line 3"),
        ("[vad]\nthreshold = [1,\n2]", "line 2, is .1, 2., and it must be a number"),
        ("[model]\nname = 'x'", "'model.name'.*line 2.*nearest name is 'model'"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    """The sentence names the file, the setting and what it should be."""
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(environment={}, file=file)
    assert "config.toml" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("EDGEVOICE_VAD_TRESHOLD", "0.5", "nearest name is 'EDGEVOICE_VAD_THRESHOLD'"),
        ("EDGEVOICE_MODLE", "x", "nearest name is 'EDGEVOICE_MODEL'"),
        ("EDGEVOICE_VAD_THRESHOLD", "high", "must be a number"),
        ("EDGEVOICE_ASR_THREADS", "2.5", "must be a whole number"),
        ("EDGEVOICE_ASR_THREADS", "0", "between 1 and"),
        ("EDGEVOICE_INTENT_EARLY", "maybe", "must be true or false"),
        ("EDGEVOICE_SERVE_ADDRESS", "8080", "EDGEVOICE_SERVE_ADDRESS is '8080', and it must be HOST:PORT"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(nowhere: Path, key: str, value: str, message: str) -> None:
    """Variables are checked like the file."""
    with pytest.raises(ConfigError, match=message):
        load_settings(environment={key: value}, file=nowhere)


def test_other_variables_with_the_prefix_are_left_alone(nowhere: Path) -> None:
    """Scripts and tests may have variables of their own."""
    environment = {"EDGEVOICE_REQUIRE_RIG": "1", "EDGEVOICE_DEBUG": "1", "EDGEVOICE_CONFIG": "x", "HOME": "/"}
    assert load_settings(environment=environment, file=nowhere) == Settings()


@pytest.mark.parametrize(("name", "value"), [("asr.provider", "gpu"), ("vad.aggressiveness", 9)])
def test_wrong_flags_are_named(nowhere: Path, name: str, value: Any) -> None:
    """Flags are checked like the file."""
    with pytest.raises(ConfigError, match=f"--{name.split('.')[1]} is"):
        load_settings({name: value}, environment={}, file=nowhere)


def test_a_file_that_was_asked_for_must_exist(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    """A typing error in EDGEVOICE_CONFIG is not taken for "no settings"."""
    monkeypatch.setenv("EDGEVOICE_CONFIG", str(nowhere))
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_settings(environment={})


def test_edgevoice_config_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """EDGEVOICE_CONFIG wins over the XDG folder, which is the default."""
    chosen = tmp_path / "mine.toml"
    chosen.write_text("[asr]\nthreads = 9\n")
    standard = tmp_path / "xdg" / "edgevoice" / "config.toml"
    standard.parent.mkdir(parents=True)
    standard.write_text("[asr]\nthreads = 8\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("EDGEVOICE_CONFIG", raising=False)
    assert load_settings(environment={}).asr.threads == 8
    monkeypatch.setenv("EDGEVOICE_CONFIG", str(chosen))
    assert load_settings(environment={}).asr.threads == 9


def test_actions_are_tables_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Each key as it stands there, the others at their defaults; secrets are not shown by accident."""
    file = tmp_path / "config.toml"
    file.write_text(f"{RUN}\ncooldown_s = 5\n{HOOK}\nsecret = 'sesame'\n[[actions]]\nintent = '*'\nnotify = 'Hello'\n")
    first, second, third = load_settings(environment={}, file=file).actions
    assert first == ActionSettings(intent="a", run=("true",), cooldown_s=5.0)
    assert (second.webhook, second.secret, second.retries) == ("https://example.org", "sesame", 3)
    assert (third.intent, third.notify) == ("*", "Hello")
    assert "sesame" not in repr(second)


def test_every_number_of_an_action_has_a_range() -> None:
    """As for the other settings."""
    numbers = {name for name, kind in typing.get_type_hints(ActionSettings).items() if kind in (int, float)}
    assert {f"actions.{name}" for name in numbers} == {name for name in RANGES if name.startswith("actions.")}


def test_what_an_action_is_told_is_no_setting(nowhere: Path) -> None:
    """The program of an action may be edgevoice itself."""
    assert load_settings(environment=dict.fromkeys(ACTION_VARIABLES, "x"), file=nowhere) == Settings()


def test_secrets_are_not_shown(nowhere: Path) -> None:
    """Only that they are set."""
    nowhere.write_text(f"[serve]\ntoken = 'open sesame'\n{HOOK}\nsecret = 'sesame'")
    settings = without_secrets(load_settings(environment={}, file=nowhere))
    assert "sesame" not in as_toml(settings)
    assert (settings.serve.token, settings.actions[0].secret) == (SECRET, SECRET)
    assert settings.actions[0].webhook == "https://example.org"
    assert without_secrets(Settings()) == Settings()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@Example.org:8443/services/KEY?token=KEY#KEY", "https://example.org/..."),
        ("https://example.org?KEY", "https://example.org/..."),
        ("example.org/KEY", SECRET),
        ("https://[::1/KEY", SECRET),
        ("", ""),
    ],
)
def test_of_an_address_the_host_is_shown(url: str, shown: str) -> None:
    """User, path and query often are secrets."""
    action = ActionSettings(intent="a", webhook=url)
    assert without_secrets(action).webhook == shown
    assert "KEY" not in repr(action)
