"""The containers of an engine that belong to a test: other tests may use the same engine at the same time."""

import os

import docker


def open_client(environ=None):
    """Connect to the engine that this environment names, or else our own."""
    return docker.APIClient((environ or {}).get("DOCKER_HOST") or os.environ.get("DOCKER_HOST"), timeout=60)


def list_containers(folder, environ=None):
    """Return the containers, ended ones included, that have something below ``folder`` in them."""
    return [
        one["Id"]
        for one in open_client(environ).containers(all=True)
        if any(mount.get("Source", "").startswith(str(folder)) for mount in one["Mounts"])
    ]
