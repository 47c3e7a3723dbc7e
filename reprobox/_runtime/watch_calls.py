"""Stand in for a function and say who calls it, before it runs.

Not audit hooks: those see every event of the interpreter, which makes each ``id()`` five to seven times as slow, and
Python 3.6 and 3.7 have none. A stand-in costs only those who call it.
"""

import sys


class Watched(object):
    """A callable in the place of a built-in function; ``report`` gets the caller's frame and the arguments.

    The frame is None where no Python has called: a thread of compiled code.

    No function: one that becomes the attribute of a class would be bound to its instances, as built-in ones are not
    (``pathlib`` of Python 3.8 keeps ``os.scandir`` so).
    """

    def __init__(self, function, report, module):
        self._function = function
        self._report = report
        self.__module__ = module
        self.__name__ = self.__qualname__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args, **kwargs):
        try:
            frame = sys._getframe(1)
        except ValueError:
            frame = None
        try:
            self._report(frame, args)
        except Exception:
            # What cannot be noted must not keep the program from its call.
            pass
        return self._function(*args, **kwargs)

    def __repr__(self):
        return repr(self._function)

    def __reduce__(self):
        # Pickled by its name, as the function is: pool.map(os.listdir, folders).
        return self.__name__


def watch_builtin(module, name, report):
    """Put a stand-in in the place of a module's built-in function; return it, None where there is no such function."""
    function = getattr(module, name, None)
    if function is None:
        return None
    watched = Watched(function, report, module.__name__)
    setattr(module, name, watched)
    return watched


def watch_function(owner, name, report):
    """The same for a function or a method in Python: what takes its place is a function too."""
    function = getattr(owner, name, None)
    if function is None:
        return

    def watched(*args, **kwargs):
        try:
            report(sys._getframe(1), args, kwargs)
        except Exception:
            pass
        return function(*args, **kwargs)

    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(watched, attribute, getattr(function, attribute, None))
    watched.__wrapped__ = function
    setattr(owner, name, watched)
