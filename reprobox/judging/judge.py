"""Judge one entry: take it in, climb, keep the whole trail in a folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from reprobox import __version__
from reprobox.bundle.read import Heading
from reprobox.engines.base import Engine, EngineInfo, Fence, Runner
from reprobox.errors import EngineError, UsageError
from reprobox.files import write_atomic
from reprobox.gpu_checks import GpuChecks
from reprobox.gpus.driver import Driver
from reprobox.judging.allowance import Allowance
from reprobox.judging.entrant_report import PAGES, examine_report
from reprobox.judging.identity import Entry, identify
from reprobox.judging.judgement import Judgement, Outcome, Rung, describe_file, format_judgement
from reprobox.judging.ladder import Climb, climb
from reprobox.judging.page import format_pages
from reprobox.judging.receive import find_inputs, open_heading, provide_image, unpack_files
from reprobox.judging.sandbox import choose_cpus, choose_runtime, choose_timeout, make_fence
from reprobox.judging.statement import format_attestation
from reprobox.judging.syscalls import read_profile
from reprobox.judging.terms import Contest
from reprobox.judging.trail import Trail
from reprobox.languages import Said, list_languages, load_language, make_reason
from reprobox.layers.store import LayerStore
from reprobox.records import Host
from reprobox.run import RunRequest, record_engine
from reprobox.settings import Settings
from reprobox.verdict import Verdict

IDENTITY = "is the bundle what it says it is?"
JUDGEMENT_FILE = "judgement.json"
JUDGEMENT_FILES = "judgement.*"
"""It, and the pages that are made of it."""
ATTESTATION_FILE = "attestation.json"
_BUNDLE_FOLDER = "bundle"


@dataclass(frozen=True)
class JudgeOptions:
    """What holds for every entry that is judged."""

    contest: Contest
    allowed: Path | None
    """Who may have signed; ``None``: nobody needs to."""
    rebuild: bool
    runtime: str
    """The engine's runtime for the sandbox; "": gVisor where the engine has it."""
    gpus: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The same for the same terms, and files behind them: a judgement under others is none under these."""
        contest = self.contest
        named = (contest.labels, self.allowed, *(path for _, path in sorted(contest.inputs.items())))
        states = [list(_list_states(path)) for path in named if path]
        return f"sha256:{hashlib.sha256(repr((self, states)).encode('utf-8', 'backslashreplace')).hexdigest()}"


def _list_states(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield what changes when somebody writes to a file, or below a folder; quicker than reading it all."""
    for one in (path, *sorted(path.rglob("*"))) if path.is_dir() else (path,):
        status = one.stat() if one == path or not one.is_symlink() else one.lstat()
        yield str(one), status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Bench:
    """The machine that entries are judged on."""

    engines: Sequence[Engine]
    host: Host
    driver: Driver
    settings: Settings
    at_once: int = 1
    """How many entries share it."""


