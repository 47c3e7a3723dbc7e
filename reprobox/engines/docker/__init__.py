"""The Docker Engine (and what speaks its API): the only package that imports the Docker SDK."""

from reprobox.engines.docker.connect import connect
from reprobox.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine", "connect"]
