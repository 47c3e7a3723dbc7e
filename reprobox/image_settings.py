"""What an image's configuration says beside its layers: the same for our own image and for the Dockerfile."""

from __future__ import annotations

from dataclasses import dataclass

from reprobox.plan import Plan
from reprobox.runtime_files import RUNTIME_FOLDER

USER = "1000:1000"
"""Never root; whoever runs the container may choose another."""
WORKDIR = "/work"


@dataclass(frozen=True)
class ImageSettings:
    """Entrypoint, command and labels of a plan's image."""

    entrypoint: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    """Sorted; readable without running the image."""


def make_image_settings(plan: Plan) -> ImageSettings:
    """Return a plan's image settings; without a command of one's own the entrypoint runs every stage."""
    labels = {
        "reprobox.level": plan.level.value,
        "reprobox.lock": plan.lock_digest,
        "reprobox.name": plan.name,
        "reprobox.seed": str(plan.seed),
        "reprobox.spec": plan.spec_digest,
    }
    entrypoint = ("/opt/venv/bin/python", "-I", f"/{RUNTIME_FOLDER}/entrypoint.py")
    return ImageSettings(entrypoint, tuple(sorted(labels.items())))
