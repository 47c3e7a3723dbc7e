"""Run one image with many seeds, and keep what each gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from reprobox.contract import format_contract
from reprobox.engines.base import Runner
from reprobox.errors import RunError, UsageError
from reprobox.fleet import Ran, run_fleet
from reprobox.lock import Lock
from reprobox.plan import Plan, make_plan
from reprobox.reporting import Reporter
from reprobox.run import RunRequest
from reprobox.spec.model import Level, Spec
from reprobox.sweep import SeedRun, SweepRecord, choose_seeds, read_sweep, sweep_id, take_run, write_sweep


@dataclass(frozen=True)
class SweepRequest:
    """A sweep that is to be made, or gone on with."""

    request: RunRequest
    """A run of the image with its own seed."""
    lock: Lock
    seeds: int
    """How many besides the claimed one."""
    metric: str
    """"" for all."""
    state: Path
    """The project's ``.reprobox``."""
    now: Callable[[], datetime]
    reporter: Reporter


def run_sweep(
    sweep: SweepRequest, engines: Sequence[Runner], on_run: Callable[[SeedRun, bool], None]
) -> tuple[Path, SweepRecord]:
    """Run the claimed seed, then those of the others that have not been run; return the record's path and content.

    As many at once as there are connections to the engine. ``on_run`` is told of each run, and whether it had been made
    before. The record is written after each.
    """
    keeper = _Keeper(sweep, on_run)
    claimed = sweep.request.plan.seed
    keeper.run((claimed,), engines)
    keeper.check_claimed(claimed)
    keeper.run(choose_seeds(claimed, sweep.seeds), engines)
    return keeper.path, keeper.record


def reseed_request(request: RunRequest, lock: Lock, seed: int) -> RunRequest:
    """Return the request for another seed with the same image: a contract of its own and variables over the image's.

    The digests in the record stay the image's.
    """
    if seed == request.plan.seed:
        return request
    planned = make_plan(replace(request.spec, seed=seed), lock, request.plan.source, dict(request.plan.versions))
    plan = replace(planned, spec_digest=request.plan.spec_digest)
    changed = _find_changes(request.plan, plan)
    return replace(request, plan=plan, contract=format_contract(plan), environment=changed)


def _find_changes(old: Plan, new: Plan) -> dict[str, str]:
    known = dict(old.env)
    return {name: value for name, value in new.env if known.get(name) != value}


def check_level(spec: Spec) -> None:
    """Raise ``UsageError`` where the spec sets no seed."""
    if spec.determinism.level is Level.OFF:
        raise UsageError(
            "at level off no seed is set, so there is nothing to sweep over",
            hint="set determinism to seeded or bitwise",
        )


class _Keeper:
    """Runs seeds that have not been run, and keeps the sweep's record up to date."""

    def __init__(self, sweep: SweepRequest, on_run: Callable[[SeedRun, bool], None]) -> None:
        plan, digest = sweep.request.plan, sweep.request.image_digest
        name = sweep_id(digest, gpu=bool(sweep.request.gpus))
        fresh = SweepRecord(
            id=name,
            name=plan.name,
            image_digest=digest,
            spec_digest=plan.spec_digest,
            lock_digest=plan.lock_digest,
            level=plan.level.value,
            gpu=bool(sweep.request.gpus),
            claimed_seed=plan.seed,
            runs=(),
        )
        self._sweep = sweep
        self._on_run = on_run
        self.path = sweep.state / "sweep" / f"{name}.json"
        self.record = read_sweep(self.path, fresh)

    def run(self, seeds: Sequence[int], engines: Sequence[Runner]) -> None:
        """Run those of the seeds that have no run that ended well."""
        known = [run for seed in seeds if (run := self.record.find(seed)) is not None]
        for run in known:
            self._on_run(run, True)
        missing = [seed for seed in seeds if self.record.find(seed) is None]
        requests = [reseed_request(self._sweep.request, self._sweep.lock, seed) for seed in missing]
        if requests:
            run_fleet(requests, engines[: len(requests)], self._sweep.now, self._keep, self._sweep.reporter)

    def check_claimed(self, seed: int) -> None:
        """Raise where there is nothing to compare the others with, before hours are spent on them."""
        run = self.record.find(seed)
        if run is None:
            raise RunError(
                f"the run with the spec's own seed {seed} failed", hint="`reprobox run` shows what it prints"
            )
        if not run.metrics:
            raise UsageError(
                "the run left no metrics",
                hint="print lines such as `loss=0.1`, write /output/metrics.json, or call"
                " reprobox_runtime.log_metric(name, value)",
            )
        if self._sweep.metric and self._sweep.metric not in run.metrics:
            raise UsageError(
                f"the run left no metric {self._sweep.metric!r}", hint=f"it has: {', '.join(sorted(run.metrics))}"
            )

    def _keep(self, number: int, ran: Ran) -> bool:
        run = take_run(ran[1])
        self.record = self.record.add(run)
        write_sweep(self.path, self.record)
        self._on_run(run, False)
        return True
