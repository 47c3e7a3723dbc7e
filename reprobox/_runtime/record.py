"""What one process writes about itself: a small JSON file, whole at every moment, never in the program's way."""

import _thread
import os

from .contract import SCHEMA_VERSION
from .jsontext import format_json

_MOST_NAMES = 10000
# A reader takes a quarter of a megabyte; a character may become six of them in JSON.
_MOST_WARNINGS = 50
_MOST_ARGUMENTS = 40
_LONGEST_TEXT = 500


def cut_arguments(arguments):
    """Return a command line short enough for a record."""
    return [argument[:_LONGEST_TEXT] for argument in arguments[:_MOST_ARGUMENTS]]


class Record(object):
    """The fragment of one process, kept in memory and rewritten as a whole after each change worth keeping.

    No method raises: a record that cannot be written is a warning in the record.
    """

    def __init__(self, folder, facts):
        self.folder = folder
        self.path = None
        # Reentrant: a signal handler of the user may import a backend while a write is under way.
        self._lock = _thread.RLock()
        self._writing = False
        self._again = False
        self.data = dict(facts, schema_version=SCHEMA_VERSION, backends={}, switches={}, warnings=[], finished=False)

    def copy_for_fork(self, facts):
        """Return the record of a forked child, which starts from what its parent had set."""
        child = Record(self.folder, self.data)
        child.data.update(
            backends={name: dict(entry) for name, entry in self.data["backends"].items()},
            switches={name: dict(entry) for name, entry in self.data["switches"].items()},
        )
        # The parent may have ended already, and forked on its way out.
        child.data.pop("overrides", None)
        child.data.pop("gpu", None)
        child.data.pop("libraries", None)
        child.data.update(facts)
        return child

    def update(self, section, name, entry):
        """Put one entry into "backends" or "switches"."""
        with self._lock:
            self.data[section][name] = entry

    def warn(self, text):
        """Keep a warning once."""
        text = text[:_LONGEST_TEXT]
        with self._lock:
            if text not in self.data["warnings"] and len(self.data["warnings"]) < _MOST_WARNINGS:
                self.data["warnings"].append(text)

    def write(self):
        """Put the record on the disk as it is now; do nothing where no folder is named."""
        if not self.folder:
            return
        with self._lock:
            if self._writing:
                self._again = True
                return
            self._writing = True
            try:
                self._replace()
                if self._again:
                    self._replace()
            except Exception as error:
                self.warn("record not written: %s" % error)
            finally:
                self._writing = self._again = False

    def _replace(self):
        hidden = os.path.join(self.folder, ".%d.tmp" % os.getpid())
        _write_file(hidden, format_json(self.data).encode("ascii") + b"\n")
        if self.path is None:
            self.path = _publish(hidden, self.folder)
        else:
            os.rename(hidden, self.path)


def _write_file(path, content):
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        while content:
            content = content[os.write(handle, content) :]
    finally:
        os.close(handle)


def _publish(hidden, folder):
    """Move ``hidden`` to the first free name of this process; pids repeat, after exec and in the next container."""
    for number in range(_MOST_NAMES):
        path = os.path.join(folder, "%d-%d.json" % (os.getpid(), number))
        try:
            os.link(hidden, path)
        except FileExistsError:
            continue
        except OSError:
            # Some file systems have no hard links; then look before the leap.
            if os.path.lexists(path):
                continue
            os.rename(hidden, path)
        else:
            os.unlink(hidden)
        return path
    raise OSError("no free name for a record in %s" % folder)
