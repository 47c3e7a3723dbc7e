"""One determinism switch of a backend: set it, read it back, say what came of it, notice it being changed."""

import os

from .suspects import note
from .wrapping import wrap

UNCHANGED = object()
"""What ``find_flip`` returns where there is nothing to tell: None is the value of a variable that has been deleted."""


class Switch(object):
    """A switch under the name its backend's documentation uses.

    ``write`` takes the wanted value (None: this version of the backend has no such switch, ``versions.json`` says which
    ones have it); ``read`` takes nothing and returns the value in force (None: it cannot be read back). ``setters`` are
    the functions that a program changes it with: pairs of an object and an attribute's name.
    """

    def __init__(self, name, wanted, write, read=None, detail="", setters=()):
        self.name = name
        self.wanted = wanted
        self.write = write
        self.read = read
        self.detail = detail
        self.setters = setters
        self.seen_flipped = False
        self.given = UNCHANGED

    def note_given(self, value):
        """The program gives a value of its own where the switch is a default: that one counts; never hinder it."""
        try:
            if value == self.wanted or str(value).lower() == str(self.wanted).lower():
                return
            note("switch-flipped", describe_flip(self, value, self.wanted))
            self.given = value
            self.seen_flipped = True
        except Exception:
            # Whatever it is, the library says what is wrong with it.
            pass


def apply_switch(switch, version=""):
    """Set one switch and return its entry for the record."""
    entry = {"wanted": switch.wanted, "value": None, "status": "not available", "detail": switch.detail}
    if switch.write is None:
        # Here, since most processes never need it.
        from .versions import describe_absence

        # What the backend itself has to say comes first: that this build, not this version, lacks it.
        entry["detail"] = switch.detail or describe_absence(switch.name, version)
        return entry
    try:
        switch.write(switch.wanted)
        entry["value"] = switch.wanted if switch.read is None else switch.read()
    except Exception as error:
        entry.update(status="failed", detail=_one_line(error))
        return entry
    entry["status"] = "set" if entry["value"] == switch.wanted else "failed"
    return entry


def find_flip(switch, value):
    """Return the value in force now where it is another one than ``value``; else, or in doubt, ``UNCHANGED``."""
    if switch.given is not UNCHANGED or switch.read is None:
        return switch.given
    try:
        found = switch.read()
    except Exception:
        return UNCHANGED
    return found if found != value else UNCHANGED


def watch_switch(switch, value):
    """Note where the program changes a switch, as far as it does so by one of the setters; never hinder it."""
    for owner, name in switch.setters:
        try:
            wrap(owner, name, lambda original: _make_setter(original))
            getattr(owner, name).reprobox_switches.append((switch, value))
        except Exception:
            # Read-only in this version: the end of the process still shows the change.
            continue


def _make_setter(original):
    watched = []

    def setter(*args, **kwargs):
        before = [find_flip(switch, value) for switch, value in watched]
        result = original(*args, **kwargs)
        for (switch, value), known in zip(watched, before):
            found = find_flip(switch, value)
            if found is not UNCHANGED and found != known:
                switch.seen_flipped = True
                note("switch-flipped", describe_flip(switch, found, value))
        return result

    setter.reprobox_switches = watched
    return setter


def describe_flip(switch, found, value):
    """Return the words for a switch that the program has changed."""
    return "%s is %s, no longer %r" % (switch.name, "not set" if found is None else repr(found), value)


def attribute_switch(name, owner, attribute, wanted, setters=()):
    """Return the switch that is an attribute of a module or of an object like one."""
    if owner is None or not hasattr(owner, attribute):
        return Switch(name, wanted, None)
    return Switch(
        name,
        wanted,
        lambda value: setattr(owner, attribute, value),
        lambda: getattr(owner, attribute),
        setters=setters,
    )


def environment_switch(name, wanted, in_time=False):
    """Return the switch that is a variable of the environment.

    ``in_time``: the library reads it only when it needs it, so that it can still be set; else it is checked, because
    the library has read it by the time that it is imported.
    """

    def write(value):
        if in_time:
            os.environ[name] = value
        elif os.environ.get(name) != value:
            raise ValueError("%s is read when the program starts, and it is %r" % (name, os.environ.get(name)))

    return Switch("environment %s" % name, wanted, write, lambda: os.environ.get(name))


def nvls_switch():
    """Return the switch that keeps NCCL from adding up in the NVLink switches, which differs from call to call.

    It reads it for the first communicator, so that it is in time here; what the program's own environment says stands.
    https://github.com/NVIDIA/nccl/issues/1497
    """
    name = "NCCL_NVLS_ENABLE"
    return environment_switch(name, "0", in_time=name not in os.environ)


def _one_line(error):
    return "%s: %s" % (type(error).__name__, " ".join(str(error).split())[:300])
