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
    """Become ``command``; OSError or ValueError when that cannot be."""
    for name in _IGNORED_BY_PYTHON:
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    os.execv(program, command)


def supervise(program, command, prepare_child, say_failure):
    """Run ``command`` as a child; return its exit code and the bytes it held at most.

    The exit code is 128 + the signal where one ended it, or stopped this run. Signals are blocked and waited for,
    never handled: a handler that runs just before a wait begins would be noticed after it, that is, too late. A blocked
    signal also reaches process 1, which the kernel else keeps those from that it has no handler for.

    ``say_failure(program, error)`` is called in the child that could not become the command; it returns the exit code.
    """
    waited = {getattr(_signal, name) for name in _PASSED_ON + ("SIGCHLD",)}
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, waited)
    child = os.fork()
    if child == 0:
        _become(program, command, mask, prepare_child, say_failure)
    status, max_rss, stopped_by = _attend(child, waited)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    exit_code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    # A command that was told to stop and did so in good order has still not done its work.
    return exit_code or (128 + stopped_by if stopped_by else 0), max_rss


def _become(program, command, mask, prepare_child, say_failure):
    code = 126
    try:
        if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        prepare_child()
        replace_process(program, command)
    except (OSError, ValueError) as error:
        code = say_failure(program, error)
    finally:
        os._exit(code)


def _attend(child, waited):
    """Wait until ``child`` has ended; return its status, its peak memory and the signal that was to stop it, or 0."""
    stopping = [getattr(_signal, name) for name in _STOPPING]
    not_ours = [getattr(_signal, name) for name in _FROM_TERMINAL] if os.isatty(0) else []
    stopped_by = 0
    while True:
        number = int(_signal.sigwait(waited))
        if number == _signal.SIGCHLD:
            ended = _collect(child)
            if ended:
                return ended + (stopped_by,)
            continue
        if number in stopping:
            stopped_by = number
        if number not in not_ours:
            # Not collected yet, so the number is still the child's own, even if it has ended.
            os.kill(child, number)


def _collect(child):
    """Take leave of all that have ended, adopted orphans too; return (status, peak memory) once ``child`` has."""
    ended = None
    while True:
        try:
            found, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if found == 0:
            return ended
        if found == child:
            ended = (status, usage.ru_maxrss * 1024)
