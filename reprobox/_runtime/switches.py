"""One determinism switch of a backend: set it, read it back, say what came of it."""


class Switch(object):
    """A switch under the name its backend's documentation uses.

    ``write`` takes the wanted value (None: this version of the backend has no such switch, ``detail`` says since when
    there is one); ``read`` takes nothing and returns the value in force (None: it cannot be read back).
    """

    def __init__(self, name, wanted, write, read=None, detail=""):
        self.name = name
        self.wanted = wanted
        self.write = write
        self.read = read
        self.detail = detail


def apply_switch(switch):
    """Set one switch and return its entry for the record."""
    entry = {"wanted": switch.wanted, "value": None, "status": "not available", "detail": switch.detail}
    if switch.write is None:
        return entry
    try:
        switch.write(switch.wanted)
        entry["value"] = switch.wanted if switch.read is None else switch.read()
    except Exception as error:
        entry.update(status="failed", detail=_one_line(error))
        return entry
    entry["status"] = "set" if entry["value"] == switch.wanted else "failed"
    return entry


def read_switch(switch):
    """Return the value in force now; None when it cannot be told."""
    try:
        return switch.read() if switch.read and switch.write else None
    except Exception:
        return None


def attribute_switch(name, owner, attribute, wanted, since):
    """Return the switch that is an attribute of a module or of an object like one."""
    if owner is None or not hasattr(owner, attribute):
        return Switch(name, wanted, None, detail="needs %s" % since)
    return Switch(name, wanted, lambda value: setattr(owner, attribute, value), lambda: getattr(owner, attribute))


def _one_line(error):
    return "%s: %s" % (type(error).__name__, " ".join(str(error).split())[:300])
