"""Images in the engine: find, load, tag, remove, pull, save."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import docker
import docker.errors

from reprobox.engines.base import EngineImage
from reprobox.engines.docker.calls import fetch_stream, send_stream
from reprobox.engines.docker.errors import refusal, translate_errors
from reprobox.engines.owners import TEMPORARY_REPOSITORIES, is_temporary_gone
from reprobox.errors import EngineError

_MOST_INSPECTED = 200
_CREATED = 315_532_800
"""When every image of ours says it was made: ``layers.model.EPOCH``."""


class Images:
    """The image store of one engine."""

    def __init__(self, client: docker.APIClient) -> None:
        self._client: Any = client

    def find_image(self, reference: str) -> EngineImage | None:
        """Return the image that ``reference`` names here, or ``None``; never pulls."""
        with translate_errors(f"looking for the image {reference}"):
            try:
                found = self._client.inspect_image(reference)
            except docker.errors.NotFound:
                return None
        return EngineImage(found["Id"], tuple(found["RootFS"].get("Layers") or ()))

    def count_held_layers(self, diff_ids: Sequence[str], likely: str, *, ours_only: bool) -> int:
        """Return how many of the first ``diff_ids`` some image here already begins with.

        ``likely`` names an image to look at first; when that lacks the last layer only, no other is looked at.
        ``ours_only``: the containerd store may hold the layers of a pulled image in compressed form alone.
        """
        with translate_errors("listing images"):
            listed = self._client.images(all=False)
        listed = [one for one in listed if _is_ours(one) or not ours_only]
        listed.sort(key=lambda one: (likely in (one.get("RepoTags") or ()), _is_ours(one)), reverse=True)
        most = 0
        for index, one in enumerate(listed[:_MOST_INSPECTED]):
            image = self.find_image(one["Id"])
            most = max(most, _common_prefix(image.diff_ids, diff_ids)) if image else most
            if most >= len(diff_ids) - (index == 0 and likely != ""):
                break
        return most

    def is_whole(self, reference: str) -> bool:
        """Whether every byte is here: the engine finds, but does not list, an image with a blob missing."""
        with translate_errors("listing images"):
            return bool(self._client.images(reference))

    def load_archive(self, chunks: Iterable[bytes]) -> None:
        """Load an archive in the ``docker save``/OCI layout; raise ``EngineError`` when the engine refuses."""
        with translate_errors("loading the image"):
            # quiet: an engine that writes progress nobody reads while it is still being sent to would block.
            messages = send_stream(self._client, "POST", "/images/load", data=chunks, params={"quiet": 1})
        _raise_reported(messages, "loading the image")

    def tag_image(self, reference: str, tag: str) -> None:
        """Give an image another name."""
        repository, _, name = tag.rpartition(":")
        with translate_errors(f"tagging {reference} as {tag}"):
            self._client.tag(reference, repository or tag, name if repository else None)

    def remove_image(self, reference: str) -> None:
        """Forget a name; remove the image when it was the last one. Absent is fine."""
        with translate_errors(f"removing the image {reference}"), suppress(docker.errors.NotFound):
            self._client.remove_image(reference)

    def sweep(self) -> None:
        """Remove the temporary images whose process was killed before it could."""
        with translate_errors("listing images"):
            found = self._client.images(filters={"reference": list(TEMPORARY_REPOSITORIES)})
        for name in (name for one in found for name in one.get("RepoTags") or ()):
            if is_temporary_gone(name):
                with suppress(EngineError):  # two builds may sweep at once, and tidying never fails a command
                    self.remove_image(name)

    def pull_image(self, reference: str) -> str:
        """Pull from a registry; return ``name@sha256:…``."""
        what = f"pulling {reference}"
        with translate_errors(what):
            _raise_reported(tuple(self._client.pull(reference, stream=True, decode=True)), what)
            digests = self._client.inspect_image(reference).get("RepoDigests") or ()
        for digest in digests:
            if _repository(digest) == _repository(reference):
                return str(digest)
        raise refusal(what, f"pulled, but no digest is known for it: {', '.join(digests)}")

    def save_image(self, reference: str) -> Iterator[bytes]:
        """Yield the image as a ``docker save`` archive."""
        with translate_errors(f"reading the image {reference}"):
            yield from fetch_stream(self._client, "/images/{0}/get", reference)


def _raise_reported(messages: Iterable[dict[str, Any]], what: str) -> None:
    """Raise the failure among an engine's messages: it reports them there, after a 200."""
    for message in messages:
        error = message.get("error") or (message.get("errorDetail") or {}).get("message")
        if not error and "error unpacking image" in str(message.get("stream", "")).lower():
            error = message["stream"]  # some versions with the containerd store go on after this
        if error:
            raise refusal(what, str(error))


def _is_ours(listed: dict[str, Any]) -> bool:
    return bool(listed["Created"] == _CREATED)


def _common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (left, right) in pairs if left != right), min(len(one), len(other)))


def _repository(reference: str) -> str:
    """Return a reference's name alone, in full: "debian:12" is "docker.io/library/debian"."""
    name, _, _ = reference.partition("@")
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    host, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in host or ":" in host or host == "localhost" else f"docker.io/{name}"
