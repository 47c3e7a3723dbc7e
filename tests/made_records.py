"""Run records for tests, made of little."""

import hashlib
from dataclasses import replace

from reprobox.records import (
    RECORD_SCHEMA,
    EngineRecord,
    Gpu,
    Host,
    OutputFile,
    RunRecord,
    RuntimeRecord,
    StageRecord,
    Suspect,
)

HOST = Host("Linux 6.1", "x86_64", "A CPU", ("avx2", "fma"), 2, 8 << 30, (Gpu("A GPU", "550.1", 8 << 30),))


def make_record(outputs=(("model.npy", b"model"),), **changes):
    """Return the record of a run that left these (path, bytes)."""
    record = RunRecord(
        schema_version=RECORD_SCHEMA,
        id="20261121-084500",
        name="made-up",
        started="2026-11-21T08:45:00+00:00",
        reprobox="0.1.0",
        image_digest="sha256:" + "1" * 64,
        spec_digest="sha256:" + "2" * 64,
        lock_digest="sha256:" + "3" * 64,
        seed=32,
        level="bitwise",
        switches={"threads": 1, "tf32": False, "cublas_workspace": ":4096:8"},
        environment={"PYTHONHASHSEED": "32"},
        gpus=(),
        network=False,
        host=HOST,
        engine=EngineRecord("docker", "20.10", "1.41", "graph-driver", "overlay2"),
        inputs={"data": "4" * 64},
        stages=(StageRecord("train", ("python", "train.py"), 0, 1.5, None, False, False),),
        exit_code=0,
        seconds=1.5,
        runtime=RuntimeRecord(({"pid": 1, "role": "main"},), ()),
        outputs=tuple(OutputFile(path, hashlib.sha256(data).hexdigest(), len(data)) for path, data in outputs),
        missing_outputs=(),
        warnings=(),
        suspects=(Suspect("os-entropy", "/work/train.py:3", 2, "os.urandom"),),
        metrics={"accuracy": 0.5},
    )
    return replace(record, **changes)
