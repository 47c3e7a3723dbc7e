"""What the container does with its command line: check the environment, choose the command, become it."""

import errno
import os
import sys
import time

from .contract import read_contract
from .processor import check_processor, read_cpuinfo
from .record import Record, cut_arguments
from .supervise import replace_process, supervise

NOT_FOUND = 127
NOT_EXECUTABLE = 126
USAGE = 2
INTERRUPTED = 130


class CommandError(Exception):
    """A command that cannot be run: one line for stderr, and the exit code that shells use for it."""

    def __init__(self, message, exit_code):
        Exception.__init__(self, message)
        self.exit_code = exit_code


def main(arguments):
    """Run what ``arguments`` name and return its exit code; as a rule, do not return but become it."""
    try:
        return _Run(_read_contract()).run(arguments)
    except CommandError as error:
        _say(error)
        return error.exit_code


def _read_contract():
    try:
        return read_contract()
    except (OSError, ValueError) as error:
        raise CommandError("the image's contract cannot be used: %s" % error, USAGE)


class _Run(object):
    """One start of the container: its record, and the stages in their order."""

    def __init__(self, contract):
        self._contract = contract
        self._record = Record(
            os.environ.get("REPROBOX_RECORD_DIR"),
            {
                "pid": os.getpid(),
                "ppid": os.getppid(),
                "role": "entrypoint",
                "argv": cut_arguments(sys.argv),
                "started": round(time.time(), 3),
                "commands": [],
            },
        )

    def run(self, arguments):
        warnings = prepare_environment(self._contract["env"], os.environ)
        warnings += check_processor(self._contract["switches"].get("cpu"), read_cpuinfo())
        for warning in warnings:
            _say("warning: " + warning)
            self._record.warn(warning)
        commands = choose_commands(self._contract["stages"], arguments)
        # All of them before the first runs: a missing last program should not cost the hours of the first.
        ready = [_prepare_command(name, command) for name, command in commands]
        for name, command, program in ready[:-1]:
            exit_code = self._supervise(name, command, program)
            if exit_code:
                return self._finish(exit_code)
        return self._finish(self._run_last(*ready[-1]))

    def _finish(self, exit_code):
        self._record.data["finished"] = True
        self._record.write()
        return exit_code

    def _run_last(self, name, command, program):
        # The kernel drops every signal that process 1 has no handler for (pid_namespaces(7)), so a command that
        # became process 1 could not be stopped: there, this process stays and passes signals on.
        if os.getpid() == 1:
            return self._supervise(name, command, program)
        self._note(name, command)
        set_identity(name)
        try:
            replace_process(program, command)
        except (OSError, ValueError) as error:
            raise explain_failure(program, error)

    def _supervise(self, name, command, program):
        entry = self._note(name, command)
        begin = time.time()
        entry["exit_code"], peak = supervise(program, command, lambda: set_identity(name), _say_failure)
        entry["seconds"] = round(time.time() - begin, 3)
        self._record.data["max_rss"] = max(peak, self._record.data.get("max_rss", 0))
        self._record.write()
        return entry["exit_code"]

    def _note(self, name, command):
        entry = {"stage": name, "argv": cut_arguments(command), "exit_code": None, "seconds": None}
        self._record.data["commands"].append(entry)
        self._record.write()
        if self._record.data["warnings"][-1:] and self._record.path is None and self._record.folder:
            _say("warning: " + self._record.data["warnings"][-1])
        return entry


def _prepare_command(stage, command):
    """Return (stage, command, program); an interpreter's command starts with its whole path, or it would look itself
    up in PATH and miss the venv it belongs to.
    """
    program = find_program(command[0], os.environ)
    if command[0].startswith("python"):
        command = [program] + command[1:]
    return stage, command, program


def prepare_environment(wanted, environ):
    """Add what is missing to ``environ``; return a warning for each variable that has another value."""
    warnings = []
    for name in sorted(wanted):
        found = environ.get(name)
        if found is None:
            environ[name] = wanted[name]
        elif found != wanted[name]:
            warnings.append("%s is %r here, the image was built with %r" % (name, found, wanted[name]))
    return warnings


def choose_commands(stages, arguments):
    """Return the (stage name, command) pairs that ``arguments`` ask for; more arguments go to the stage's command."""
    known = [(stage["name"], list(stage["command"])) for stage in stages]
    names = ", ".join("@" + name for name, _ in known)
    if not arguments:
        if not known:
            raise CommandError("no command given, and the image has no stages", USAGE)
        return known
    if not arguments[0].startswith("@"):
        return [("", list(arguments))]
    for name, command in known:
        if arguments[0] == "@" + name:
            return [(name, command + list(arguments[1:]))]
    raise CommandError("no stage %s in this image; it has %s" % (arguments[0], names or "none"), USAGE)


def find_program(name, environ):
    """Return the file to execute for ``name``: as given with a slash, ``python`` the venv's, else the first in PATH."""
    if not name:
        raise CommandError("the command's name is empty", NOT_FOUND)
    if "/" in name:
        return _require(name, name, "no such file")
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    if name.startswith("python"):
        # The interpreter that runs this is the venv's.
        folders.insert(0, os.path.dirname(sys.executable))
    found = None
    for folder in folders:
        path = os.path.join(folder or ".", name)
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            found = found or path
    if found:
        return _require(found, name, "")
    raise CommandError("cannot run %r: no such program in %s" % (name, environ.get("PATH", os.defpath)), NOT_FOUND)


def _require(path, name, missing):
    if not os.path.exists(path):
        raise CommandError("cannot run %r: %s" % (name, missing), NOT_FOUND)
    if os.path.isdir(path):
        raise CommandError("cannot run %r: it is a folder" % name, NOT_EXECUTABLE)
    if not os.access(path, os.X_OK):
        raise CommandError("cannot run %r: %s is not executable (chmod +x)" % (name, path), NOT_EXECUTABLE)
    return path


def explain_failure(program, error):
    """Return the error for a program that was found and yet not started."""
    if isinstance(error, ValueError):
        return CommandError("cannot run %s: %s" % (program, error), NOT_EXECUTABLE)
    if error.errno == errno.ENOENT:
        return CommandError("cannot run %s: the interpreter in its first line is missing" % program, NOT_FOUND)
    if error.errno == errno.ENOEXEC:
        text = "cannot run %s: not a program for this machine, or a script without a #! line" % program
        return CommandError(text, NOT_EXECUTABLE)
    return CommandError("cannot run %s: %s" % (program, error.strerror), NOT_EXECUTABLE)


def set_identity(stage):
    """Tell the Python that this process becomes which it is among those of the run."""
    os.environ["REPROBOX_MAIN_PID"] = str(os.getpid())
    if stage:
        os.environ["REPROBOX_STAGE"] = stage


def _say_failure(program, error):
    failure = explain_failure(program, error)
    _say(failure)
    return failure.exit_code


def _say(message):
    try:
        sys.stderr.write("reprobox: %s\n" % message)
        sys.stderr.flush()
    except OSError:
        pass
