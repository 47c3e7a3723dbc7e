"""Calls with long bodies and answers, which the SDK either limits to a minute or leaves open when cut short."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import docker

CHUNK = 1 << 20


def fetch_stream(
    client: docker.APIClient, path: str, *names: str, params: dict[str, Any] | None = None
) -> Generator[bytes, None, None]:
    """Yield the answer to a GET of ``path``, with ``names`` filled in; closing the iterator closes the connection.

    As it is: engines compress what they read out of containers when they may, which takes far longer than sending it.
    """
    sdk: Any = client
    plain = {"Accept-Encoding": "identity"}
    with sdk._get(sdk._url(path, *names), params=params, headers=plain, stream=True, timeout=None) as response:
        sdk._raise_for_status(response)
        yield from response.iter_content(CHUNK)


def send_stream(
    client: docker.APIClient, method: str, path: str, *names: str, data: Iterable[bytes], params: dict[str, Any]
) -> tuple[dict[str, Any], ...]:
    """Send ``data`` and return the JSON messages of the answer.

    No time limit: the engine answers when it has worked on the last byte.
    """
    sdk: Any = client
    call = {"POST": sdk._post, "PUT": sdk._put}[method]
    with call(sdk._url(path, *names), data=iter(data), params=params, stream=True, timeout=None) as response:
        sdk._raise_for_status(response)
        if not response.raw._fp.chunked:
            return ()
        return tuple(one for one in sdk._stream_helper(response, decode=True) if isinstance(one, dict))
