"""JSON without the ``json`` package, which loads ``re`` and would hide a user's own ``json.py``."""

import _json


class _Context(object):
    """The attributes that the C scanner reads from its decoder, for plain JSON.

    https://github.com/python/cpython/blob/v3.13.0/Lib/json/decoder.py (JSONDecoder), Modules/_json.c (scanner_new).
    """

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo = {}


def parse_json(text):
    """Return the value that ``text`` holds; ValueError when it is not JSON."""
    text = text.strip()
    try:
        value, end = _json.make_scanner(_Context)(text, 0)
    except (StopIteration, SystemError):  # 3.10 and 3.11 say the second where json is not loaded
        raise ValueError("not JSON")
    if end != len(text):
        raise ValueError("more than one JSON value")
    return value


def format_json(value):
    """Return ``value`` (None, bool, int, float, str, list, tuple or dict of these) as JSON on one line."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _json.encode_basestring_ascii(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        # JSON has no infinity and no NaN: a reader must not stumble over one.
        return float.__repr__(value) if value - value == 0 else "null"
    if isinstance(value, dict):
        return "{%s}" % ", ".join(format_json(str(key)) + ": " + format_json(value[key]) for key in sorted(value))
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(format_json(item) for item in value)
    return format_json(str(value))
