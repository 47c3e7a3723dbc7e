"""The image's ENTRYPOINT: ``python -I /opt/reprobox/entrypoint.py [@STAGE | PROGRAM] [ARGUMENT ...]``."""

import os
import sys

# -I leaves this folder out of the path. What follows is compiled once and kept, which a script never is.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from reprobox_runtime.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
