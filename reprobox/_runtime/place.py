"""Where a program that Python started stands among those of its run: handed on in the environment.

``REPROBOX_PLACE`` is ``<path>|<pid>|<rank>``: the path of the process that the variable was made for, that process's
pid once it knows it, and the rank that the process which made it had itself.
"""

_VARIABLE = "REPROBOX_PLACE"
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
"""What launchers tell each process of a distributed job: Open MPI, PMIx, MPICH and Slurm."""


def read_place(environ, pid):
    """Return (path, rank) of this process; an empty path is that of the run itself.

    A rank of a distributed job keeps the run's seed, since ranks must begin with the same weights.
    """
    path, owner, parents_rank = _parse(environ.get(_VARIABLE, ""))
    rank = _find_rank(environ)
    if rank != parents_rank:
        return (), rank
    if owner not in ("", str(pid)):
        # Started otherwise than by subprocess: nobody has counted it.
        path += ("program",)
    return path, ""


def format_place(path, pid, environ):
    """Return the variable's value for the process at ``path``; ``pid`` is "" for a process to come."""
    return "%s|%s|%s" % ("/".join(path), pid, _find_rank(environ))


def publish_place(path, pid, environ):
    """Let the program that may take this process's place, and those it starts in other ways, know where they stand."""
    environ[_VARIABLE] = format_place(path, pid, environ)


def add_place(environ, path, own_environ):
    """Return a copy of ``environ`` for a program that is to stand at ``path``."""
    return dict(environ, **{_VARIABLE: format_place(path, "", own_environ)})


def _parse(text):
    parts = text.split("|")
    if len(parts) != 3:
        return (), "", ""
    return tuple(part for part in parts[0].split("/") if part), parts[1], parts[2]


def _find_rank(environ):
    if environ.get("RANK") and environ.get("WORLD_SIZE"):
        return environ["RANK"]
    return next((environ[name] for name in _RANKS if environ.get(name)), environ.get("LOCAL_RANK", ""))
