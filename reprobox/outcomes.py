"""What each command came to, as data: printed for people by the summary, for machines as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from reprobox.engines.base import EngineInfo
from reprobox.errors import EngineError, RunError
from reprobox.findings import Finding, Status
from reprobox.json_values import JsonObject
from reprobox.layers.model import Layer
from reprobox.records import RunRecord


@dataclass(frozen=True)
class LockOutcome:
    """What ``lock`` did."""

    path: Path
    digest: str
    changes: tuple[str, ...]
    """One line each, for people; empty when nothing changed."""
    written: bool

    def to_json(self) -> JsonObject:
        """Return what ``lock --json`` prints."""
        return {"lock": str(self.path), "digest": self.digest, "changes": list(self.changes), "written": self.written}


@dataclass(frozen=True)
class BuildOutcome:
    """What ``build`` made."""

    image_digest: str
    """Digest of the OCI config: the same on every machine and engine."""
    manifest_digest: str
    engine_image_id: str
    """What this engine calls it."""
    tag: str
    layers: tuple[Layer, ...]
    seconds: float

    def to_json(self) -> JsonObject:
        """Return what ``build --json`` prints."""
        return {
            "image_digest": self.image_digest,
            "manifest_digest": self.manifest_digest,
            "engine_image_id": self.engine_image_id,
            "tag": self.tag,
            "layers": [
                {"digest": layer.diff_id, "size": layer.size, "what": layer.what, "cached": layer.cached}
                for layer in self.layers
            ],
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class RunOutcome:
    """What ``run`` left behind."""

    folder: Path
    record: RunRecord
    tag: str

    @property
    def exit_status(self) -> int:
        """0, or that the program failed, was stopped, or left less than the spec says."""
        return RunError.exit_code if self.record.failed else 0

    def to_json(self) -> JsonObject:
        """Return what ``run --json`` prints."""
        record = self.record
        return {
            "run_dir": str(self.folder),
            "image_digest": record.image_digest,
            "exit_code": record.exit_code,
            "seconds": record.seconds,
            "seed": record.seed,
            "level": record.level,
            "outputs": {file.path: file.sha256 for file in record.outputs},
            "missing_outputs": list(record.missing_outputs),
            "stages": [asdict(stage) for stage in record.stages],
            "warnings": [*record.warnings, *record.runtime.warnings],
        }


@dataclass(frozen=True)
class DoctorOutcome:
    """What ``doctor`` found."""

    findings: tuple[Finding, ...]
    engine: EngineInfo | None

    @property
    def exit_status(self) -> int:
        """0, or that something failed that a build needs."""
        return EngineError.exit_code if any(found.status is Status.FAILED for found in self.findings) else 0

    def to_json(self) -> JsonObject:
        """Return what ``doctor --json`` prints."""
        return {
            "ok": self.exit_status == 0,
            "engine": asdict(self.engine) if self.engine else None,
            "findings": [asdict(finding) for finding in self.findings],
        }
