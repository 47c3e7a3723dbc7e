"""What may make two runs differ, noted while the program runs, with the line of the user's code it comes from."""

import os
import sys
import time

KINDS = (
    "unseeded-generator",
    "os-entropy",
    "clock-seed",
    "listing-order",
    "hash-order",
    "thread-count",
    "network",
    "nondeterministic-kernel",
    "reseeded",
    "switch-flipped",
    "completion-order",
)
"""The words that ``note`` takes."""
USER, STANDARD, LIBRARY, RUNTIME, IMPORT, NEUTRAL = range(6)
"""Whose code a frame runs. ``IMPORT`` is the import system, ``NEUTRAL`` what a library has generated."""

_MOST_ENTRIES = 200
_MOST_CALLS = 1000
_LONGEST_DETAIL = 200
_DEEPEST = 200
_STANDARD_FOLDER = os.path.dirname(os.__file__) + os.sep
_RUNTIME_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


class _Notes(object):
    """This process's suspects: the list in its record, and the way to an entry of it."""

    record = None
    entries = {}
    calls = {}
    root = ""
    seeded = frozenset()


_notes = _Notes()
_owners = {}
_names = {}


def start_notes(record):
    """Put what is noted from now on into ``record``; a forked child starts with none."""
    _notes.entries = {}
    _notes.calls = {}
    _notes.record = record
    try:
        _notes.root = _notes.root or os.getcwd() + os.sep
    except OSError:
        # The folder may be gone already: places are then given by their whole path.
        _notes.root = ""
    record.data["suspects"] = []


def note(kind, detail=""):
    """Note a suspect at the nearest frame of the user's code; never raise.

    Nothing is noted before ``start_notes``, for what a library does while it is being imported, nor for what the
    standard library does for its own sake: ``tempfile`` has an unseeded generator for the names of its files.
    """
    try:
        if _notes.record is not None:
            frame = sys._getframe(1)
            where = None if _is_own_business(frame) else find_place(frame)
            if where is not None:
                note_at(kind, where, detail)
    except Exception:
        # A suspect lost is better than a program disturbed.
        pass


def note_at(kind, where, detail=""):
    """Note a suspect at a place that is known already; "" for the process as a whole."""
    try:
        entry = _notes.entries.get((kind, where))
        if entry is not None:
            entry["count"] += 1
        elif _notes.record is not None and len(_notes.entries) < _MOST_ENTRIES:
            entry = {"kind": kind, "where": where, "count": 1, "detail": str(detail)[:_LONGEST_DETAIL]}
            _notes.entries[(kind, where)] = entry
            _notes.record.data["suspects"].append(entry)
            # At once, and not at the end: the process may be killed.
            _notes.record.write()
    except Exception:
        pass


def count_again(kind, frame):
    """Whether ``note_call`` has noted this very call of the user's code before; count it then.

    A loop may make it a million times. Not by line and code object: to find the one and to hash the other takes longer
    than all the rest.
    """
    known = _notes.calls.get((kind, id(frame.f_code), frame.f_lasti))
    if known is None:
        return False
    known[0]["count"] += 1
    return True


def note_call(kind, frame, through, detail):
    """Note a call that the user's code makes itself, or through the standard library's modules ``through``."""
    where = find_direct_place(frame, through)
    if where is None:
        return
    note_at(kind, where, detail)
    entry = _notes.entries.get((kind, where))
    if entry is not None and find_owner(frame) == USER and len(_notes.calls) < _MOST_CALLS:
        # The code is kept with it, so that no other one gets its id.
        _notes.calls[(kind, id(frame.f_code), frame.f_lasti)] = (entry, frame.f_code)


def note_seed(function, value, given=False):
    """Note that the user's code seeds a generator: where the seed comes from decides what kind of suspect that is.

    ``function`` is the public name of what was called, ``value`` its argument; None means entropy, unless the runtime
    has ``given`` it a stream: then the words are those for generators that are made without a seed.
    """
    try:
        mark_seeded(function)
        if value is None:
            words = "without a seed" if given else "takes its seed from the operating system"
            note("unseeded-generator", "%s() %s" % (function, words))
            return
        source = find_changing_source(value)
        if source:
            note("clock-seed", "%s was given %s" % (function, source))
        else:
            note("reseeded", "%s(%s)" % (function, repr(value)[:60]))
    except Exception:
        pass


