"""Run one container to its end: output as it comes, limits, signals, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import docker

from reprobox.engines.base import ContainerResult, ContainerSpec, EngineInfo
from reprobox.engines.docker.attach import attach_streams, read_frames
from reprobox.engines.docker.config import run_config
from reprobox.engines.docker.containers import Containers
from reprobox.engines.docker.memory import MemoryWatch
from reprobox.engines.ending import Ending, caught_signals, time_limit
from reprobox.engines.quota import watched_quotas
from reprobox.engines.usage import choose_user_limit, watched_memory
from reprobox.errors import EngineError, Interrupted


def run_container(
    client: docker.APIClient,
    containers: Containers,
    spec: ContainerSpec,
    on_output: Callable[[str, bytes], None],
    info: EngineInfo,
) -> ContainerResult:
    """Run ``spec`` to its end; the container is gone when this returns or raises."""
    if spec.mounts and not info.local:
        raise EngineError(
            "the container engine runs on another machine and cannot see this one's folders",
            hint="unset DOCKER_HOST (or `docker context use default`) to use the engine here",
        )
    quotas, users = (spec.fence.quotas, choose_user_limit(spec.fence, info)) if spec.fence else ((), None)
    # Where the engine holds no limits, somebody else has to.
    memory_limit = spec.fence.memory if spec.fence and not info.holds_limits else None
    with containers.create(run_config(spec, info, users)) as container:
        ending = Ending(partial(containers.send_signal, container))
        with (
            attach_streams(client, container) as output,
            caught_signals(ending),
            MemoryWatch(client, container) as memory,
        ):
            began = time.monotonic()
            containers.start(container)
            with (
                ending.possible(),
                time_limit(ending, spec.timeout),
                watched_quotas(ending, quotas),
                watched_memory(ending, containers.find_process(container) if memory_limit else 0, memory_limit),
            ):
                if info.holds_limits:  # else there is no account of the container's own
                    memory.start()
                for stream, data in read_frames(output):
                    on_output(stream, data)
                state = containers.wait(container)
                seconds = time.monotonic() - began
        ending.join()
        if ending.signal is not None:
            raise Interrupted(f"stopped by {ending.signal.name}")
    return ContainerResult(
        exit_code=int(state["ExitCode"]),
        seconds=seconds,
        out_of_memory=bool(state.get("OOMKilled")) or ending.out_of_memory,
        timed_out=ending.timed_out,
        peak_memory=memory.peak,
        stopped_for=ending.stopped_for,
    )
