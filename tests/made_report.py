"""A made-up project with everything that a report can be made of, for tests."""

import hashlib
from dataclasses import replace

from reprobox.contributions.model import Contribution, Contributions, Status
from reprobox.lock import DebianBase, DebPackage, Lock, PythonTarget, Wheel, spec_digest, spec_keys
from reprobox.plan import SourceFile, make_plan, source_digest
from reprobox.records import (
    RECORD_SCHEMA,
    EngineRecord,
    Gpu,
    Host,
    OutputFile,
    RunRecord,
    RuntimeRecord,
    StageRecord,
    Storage,
    Suspect,
)
from reprobox.report.declared_load import parse_declared
from reprobox.report.extra_model import VerificationFacts, VerifiedRun
from reprobox.report.make import make_report
from reprobox.report.model import Git
from reprobox.report.sources import Evidence, Sources
from reprobox.report.values import Origin
from reprobox.spec.load import parse_spec
from reprobox.sweep import SeedRun, SweepRecord
from reprobox.verdict import bound_divergence

SPEC = """\
reprobox: 1
name: visitors
seed: 32
packages: [numpy]
inputs:
  table: {path: data/table.csv, sha256: 4444444444444444444444444444444444444444444444444444444444444444}
stages:
  prepare: {command: python prepare.py, outputs: [table.npz]}
  train: {command: python train.py --epochs 20, outputs: [model.npy, contributions.csv]}
  predict: {command: python predict.py, outputs: [predictions.csv]}
"""
DECLARED = """\
title: 来場者数の予測
author: 再現 花子
method: |
  Linear regression.

  線形回帰である。
hyperparameters: {alpha: 0.1, folds: 5}
feature_selection: すべての列
side_effects: none
assumptions: the table is sorted by day
external_data: none
inputs: {table: {split: train and validation}}
hardware: {host_networking: 10 Gbit/s Ethernet, accelerator_interconnect: none}
metrics: {rmse: root of the mean squared error, mae: "mean of |error|"}
outputs: {model: model.npy, predictions: [predictions.csv]}
licence: {code: Apache-2.0, model: CC-BY-4.0, data: as the rules say}
claim: {metric: rmse, value: 12.5, where: public leaderboard}
background: one person, evenings only
"""
IMAGE = "sha256:" + "1" * 64
GPU = Gpu("A GPU", "550.1", 80 << 30, compute_capability="9.0")
SOURCE = tuple(
    SourceFile(path, False, hashlib.sha256(path.encode()).hexdigest(), size)
    for path, size in (("lib/columns.py", 1200), ("predict.py", 300), ("prepare.py", 200), ("train.py", 900))
)


def digest(text: str) -> str:
    """Return a hash that stands for a file nobody has."""
    return hashlib.sha256(text.encode()).hexdigest()


def make_lock(spec):
    """Return a lock with two wheels and three Debian packages."""
    keys = spec_keys(spec, None)
    debs = [
        DebPackage(name, version, "amd64", digest(name), 1000, "debian", f"pool/main/{name}.deb")
        for name, version in (("base-files", "12.4"), ("libgomp1", "12.2.0-14+deb12u1"), ("python3.11", "1:3.11.2-6"))
    ]
    wheels = [
        Wheel(name, version, f"{name}-{version}-py3-none-any.whl", digest(name), size)
        for name, version, size in (("numpy", "2.3.5", 16_000_000), ("pip", "26.0", 1_800_000))
    ]
    base = DebianBase("bookworm", "amd64", "20260101T000000Z", tuple(debs))
    return Lock(
        "0.1.0", 1, spec_digest(keys), keys, base, PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36"), (),
        tuple(wheels),
    )  # fmt: skip


def make_process(stage, seed=32, role="main", **more):
    """Return what one process said about itself."""
    backends = {
        "numpy": {"seed": seed, "version": "2.3.5", "when": "import"},
        "random": {"seed": seed, "version": "3.11.2", "when": "import"},
    }
    switches = {"PYTHONHASHSEED": {"wanted": 32, "value": 32, "status": "set", "detail": ""}}
    return {"role": role, "stage": stage, "backends": backends, "switches": switches, **more}


