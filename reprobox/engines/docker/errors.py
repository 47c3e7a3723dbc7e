"""Turn what the Docker SDK and its sockets raise into one EngineError that says what to do."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests
import urllib3

from reprobox.engines.base import EngineGone
from reprobox.errors import EngineError

_LOST = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
)
_HINTS = (
    (
        "no space left on device",
        "free some disk where the engine keeps its data (`docker system df` shows what uses it)",
    ),
    ("could not select device driver", "install the NVIDIA container toolkit on the engine's machine and restart it"),
    ("nvidia-container-cli", "check that `nvidia-smi` works on the engine's machine"),
    ("cdi device injection failed", "check that `nvidia-smi` works on the engine's machine, and its files in /etc/cdi"),
    ("range of cpus is from", "ask for fewer CPUs in `resources`"),
    ("error setting rlimit type 7", "the engine itself may not open as many files: ask for fewer (limits.open_files)"),
    (
        "error setting rlimit",
        "the engine itself may not have as much: start it with CAP_SYS_RESOURCE, or higher limits",
    ),
    ("minimum memory limit", "ask for more memory in `resources`"),
    ("bind source path does not exist", "the engine cannot see that folder; does it run on another machine?"),
    ("docker-init", "install the engine's init binary (Debian: tini)"),
)


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Raise ``EngineError`` ("``what``: …") for whatever the SDK raises inside the block."""
    try:
        yield
    except docker.errors.APIError as error:
        raise refusal(what, str(error.explanation or error)) from error
    except docker.errors.DockerException as error:
        raise EngineError(f"{what}: {error}") from error
    except _LOST as error:
        raise EngineGone(
            f"{what}: the container engine stopped answering ({_innermost(error)})",
            hint="see whether it still runs (`docker info`) and what its log says, then do the same again",
        ) from error


def refusal(what: str, explanation: str) -> EngineError:
    """Make the error for something the engine said no to."""
    text = " ".join(explanation.split())
    hint = next((hint for mark, hint in _HINTS if mark in text.lower()), None)
    return EngineError(f"{what}: the container engine says: {text}", hint=hint)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and everything it came from, through causes, contexts and wrapped arguments."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        linked = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        waiting.extend(one for one in linked if isinstance(one, BaseException))


def _innermost(error: BaseException) -> str:
    *_, last = causes(error)
    return str(last) or type(last).__name__
