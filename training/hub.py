"""Giving a checkpoint away: `--push-to-hub OWNER/NAME`. The token stays where huggingface_hub keeps it."""

from __future__ import annotations

import logging
from pathlib import Path

from edgevoice.errors import EdgeVoiceError, UsageError

logger = logging.getLogger(__name__)

KEPT_BACK = ["checkpoint-*/*", ".saving-*/*", "tensorboard/*", "*.bin", "*.pt", "*.pth", "training.json"]
"""What is of use for going on with the run only: pickles among it, and paths of this machine."""


class HubError(EdgeVoiceError):
    """The hub cannot be reached or refuses."""


def check_login(name: str) -> None:
    """Raises UsageError before the training, not after it, where a push would fail for want of a token."""
    from huggingface_hub import get_token

    if name.count("/") > 1 or not name.strip("/"):
        raise UsageError(f"'{name}' is no name of a repository", "Write --push-to-hub OWNER/NAME")
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
            f"The run could not be pushed to the hub: {reason}", f"It is safe in {folder}; push it with: hf upload"
        ) from None
    return str(address)
