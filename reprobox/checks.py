"""What cannot be although each part can: a framework with a CUDA, a seed with a package, a level with a version."""

from __future__ import annotations

from collections.abc import Mapping

from reprobox.errors import SpecError
from reprobox.lock import Lock
from reprobox.pins import find_gaps
from reprobox.plan import Plan, list_versions
from reprobox.reporting import Reporter
from reprobox.spec.backends import explain_seed
from reprobox.spec.positions import LoadedSpec


def find_unpublished(values: Mapping[str, object]) -> tuple[tuple[str, str, str], ...]:
    """Return the key, message and hint of each framework that was never published for the Python or CUDA beside it."""
    from reprobox.resolve.compat import check_frameworks

    frameworks = values.get("frameworks")
    python, cuda, cudnn = (
        value if isinstance(value := values.get(key), str) else None for key in ("python", "cuda", "cudnn")
    )
    cuda = None if cuda == "auto" else cuda  # looked up when it is locked
    compat = values.get("compat")
    known = tuple(compat) if isinstance(compat, dict) else ()
    found = check_frameworks(frameworks if isinstance(frameworks, dict) else {}, python, cuda, cudnn, known)
    return tuple((one.key, one.message, one.hint) for one in found)


def check_locked_seed(loaded: LoadedSpec, lock: Lock) -> None:
    """Refuse a seed that a backend would not take which no key of the spec names: another package brings it in."""
    if found := explain_seed(list_versions(lock), loaded.spec.seed, "the lock brings in and which "):
        raise SpecError((loaded.problem("seed", *found),))


def warn_of_gaps(plan: Plan, reporter: Reporter) -> None:
    """Say which packages cannot be held to the spec's instruction set."""
    for gap in find_gaps(plan.cpu, dict(plan.versions)) if plan.cpu else ():
        reporter.warn(
            f"{gap.package} {gap.version} is not held to cpu: {plan.cpu}: no value of {gap.variable} is known for this"
            " version, so its results may differ on other processors"
        )