def make_record(plan, **changes):
    """Return the record of a run of all stages."""
    outputs = {"contributions.csv": 300, "model.npy": 4096, "predictions.csv": 900, "table.npz": 145_122}
    processes = ({"role": "entrypoint"}, *(make_process(stage.name) for stage in plan.stages))
    record = RunRecord(
        schema_version=RECORD_SCHEMA,
        id="20261121-084500",
        name=plan.name,
        started="2026-11-21T08:45:00+00:00",
        reprobox="0.1.0",
        image_digest=IMAGE,
        spec_digest=plan.spec_digest,
        lock_digest=plan.lock_digest,
        seed=plan.seed,
        level=plan.level.value,
        switches=dict(plan.switches),
        environment={**dict(plan.env), "SECRET_TOKEN": "hunter2"},
        network=False,
        host=Host(
            "Linux 6.1",
            "x86_64",
            "A CPU",
            ("avx2", "fma"),
            2,
            8 << 30,
            (),
            1,
            "A Machine",
            Storage("NVMe SSD", "ext4", 512 * 10**9),
        ),
        engine=EngineRecord("docker", "20.10", "1.41", "graph-driver", "overlay2"),
        inputs={"table": "4" * 64},
        stages=tuple(
            StageRecord(stage.name, stage.command, 0, seconds, peak, False, False)
            for stage, seconds, peak in zip(
                plan.stages, (2.5, 61.25, 1.0), (90 << 20, 700 << 20, 80 << 20), strict=False
            )
        ),
        exit_code=0,
        seconds=64.75,
        runtime=RuntimeRecord(processes, ()),
        outputs=tuple(OutputFile(path, digest(path), size) for path, size in outputs.items()),
        missing_outputs=(),
        warnings=(),
        suspects=(Suspect("listing-order", "/work/prepare.py:3", 2, "os.listdir"),),
        metrics={"rmse": 12.5, "mae": 9.75},
        source_sha256=source_digest(plan.source),
    )
    return replace(record, **changes)


def make_verification(runs=3, agreeing=3):
    """Return what repeating the run came to."""
    rows = tuple(
        VerifiedRun(f"20261121-0845{index:02}", 60.0 + index, 0, digest("same" if index < agreeing else f"{index}"))
        for index in range(runs)
    )
    same = agreeing == runs
    return VerificationFacts(
        origin=Origin.MEASURED,
        trace=Evidence(".reprobox/verify/20261121-084500.json", digest("verify")).trace("runs"),
        id="20261121-084500",
        verdict="IDENTICAL" if same else "DIFFERENT",
        reason=f"{agreeing}/{runs} identical",
        wanted=runs,
        agreeing=agreeing,
        bound=bound_divergence(runs) if same else None,
        against=None,
        runs=rows,
        cost=1.25,
    )


def make_sweep(plan):
    """Return a sweep over nine other seeds."""
    runs = [
        SeedRun(seed, f"run-{seed}", 0, True, 60.0, {"rmse": 12.5 + (seed * 7 % 10) / 8})
        for seed in (*range(1, 10), 32)
    ]
    return SweepRecord(
        "1" * 12, plan.name, IMAGE, plan.spec_digest, plan.lock_digest, "bitwise", False, 32, tuple(runs)
    )


def make_contributions():
    """Return the contributions of three variables."""
    rows = tuple(
        Contribution(
            feature, importance, std, rank, "permutation", "increase of rmse", "validation", "rmse", 5, 32, "", words
        )
        for rank, (feature, importance, std, words) in enumerate(
            (
                ("temperature", 3.25, 0.5, "気温(℃)"),
                ("day|of|week", 1.5, 0.25, "0 is Monday"),
                ("<b>rain</b>", -0.125, None, ""),
            ),
            1,
        )
    )
    return Contributions(Status.COMPUTED, "", rows, library="scikit-learn 1.9.1", sign="signed", sha256=digest("c"))


def make_sources(spec_text=SPEC, declared=DECLARED, lock=make_lock, **changes):
    """Return everything at once; ``changes`` replace parts of it."""
    spec = parse_spec(spec_text, "spec.yaml", None)
    plan = make_plan(spec, lock(spec), SOURCE)
    run_file = Evidence(".reprobox/runs/20261121-084500/run.json", digest("run"))
    said = replace(parse_declared(declared, "report.yaml"), sha256=hashlib.sha256(declared.encode()).hexdigest())
    sources = Sources(
        spec=spec,
        spec_file=Evidence("spec.yaml", digest("spec")),
        lock_file=Evidence("spec.lock", digest("lock")),
        plan=plan,
        record=make_record(plan),
        run_file=run_file,
        declared=said,
        git=Git("a" * 40, dirty=False),
        rows={"table": 5000},
        dockerfile_sha256=digest("Dockerfile"),
        verification=make_verification(),
        sweep=make_sweep(plan),
        sweep_file=Evidence(".reprobox/sweep/111111111111.json", digest("sweep")),
        contributions=make_contributions(),
        contributions_file=Evidence(".reprobox/runs/20261121-084500/output/contributions.csv", digest("c")),
    )
    return replace(sources, **changes)


def make_full_report(**changes):
    """Return the report of the made-up project."""
    return make_report(make_sources(**changes))


def change_record(sources, **changes):
    """Return the sources with another record."""
    return replace(sources, record=replace(sources.record, **changes))
