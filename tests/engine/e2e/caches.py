"""Caches of a test's own that need no network: the downloads are links to the shared cache's."""

import os
import shutil
from pathlib import Path


def make_cache(folder, *parts):
    """Make a cache in ``folder`` with copies of the shared cache's ``parts`` and its downloads; return its variable."""
    shared = Path(os.environ["REPROBOX_CACHE"])
    for part in ("blobs", *parts):
        if (shared / part).exists():
            shutil.copytree(shared / part, folder / part, copy_function=link_or_copy, dirs_exist_ok=True)
    return {"REPROBOX_CACHE": str(folder)}


def link_or_copy(source, target):
    """Link a file of the cache, which nobody writes to; copy it to another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def flip_byte(path, position):
    """Change one byte of a file, which then has the size and the times that it had; links to it keep theirs."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def list_files(folder):
    """Every file below a folder, by its path there."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
