"""Run a container until a signal comes; started by the tests as a process of its own."""

import os
import signal
import sys

from reprobox.engines.base import ContainerSpec
from reprobox.engines.docker import connect
from reprobox.errors import Interrupted


def main(image, label, script):
    # A shell starts background jobs with SIGINT ignored; a terminal's foreground job has Python's handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    spec = ContainerSpec(image, argv=("/bin/sh", "-c", script), labels={label: "1"})
    try:
        connect(os.environ).run_container(spec, lambda stream, data: os.write(1, data))
    except Interrupted as error:
        print(f"interrupted: {error.message}", flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
