"""Giving a checkpoint away: `--push-to-hub OWNER/NAME`. The token stays where huggingface_hub keeps it."""

from __future__ import annotations

import logging
from pathlib import Path

from edgevoice.errors import EdgeVoiceError, UsageError
from edgevoice.text import plain
from training import network
from training.config import RECORD

logger = logging.getLogger(__name__)

KEPT_BACK = ["checkpoint-*/*", ".saving-*/*", "tensorboard/*", "*.bin", "*.pt", "*.pth", RECORD]
"""What is of use for going on with the run only: pickles among it, and paths of this machine."""


class HubError(EdgeVoiceError):
    """The hub cannot be reached or refuses."""


def check_login(name: str) -> None:
    """Raises UsageError before the training, not after it, where a push would fail for want of a name that the hub
    takes, of a network or of a token."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError:
        raise UsageError(
            f"'{plain(name)}' is no name of a repository",
            "Write --push-to-hub OWNER/NAME in letters, digits, '-', '_' and '.'",
        ) from None
    if network.off():
        raise UsageError(
            "The hub cannot be reached, so that the run could not be pushed to it",
            "Train without --push-to-hub; the same command with it, once there is a network, pushes the finished run",
        )
    if not get_token():
        raise UsageError("Nobody is logged in to the hub", "Log in with: hf auth login")


def push(folder: Path, name: str) -> str:
    """Uploads a run's folder, private where it is new, and returns its address.

    Raises:
        HubError: the hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        address = api.create_repo(name, private=True, exist_ok=True)
        api.upload_folder(
            folder_path=folder,
            repo_id=address.repo_id,
            commit_message="Trained with edgevoice",
            ignore_patterns=KEPT_BACK,
        )
    except (OSError, ValueError) as error:  # of the network, of the hub (requests), of a name it does not like
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise HubError(
            f"The run could not be pushed to the hub: {plain(reason)}",
            f"It is safe in {folder}; the same command pushes it, without training again",
        ) from None
    return str(address)
