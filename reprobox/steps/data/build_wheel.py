"""Build a wheel of a source archive with what the environment has; it stands alone, and is sent as ``python -c`` too.

    python -c "<this text>" ARCHIVE          the archive from stdin, the wheel to stdout
    python build_wheel.py ARCHIVE FOLDER     the archive from a file, the wheel into a folder

Python 3.6 syntax, standard library only. The environment must have pip and what the archive is built with.
"""

# ruff: noqa
# mypy: ignore-errors

import os
import shutil
import subprocess
import sys

PLACE = "/var/cache/reprobox/sources"
"""Always the same: compilers write the path into what they make."""
PIP = ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--isolated"]
PIP += ["--disable-pip-version-check", "--wheel-dir", PLACE + "/wheel"]


def unpack(archive):
    """Return the one folder that is in the archive."""
    shutil.unpack_archive(archive, PLACE + "/unpacked")
    names = os.listdir(PLACE + "/unpacked")
    if len(names) != 1:
        sys.exit("%s has %d entries at its top instead of one folder" % (os.path.basename(archive), len(names)))
    return os.path.join(PLACE, "unpacked", names[0])


def build(archive):
    """Return the path of the wheel."""
    code = subprocess.call([sys.executable, "-m", "pip"] + PIP + [unpack(archive)], stdin=subprocess.DEVNULL, stdout=2)
    if code:
        sys.exit(1)
    (name,) = os.listdir(PLACE + "/wheel")
    return os.path.join(PLACE, "wheel", name)


def main(archive, folder=None):
    os.umask(0o022)
    os.makedirs(PLACE)
    try:
        if folder is None:
            archive = os.path.join(PLACE, os.path.basename(archive))
            with open(archive, "wb") as stream:
                shutil.copyfileobj(sys.stdin.buffer, stream)
            with open(build(archive), "rb") as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
        else:
            shutil.copy(build(archive), folder)
    finally:
        shutil.rmtree(PLACE)


main(*sys.argv[1:])
