"""Notice forks, multiprocessing's workers and programs that are started, and give each its own seed."""

import _thread
import itertools
import os
import sys

from .place import add_place, publish_place
from .wrapping import wrap

_EXECUTABLE, _ENVIRONMENT, _SHELL = 1, 6, 9
"""Which arguments of ``Popen._execute_child`` they are, in Python 3.6 to 3.13; the program's own are the first."""


class Children(object):
    """Counts this process's forks and knows which of them this process is itself."""

    def __init__(self, seeder):
        self._seeder = seeder
        self._count = itertools.count(1)
        self._programs = {"sub": itertools.count(1), "run": itertools.count(1)}
        self._numbers = {}

    def watch_forks(self):
        """Re-seed in every forked child: what it inherits is its parent's state, the same in all its brothers."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._number_fork, after_in_child=self._enter_fork)
        else:
            # Python 3.6 has no such hooks.
            os.fork = self._wrap_fork(os.fork)
            os.forkpty = self._wrap_fork(os.forkpty)
        self._publish_place()

    def watch_programs(self, subprocess):
        """Tell each program that ``subprocess`` starts which one it is; another Python takes its seed from that."""
        wrap(subprocess.Popen, "_execute_child", self._wrap_execute)

    def watch_random(self):
        """Seed ``random`` after CPython has: its own hook, registered at import, takes entropy in every child.

        https://github.com/python/cpython/blob/v3.13.0/Lib/random.py (register_at_fork)
        """
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: self._seeder.reseed("random", "fork"))

    def watch_workers(self, util):
        """Let multiprocessing say when a process of its own starts, by whichever method."""
        self._publish_path()
        util.register_after_fork(self, Children._enter_worker)

    def watch_spawned(self, context):
        """The same for spawned workers of Python 3.10 and newer, which call no after-fork functions.

        https://github.com/python/cpython/blob/v3.13.0/Lib/multiprocessing/context.py (SpawnProcess._after_fork)
        """
        spawned = getattr(context, "SpawnProcess", None)
        if "_after_fork" in vars(spawned):
            spawned._after_fork = staticmethod(self._enter_worker)

    def _number_fork(self):
        # By thread, since two of them may fork at once; the forking one keeps its number in the child.
        self._numbers[_thread.get_ident()] = next(self._count)

    def _enter_fork(self):
        number = self._numbers.get(_thread.get_ident(), 0)
        self._count = itertools.count(1)
        self._programs = {"sub": itertools.count(1), "run": itertools.count(1)}
        self._numbers = {}
        seeder = self._seeder
        seeder.become_child("fork", seeder.path + ("fork:%d" % number,), "fork")
        self._publish_path()
        self._publish_place()

    def _wrap_fork(self, fork):
        def numbered_fork():
            self._number_fork()
            result = fork()
            if (result[0] if isinstance(result, tuple) else result) == 0:
                self._enter_fork()
            return result

        return numbered_fork

    def _wrap_execute(self, original):
        def _execute_child(popen, *args, **kwargs):
            try:
                args = self._add_place(args)
            except Exception:
                # A program without a place of its own is better than none.
                pass
            return original(popen, *args, **kwargs)

        return _execute_child

    def _add_place(self, args):
        # Pythons apart: a compiler that a library needs in one run and not in the next must not change their numbers.
        kind = "sub" if _is_python(args) else "run"
        path = self._seeder.path + ("%s:%d" % (kind, next(self._programs[kind])),)
        given = args[_ENVIRONMENT]
        environ = add_place(os.environ if given is None else given, path, os.environ)
        return args[:_ENVIRONMENT] + (environ,) + args[_ENVIRONMENT + 1 :]

    def _publish_place(self):
        try:
            publish_place(self._seeder.path, os.getpid(), os.environ)
        except Exception as error:
            self._seeder.record.warn("place not published: %s" % error)

    def _publish_path(self):
        """Hand the path of a bare fork on to workers started from it: multiprocessing copies ``_config`` to them."""
        try:
            process = sys.modules["multiprocessing.process"].current_process()
            if self._seeder.path:
                process._config["reprobox_path"] = (self._seeder.path, len(process._identity))
        except Exception:
            # Not loaded, or not that multiprocessing: the workers' own numbers still tell them apart.
            pass

    def _enter_worker(self):
        seeder = self._seeder
        try:
            from multiprocessing import util

            process = sys.modules["multiprocessing.process"].current_process()
            base, known = process._config.get("reprobox_path", ((), 0))
            path = tuple(base) + tuple("mp:%d" % number for number in process._identity[known:])
            # These leave by os._exit, which skips atexit; last, since the user's own finalizers may still import.
            util.Finalize(None, seeder.finish, exitpriority=-1000)
            rank = _find_rank(process)
        except Exception as error:
            seeder.record.warn("worker not recognised: %s" % error)
            return
        if rank:
            path, seeder.rank = (), rank
        seeder.take_identity(path, "worker", name=process.name, start_method=_find_start_method(process))
        self._publish_place()


def _is_python(args):
    if args[_SHELL]:
        return False
    command = args[0] if isinstance(args[0], (str, bytes)) or hasattr(args[0], "__fspath__") else args[0][0]
    name = os.path.basename(os.fsdecode(args[_EXECUTABLE] or command))
    return name.startswith("python") or name == os.path.basename(sys.executable or "")


def _find_rank(process):
    """Return the number of a rank of a distributed job that PyTorch started as a worker, "" for any other worker.

    https://github.com/pytorch/pytorch/blob/v2.13.0/torch/multiprocessing/spawn.py (start_processes; so since 1.0)
    """
    target = getattr(process, "_target", None)
    where = (getattr(target, "__module__", ""), getattr(target, "__name__", ""))
    return str(process._args[1]) if where == ("torch.multiprocessing.spawn", "_wrap") else ""


def _find_start_method(process):
    method = getattr(process, "_start_method", None)
    if method is None:
        context = sys.modules.get("multiprocessing.context")
        method = context._default_context.get_start_method(allow_none=True) if context else None
    return str(method or "")
