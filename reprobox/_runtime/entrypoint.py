"""The image's ENTRYPOINT: ``python -I /opt/reprobox/entrypoint.py [@STAGE | PROGRAM] [ARGUMENT ...]``."""

import os
import sys

try:
    # -I leaves this folder out of the path. What follows is compiled once and kept, which a script never is.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from reprobox_runtime.command import INTERRUPTED, main
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