def judge_bundle(
    path: Path, folder: Path, options: JudgeOptions, bench: Bench, on_rung: Callable[[Rung], None]
) -> Judgement:
    """Judge a bundle, with everything that comes of it in ``folder``.

    Raises ``BundleError`` for one that is refused, ``EngineError`` where the sandbox itself cannot be had, and
    ``UsageError`` while another process judges into the same folder.
    """
    choose_runtime(options.runtime, bench.engines[0].info(), options.gpus)
    with _alone(folder):
        return _judge(path, folder, options, bench, on_rung)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is not there; a process that dies lets go of it."""
    # Nobody else's: what strangers leave here may be programs that run as their owner.
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise UsageError(f"nothing can be kept in {folder}: {exc.strerror}", hint="name another with -o") from exc
    try:
        with suppress(OSError):  # some network file systems have no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise UsageError(f"another process judges into {folder}", hint="wait for it, or say -o") from exc
        yield
    finally:
        os.close(descriptor)


def _judge(path: Path, folder: Path, options: JudgeOptions, bench: Bench, on_rung: Callable[[Rung], None]) -> Judgement:
    contest, engine, settings = options.contest, bench.engines[0], bench.settings
    file = describe_file(path)  # before it is read: one that is changed meanwhile is another
    heading, signer, entry = _take_in(path, folder, options, settings)
    inputs, other = find_inputs(entry, contest)
    image, entry = provide_image(path, entry, engine, settings, rebuild=options.rebuild)
    request = _make_request(entry, image, folder, options, bench, inputs)
    report = examine_report(entry)
    trail = Trail(_start(file, entry, heading, signer, request, engine.info(), options, folder), on_rung)
    trail.notes += report.notes
    unclaimed = _list_unclaimed(entry, contest)
    if other or unclaimed:
        trail.reach(0, IDENTITY, Outcome.FAILED, (*other, *unclaimed))
        why = (make_reason("other_data"), *other) if other else unclaimed
        judgement = trail.close(Verdict.NOT_COMPARABLE, why)
    else:
        trail.reach(0, IDENTITY, Outcome.PASSED, _describe_identity(heading, signer, rebuilt=options.rebuild))
        allowance = Allowance(contest.limits.comparing)
        judgement = _climb(
            Climb(entry, contest, request, bench.engines, settings.now, trail, allowance, settings.reporter)
        )
    write_atomic(folder / ATTESTATION_FILE, format_attestation(judgement))
    for language in map(load_language, list_languages()):
        for name, text in format_pages(judgement, language):
            write_atomic(folder / name, text.encode("utf-8", "backslashreplace"))
    for name, text in report.pages:
        write_atomic(folder / name, text.encode("utf-8", "backslashreplace"))
    write_atomic(folder / JUDGEMENT_FILE, format_judgement(judgement))
    return judgement


def _take_in(path: Path, folder: Path, options: JudgeOptions, settings: Settings) -> tuple[Heading, str, Entry]:
    """Check a bundle and unpack it; of one that is refused, and of what was found out before, nothing is left."""
    try:
        for old in (folder / ATTESTATION_FILE, *folder.glob(JUDGEMENT_FILES), *folder.glob(PAGES)):
            old.unlink(missing_ok=True)
    except OSError as exc:
        raise UsageError(f"nothing can be kept in {folder}: {exc.strerror}", hint="name another with -o") from exc
    unpacked = folder / _BUNDLE_FOLDER
    try:
        heading, signer = open_heading(path, options.contest, options.allowed)
        unpack_files(path, heading, unpacked, settings)
        return heading, signer, identify(heading.manifest, unpacked, LayerStore(settings.cache))
    except BaseException:
        shutil.rmtree(unpacked, ignore_errors=True)
        with suppress(OSError):  # it holds earlier runs, or its parent does
            folder.rmdir()
            folder.parent.rmdir()
        raise


def _climb(given: Climb) -> Judgement:
    try:
        return climb(given)
    except EngineError as exc:
        raise EngineError(f"the sandbox failed, which is no fault of the entry: {exc.message}", hint=exc.hint) from exc


def _make_request(
    entry: Entry, image: str, folder: Path, options: JudgeOptions, bench: Bench, inputs: dict[str, Path]
) -> RunRequest:
    engine: Runner = bench.engines[0]
    profile = _keep_profile(folder) if engine.info().name == "podman" else None
    resources = entry.spec.resources
    runtime = choose_runtime(options.runtime, engine.info(), options.gpus)
    share = bench.host.memory // bench.at_once
    fence = make_fence(options.contest, resources, share, runtime, profile)
    if options.gpus:
        alone = replace(fence(folder), quotas=())
        checks = GpuChecks(options.gpus, bench.driver, engine, entry.plan, bench.settings, alone)
        checks.check_machine()
        checks.check_kernels(image)
    limited = replace(
        resources, timeout=choose_timeout(options.contest, resources), cpus=choose_cpus(resources, engine.info())
    )
    return RunRequest(
        image=image,
        image_digest=entry.image.config_digest,
        plan=entry.plan,
        spec=replace(entry.spec, resources=limited),
        project=entry.folder,
        runs=folder / "runs",
        stages=entry.plan.stages,
        command=(),
        gpus=options.gpus,
        caller=bench.settings.caller,
        host=bench.host,
        started=bench.settings.now(),
        environment={"REPROBOX_WATCH": "1"},
        fence=fence,
        inputs=inputs,
    )


def _keep_profile(folder: Path) -> Path | None:
    """Write down which system calls are allowed, where Podman's own list would allow namespaces too."""
    profile = read_profile()
    if profile is None:
        return None
    path = folder / "seccomp.json"
    write_atomic(path, json.dumps(profile, indent=1).encode())
    return path.absolute()


