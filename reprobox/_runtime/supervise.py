"""Become a command, or start one and stand in for it: pass signals on, collect orphans, return its exit code."""

# The C module: ``signal`` itself builds enums, which is half of what starting this process costs.
import _signal
import os

_PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH")
_STOPPING = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
_FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGWINCH")
"""A terminal sends these to the whole foreground group, the command included."""
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ", "SIGXFZ")
"""CPython ignores them at start, and an ignored signal stays so across exec."""


def replace_process(program, command):
    """Become ``command``; OSError when that cannot be."""
    for name in _IGNORED_BY_PYTHON:
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    os.execv(program, command)


def supervise(program, command, prepare_child, say_failure):
    """Run ``command`` as a child and return its exit code, or 128 + the signal that ended it or stopped this run.

    ``say_failure(program, error)`` is called in the child that could not become the command; it returns the exit code.
    """
    relay = _Relay()
    # Held back until both sides are ready, or one that comes in between would be lost.
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, relay.numbers)
    relay.install()
    relay.child = os.fork()
    if relay.child == 0:
        _become(program, command, relay, mask, prepare_child, say_failure)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    status = _wait_for(relay.child)
    relay.remove()
    exit_code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    # A command that was told to stop and did so in good order has still not done its work.
    return exit_code or (128 + relay.stopped_by if relay.stopped_by else 0)


def _become(program, command, relay, mask, prepare_child, say_failure):
    code = 126
    try:
        relay.reset()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        prepare_child()
        replace_process(program, command)
    except (OSError, ValueError) as error:
        code = say_failure(program, error)
    finally:
        os._exit(code)


def _wait_for(child):
    """Collect children, adopted orphans too, until ``child`` ends; return its status."""
    while True:
        found, status = os.waitpid(-1, 0)
        if found == child:
            return status


class _Relay(object):
    """Handlers that pass signals on to the child."""

    def __init__(self):
        self.child = 0
        self.stopped_by = 0
        self.numbers = [getattr(_signal, name) for name in _PASSED_ON]
        self._stopping = [getattr(_signal, name) for name in _STOPPING]
        self._not_ours = [getattr(_signal, name) for name in _FROM_TERMINAL] if os.isatty(0) else []
        self._before = {}

    def install(self):
        for number in self.numbers:
            self._before[number] = _signal.signal(number, self._pass_on)

    def remove(self):
        for number, handler in self._before.items():
            _signal.signal(number, _signal.SIG_DFL if handler is None else handler)

    def reset(self):
        """In the child: what the command would have found, had it been started without this process."""
        for number, handler in self._before.items():
            _signal.signal(number, handler if handler == _signal.SIG_IGN else _signal.SIG_DFL)

    def _pass_on(self, number, frame):
        if number in self._stopping:
            self.stopped_by = number
        if number not in self._not_ours:
            try:
                os.kill(self.child, number)
            except ProcessLookupError:
                pass