def mark_seeded(function):
    """Keep in mind that the user's code has called a function that seeds."""
    _notes.seeded = _notes.seeded.union((function,))


def forget_seeded(function):
    """A generator has been started anew since the user's code called ``function``."""
    _notes.seeded = _notes.seeded.difference((function,))


def list_seeded():
    """Return the functions that the user's code has seeded with in this process."""
    return _notes.seeded


def find_changing_source(value):
    """Return "the time" or "the process id" where a seed looks like one, else ""."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    now = time.time()
    for unit in (1, 10**3, 10**6, 10**9):
        # Programs take the time first and do long things before they seed.
        if (now - 3600) * unit <= value <= (now + 1) * unit:
            return "the time"
    # Small ones are seeds that people choose, and process ids in a container.
    if value >= 1000 and value in (os.getpid(), os.getppid()):
        return "the process id"
    return ""


def find_place(frame):
    """Return "file:line" of the nearest frame of the user's; "" where there is none, None inside a library's import."""
    for _ in range(_DEEPEST):
        if frame is None:
            return ""
        owner = find_owner(frame)
        if owner == USER:
            return name_place(frame)
        if owner == IMPORT:
            return None
        frame = frame.f_back
    return ""


def find_direct_place(frame, through=()):
    """Return "file:line" where the user's code itself has called; None where a library or the import system has.

    ``through`` names the standard library's modules that may stand between.
    """
    for _ in range(_DEEPEST):
        if frame is None:
            return None
        owner = find_owner(frame)
        if owner == USER:
            return name_place(frame)
        if owner == STANDARD and frame.f_globals.get("__name__") not in through:
            return None
        if owner not in (STANDARD, NEUTRAL):
            return None
        frame = frame.f_back
    return None


def _is_own_business(frame):
    """Whether it was the standard library that called into the runtime, and not through ``random``."""
    while frame is not None and (find_owner(frame) == RUNTIME or frame.f_globals.get("__name__") == "random"):
        frame = frame.f_back
    return frame is not None and find_owner(frame) == STANDARD


def name_place(frame, line=None):
    """Return "file:line" of a frame, relative to the folder that the process started in."""
    path = frame.f_code.co_filename
    name = _names.get(path)
    if name is None:
        # "python ./train.py" is the same file as "python train.py".
        name = path if path.startswith("<") else os.path.normpath(path)
        if _notes.root and name.startswith(_notes.root):
            name = name[len(_notes.root) :]
        _names[path] = name
    return "%s:%d" % (name, line or frame.f_lineno)


def find_owner(frame):
    """Return whose code a frame runs: ``USER``, ``STANDARD``, ``LIBRARY``, ``RUNTIME``, ``IMPORT`` or ``NEUTRAL``."""
    path = frame.f_code.co_filename
    owner = _owners.get(path)
    if owner is not None:
        return owner
    if path.startswith("<") and not path.startswith("<frozen "):
        # "<string>" is python -c, and also every namedtuple: not to be kept by its name.
        return USER if frame.f_globals.get("__name__") == "__main__" else NEUTRAL
    owner = _owners[path] = _classify_path(path)
    return owner


def _classify_path(path):
    if path.startswith("<frozen importlib"):
        return IMPORT
    if path.startswith("<frozen "):
        return STANDARD
    if path.startswith(_RUNTIME_FOLDER):
        return RUNTIME
    if "/site-packages/" in path or "/dist-packages/" in path:
        return LIBRARY
    if path.startswith(_STANDARD_FOLDER):
        return STANDARD
    # TensorFlow runs the user's functions from copies with a random name.
    return NEUTRAL if "__autograph_generated_file" in path else USER