def _start(
    file: dict[str, int],
    entry: Entry,
    heading: Heading,
    signer: str,
    request: RunRequest,
    info: EngineInfo,
    options: JudgeOptions,
    folder: Path,
) -> Judgement:
    assert request.fence is not None
    fence = request.fence(folder)
    wants_network = (make_reason("spec_wants_network"),) if entry.spec.network else ()
    return Judgement(
        entry=entry.plan.name,
        bundle=heading.digest,
        file=file,
        signer=signer,
        image_digest=entry.image.config_digest,
        seed=entry.plan.seed,
        contest=options.contest.name,
        terms=options.digest,
        verdict=Verdict.NOT_RUN,
        reason=(),
        rungs=(),
        claim=entry.claim.id,
        claimed_outputs={file.path: file.sha256 for file in entry.claim.outputs},
        notes=(*entry.notes, *wants_network, *_list_unheld(fence, info)),
        sandbox=_describe_fence(fence, info),
        host=replace(request.host, cpu_flags=()),
        engine=record_engine(info),
        started=request.started.isoformat(),
        reprobox=__version__,
    )


def _list_unclaimed(entry: Entry, contest: Contest) -> Said:
    """Say that the claim lacks what the contest is about: whatever else it has, nothing can be held against that."""
    if not contest.predictions or any(file.path == contest.predictions for file in entry.claim.outputs):
        return ()
    return (make_reason("predictions_unclaimed", path=contest.predictions),)


def _list_unheld(fence: Fence, info: EngineInfo) -> Said:
    """Say what the sandbox lacks on this engine."""
    limits = () if info.holds_limits else (make_reason("limits_not_held"),)
    unlisted = info.name == "podman" and fence.profile is None
    namespaces = (make_reason("namespaces_open"),) if unlisted else ()
    own_kernel = (make_reason("own_kernel"),) if info.has_own_kernel(fence.runtime) else ()
    return (*limits, *namespaces, *own_kernel)


def _describe_fence(fence: Fence, info: EngineInfo) -> dict[str, object]:
    """Say what the sandbox was, for the trail: limits that the engine cannot hold are none."""
    values = {key: value for key, value in asdict(fence).items() if key not in ("quotas", "profile")}
    quotas = {quota.what: {"size": quota.size, "files": quota.files} for quota in fence.quotas}
    return {
        "network": False,
        "capabilities": [],
        "no_new_privileges": True,
        "holds_limits": info.holds_limits,
        **values,
        "quotas": quotas,
        "system_calls": "Podman's, without namespaces" if fence.profile else "the engine's",
        "runtime": fence.runtime or info.default_runtime,
    }


def _describe_identity(heading: Heading, signer: str, *, rebuilt: bool) -> Said:
    said = [make_reason("bytes_named", files=len(heading.manifest.files)), make_reason("image_described")]
    said += [make_reason("signed", signer=signer)] if signer else []
    said += [make_reason("rebuilt_same")] if rebuilt else []
    return tuple(said)
