"""The user's own models: what may be pulled and removed, and what `models list` says of damage."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.command_line import Cli, one_sentence, read_until, terminal
from tests.commands.test_usage import with_extensions
from tests.tiny import tiny_bundle


@pytest.fixture
def folder(cli: Cli) -> Path:
    """Where the user's models lie, with one in it."""
    made = cli.home / "data" / "edgevoice" / "models"
    tiny_bundle(made / "desk", precisions=("fp32", "int8"))
    return made


class TestRemove:
    """`edgevoice models rm`."""

    def test_a_model_goes_away_whole(self, cli: Cli, folder: Path) -> None:
        """And nothing else with it."""
        tiny_bundle(folder / "other")
        result = cli("models", "rm", "desk", "--yes")
        assert (result.returncode, result.stdout.decode()) == (0, f"removed\t{folder / 'desk'}\n")
        assert [path.name for path in folder.iterdir()] == ["other"]

    def test_a_damaged_one_goes_too(self, cli: Cli, folder: Path) -> None:
        """It is what one wants to be rid of."""
        (folder / "desk" / "edgevoice.json").write_text("{")
        assert cli("models", "rm", "desk", "--yes").returncode == 0
        assert not (folder / "desk").exists()

    def test_of_a_link_only_the_link_goes(self, cli: Cli, folder: Path, tmp_path: Path) -> None:
        """A model may lie on another disk."""
        tiny_bundle(tmp_path / "far")
        (folder / "near").symlink_to(tmp_path / "far")
        assert cli("models", "rm", "near", "--yes").returncode == 0
        assert not (folder / "near").is_symlink()
        assert (tmp_path / "far" / "model.onnx").is_file()

    def test_a_script_must_say_yes(self, cli: Cli, folder: Path) -> None:
        """Nobody can be asked."""
        result = cli("models", "rm", "desk")
        assert result.returncode == 2
        assert "Add --yes" in one_sentence(result)
        assert (folder / "desk").is_dir()

    @pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"\n", 1), (b"\x04", 1)], ids=["yes", "empty", "end"])
    def test_a_person_is_asked(self, cli: Cli, folder: Path, answer: bytes, code: int) -> None:
        """Whatever is not yes means no."""
        with terminal(80, 24) as (controller, inner):
            process = cli.in_terminal(inner, "models", "rm", "desk")
            assert b"desk? [y/N]" in read_until(controller, b"[y/N]", 20)
            os.write(controller, answer)
            assert process.wait(20) == code
        assert (folder / "desk").exists() == bool(code)

    def test_nothing_of_that_name(self, cli: Cli, folder: Path) -> None:
        """Exit code 1, as for every model that is not there."""
        for name in ("nothing", "", ".", "..", "desk/", "../models/desk", str(folder / "desk")):
            result = cli("models", "rm", name, "--yes")
            assert result.returncode == 1, name
            assert "There is no model" in one_sentence(result)
        assert (folder / "desk" / "model.onnx").is_file()

    def test_the_bundled_model_stays(self, cli: Cli) -> None:
        """By name and by folder; one of the user's own that has its name may go."""
        for name in ("banking-en", "models/banking-en", "moonshine-tiny", "models/moonshine-tiny"):
            result = cli("models", "rm", name, "--yes", cwd=Path(__file__).parents[2])
            assert result.returncode == 2
            assert "comes with edgevoice" in one_sentence(result)
        own = cli.home / "data" / "edgevoice" / "models" / "banking-en"
        tiny_bundle(own)
        assert cli("models", "rm", "banking-en", "--yes").returncode == 0
        assert not own.exists()

    def test_what_is_no_bundle_stays(self, cli: Cli, folder: Path) -> None:
        """A folder of something else, one with folders in it, a file."""
        (folder / "photos").mkdir()
        (folder / "photos" / "me.jpg").write_bytes(b"")
        tiny_bundle(folder / "work")
        (folder / "work" / "drafts").mkdir()
        (folder / "notes.txt").write_text("mine")
        for name in ("photos", "work", "notes.txt"):
            result = cli("models", "rm", name, "--yes")
            assert result.returncode == 2
            assert "is no bundle, and is left alone" in one_sentence(result)
            assert (folder / name).exists()


class TestList:
    """`edgevoice models list`."""

    def test_damage_that_can_be_told_without_hashing(self, cli: Cli, folder: Path) -> None:
        """A file that is missing, one too many, a manifest that cannot be read; the others are as ever."""
        for name in ("whole", "stranger", "unreadable"):
            tiny_bundle(folder / name)
        (folder / "desk" / "model.int8.onnx").unlink()
        (folder / "stranger" / "extra.bin").write_bytes(b"")
        (folder / "unreadable" / "edgevoice.json").write_text("{")
        rows = {row["name"]: row["error"] for row in json.loads(cli("models", "list", "--json").stdout)}
        assert "model.int8.onnx is missing" in rows["desk"]
        assert "extra.bin is not in its manifest" in rows["stranger"]
        assert "cannot be read" in rows["unreadable"]
        assert rows["whole"] == ""
        assert "model.int8.onnx is missing" in cli("models", "list").stdout.decode()


class TestPull:
    """`edgevoice models pull`, as far as it needs neither PyTorch nor a hub; see also tests/export/test_pull.py."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["desk"], "'desk' is no hub id"),
            (["a/b/c"], "is no hub id"),
            (["../desk/x"], "is no hub id"),
            (["https://hub/me/desk"], "is no hub id"),
            (["me/desk", "--intent", "desk"], "'desk' is no hub id"),
            (["me/desk"], "There is a model 'desk' already. Replace it with --force, or choose another --name"),
            (["me/banking-en"], "There is a model 'banking-en' already"),
            (["me/x", "--name", "../x"], "is no name of a model"),
            (["me/x", "--name", ".x"], "is no name of a model"),
            (["me/x", "--name", "photos", "--force"], "is no bundle, and is left alone"),
            (["me/x", "--name", "linked", "--force"], "is no bundle, and is left alone"),
        ],
    )
    def test_what_cannot_be_pulled_is_said_at_once(
        self, cli: Cli, folder: Path, arguments: list[str], said: str
    ) -> None:
        """Exit code 2, before anything heavy is loaded."""
        (folder / "photos").mkdir()
        (folder / "linked").symlink_to(folder / "desk")
        result = cli("models", "pull", *arguments)
        assert result.returncode == 2
        assert said in one_sentence(result)

    def test_a_folder_that_is_here_is_for_export(self, cli: Cli, tmp_path: Path) -> None:
        """It needs no pulling."""
        (tmp_path / "runs" / "mine").mkdir(parents=True)
        result = cli("models", "pull", "runs/mine", cwd=tmp_path)
        assert result.returncode == 2
        assert "edgevoice export runs/mine --output" in one_sentence(result)

    def test_a_models_folder_that_cannot_be_made(self, cli: Cli) -> None:
        """For example on a disk that is read only."""
        (cli.home / "data").write_text("no folder")
        result = cli("models", "pull", "me/x")
        assert result.returncode == 2
        assert "XDG_DATA_HOME" in one_sentence(result)

    def test_without_the_extra_it_says_how_to_install_it(self, cli: Cli) -> None:
        """And which command wants it."""
        result = with_extensions(cli, "[]", ["models", "pull", "me/x"])
        assert result.returncode == 2
        assert "'edgevoice models pull' needs" in one_sentence(result)
        assert "pip install 'edgevoice[export]'" in one_sentence(result)
