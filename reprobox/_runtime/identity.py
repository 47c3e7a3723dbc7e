"""Who a process is among those of a run, and the seed that follows from it."""

import os

from .contract import ROOT

SEED_MAX = 2147462578
"""Largest seed that every backend takes unchanged (the limit is Theano's MRG generator)."""
_MASK = 0xFFFFFFFFFFFFFFFF


def derive_seed(run_seed, path):
    """Return the seed of the process at ``path``, in 1 ... SEED_MAX; the run's own seed where the path is empty.

    ``path`` is a tuple of steps like ``("mp:2", "fork:1")``: what was started, and the how-manieth of its parent it is.
    FNV-1a over the text, then splitmix64's finaliser, so that neighbours differ in every bit; ``hashlib`` would cost
    an import. http://www.isthe.com/chongo/tech/comp/fnv/ and https://prng.di.unimi.it/splitmix64.c
    """
    if not path:
        return run_seed
    return 1 + _hash_path(run_seed, path) % SEED_MAX


def derive_bits(run_seed, path, bits):
    """Return a number of ``bits`` bits for ``path``: the entropy of a generator that got none from the program."""
    number = 0
    for word in range((bits + 63) // 64):
        number = number << 64 | _hash_path(run_seed, tuple(path) + ("word:%d" % word,))
    return number & ((1 << bits) - 1)


def _hash_path(run_seed, path):
    """Return 64 bits that depend on every character of the path."""
    state = 0xCBF29CE484222325
    for byte in "/".join((str(run_seed),) + tuple(path)).encode("utf-8", "surrogateescape"):
        state = ((state ^ byte) * 0x100000001B3) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


def read_command_line():
    """Return this process's whole command line; ``sys.argv`` is not set yet while ``site`` runs."""
    try:
        with open("/proc/self/cmdline", "rb") as file:
            # Not os.fsdecode: a Python 3.6 in the C locale takes everything for ASCII.
            return [part.decode("utf-8", "surrogateescape") for part in file.read().split(b"\0")[:-1]]
    except OSError:
        return []


def decide_role(command_line, pid, environ):
    """Return "main", "spawn", "forkserver", "subprocess", "entrypoint" or "helper" for a fresh interpreter.

    "helper" is a process of multiprocessing's (or joblib's) that never runs the user's code.
    """
    code = command_line[command_line.index("-c") + 1 :][:1] if "-c" in command_line else []
    if _find_script(command_line) == os.path.join(ROOT, "entrypoint.py"):
        return "entrypoint"
    if code and "_tracker import main" in code[0]:
        return "helper"
    if "--multiprocessing-fork" in command_line:
        return "spawn"
    if code and "multiprocessing.forkserver import main" in code[0]:
        return "forkserver"
    main = environ.get("REPROBOX_MAIN_PID") or "1"
    return "main" if str(pid) == main else "subprocess"


def _find_script(command_line):
    """Return the first argument that is no option: the script, as the entrypoint is started."""
    for part in command_line[1:]:
        if not part.startswith("-"):
            return part
    return None
