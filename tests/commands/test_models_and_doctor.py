"""`edgevoice models` and `edgevoice doctor`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.command_line import Cli, one_sentence
from tests.tiny import LABELS, tiny_bundle


class TestModels:
    """`edgevoice models`."""

    def test_own_models_are_known_by_name(self, cli: Cli, recording: Path) -> None:
        """A folder under the data folder can be named everywhere."""
        own = cli.home / "data" / "edgevoice" / "models" / "mine"
        tiny_bundle(own)
        listed = json.loads(cli("models", "list", "--json").stdout)
        assert "mine" in [row["name"] for row in listed]
        assert cli("transcribe", recording, "--model", "mine").stdout.startswith(b"one")
        assert json.loads(cli("models", "info", "mine", "--json").stdout)["labels"] == list(LABELS)
        assert cli("models", "verify", "mine").returncode == 0

    def test_the_bundled_reader_is_one_of_them(self, cli: Cli) -> None:
        """Listed beside the model, shown as what it is, whole, and not run as what captions."""
        listed = {row["name"]: row for row in json.loads(cli("models", "list", "--json").stdout)}
        assert [row["kind"] for row in listed.values()] == ["shared", "reader"]
        assert listed["moonshine-tiny"]["language"] == "en"
        assert b"moonshine-tiny        reader, en\n" in cli("models", "list").stdout
        shown = cli("models", "info", "moonshine-tiny").stdout.decode()
        for line in ("kind: * reader", "architecture: * moonshine", "precisions: * int8", "licence: * MIT"):
            assert re.search(line, shown), line
        assert "vocabulary" not in shown
        assert cli("models", "verify", "moonshine-tiny").returncode == 0
        refused = cli("models", "rm", "moonshine-tiny", "--yes")
        assert (refused.returncode, "comes with edgevoice" in one_sentence(refused)) == (2, True)

    def test_a_reader_captions_nothing(self, cli: Cli, recording: Path) -> None:
        """It is named as a reader, not as the model."""
        result = cli("transcribe", recording, "--model", "moonshine-tiny")
        assert (result.returncode, result.stdout) == (1, b"")
        assert "is a reader" in one_sentence(result)


class TestDoctor:
    """`edgevoice doctor`."""

    def test_each_line_has_a_state_and_a_way_out(self, cli: Cli) -> None:
        """No microphone is a warning: recordings work without one."""
        cli.extra = {"PULSE_SERVER": "unix:/nonexistent"}
        result = cli("doctor", "--json", "--model", cli.model)
        checks = {check["name"]: check for check in json.loads(result.stdout)}
        assert result.returncode == 0, checks
        assert checks["microphone"]["status"] in ("pass", "warn")
        assert checks["provider"]["status"] in ("pass", "warn")
        for check in checks.values():
            assert check["status"] == "pass" or check["remedy"]
        assert cli("doctor", "--model", cli.model).stdout.decode().startswith("pass  configuration")

    def test_a_damaged_model_fails(self, cli: Cli, tmp_path: Path) -> None:
        """Exit code 1, and the line says what to do."""
        result = cli("doctor", "--json", "--model", tmp_path / "nothing")
        checks = {check["name"]: check for check in json.loads(result.stdout)}
        assert result.returncode == 1
        assert checks["model"]["status"] == "fail"
        assert checks["model"]["remedy"]

    def test_both_runtimes_are_a_trap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """onnxruntime and onnxruntime-gpu share one folder."""
        from edgevoice.commands import checks

        monkeypatch.setattr(checks, "version", lambda name: "1.31.1")
        found = checks.check_runtime()
        assert found.status == "fail"
        assert "pip uninstall" in found.remedy

    def test_an_action_that_could_not_run_fails(self, cli: Cli) -> None:
        """As it would when somebody speaks."""
        file = cli.home / "config" / "edgevoice" / "config.toml"
        file.parent.mkdir(parents=True)
        file.write_text("[[actions]]\nintent = '*'\nrun = ['no-such-program']\n")
        result = cli("doctor", "--json")
        checks = {check["name"]: check for check in json.loads(result.stdout)}
        assert result.returncode == 1
        assert checks["actions"]["status"] == "fail"
        assert "no program 'no-such-program', which action 1" in checks["actions"]["detail"]

    def test_a_wrong_file_of_settings_fails(self, cli: Cli) -> None:
        """The rest is checked all the same."""
        file = cli.home / "config" / "edgevoice" / "config.toml"
        file.parent.mkdir(parents=True)
        file.write_text("[vad]\nagressiveness = 1\n")
        result = cli("doctor", "--json")
        first, *others = json.loads(result.stdout)
        assert result.returncode == 1
        assert first["status"] == "fail"
        assert "vad.aggressiveness" in first["remedy"]
        assert others
