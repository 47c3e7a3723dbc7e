"""What every module of runs without a container needs of the machine."""

import os

import pytest

from reprobox.engines.local.isolation import choose_namespaces

LOCAL = (
    pytest.mark.network,
    pytest.mark.skipif(
        "mount" not in choose_namespaces(network=False) and not os.environ.get("CI"),
        reason="this machine gives nobody a user namespace",
    ),
)
