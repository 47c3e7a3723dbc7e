"""The short text a command ends with: what came of it and where things are."""

from __future__ import annotations

from collections.abc import Iterable
from signal import Signals

from reprobox.findings import Finding, Status
from reprobox.outcomes import BuildOutcome, RunOutcome
from reprobox.records import Gpu, StageRecord
from reprobox.reporting import format_count
from reprobox.sizes import format_size
from reprobox.streams import escape_unprintable

_MARKS = {Status.OK: "ok  ", Status.WARNING: "warn", Status.FAILED: "FAIL"}
_MOST_OUTPUTS = 12


def describe_build(outcome: BuildOutcome) -> str:
    """Return the layers, the digest and the image's name."""
    total = sum(layer.size for layer in outcome.layers)
    new = [layer for layer in outcome.layers if not layer.cached]
    lines = [
        f"{format_size(layer.size):>10}  {'cached' if layer.cached else 'new':6}  {layer.what}"
        for layer in outcome.layers
    ]
    return "\n".join(
        (
            *lines,
            f"image    {outcome.tag}",
            f"digest   {outcome.image_digest}",
            f"size     {format_size(total)} in {format_count(len(outcome.layers), 'layer')}, {len(new)} of them new",
            f"time     {outcome.seconds:.1f} s",
        )
    )


def describe_run(outcome: RunOutcome) -> str:
    """Return how each stage went, the outputs with their hashes, and what went wrong."""
    record = outcome.record
    shown = [(escape_unprintable(file.path), file.sha256) for file in record.outputs[:_MOST_OUTPUTS]]
    width = max((len(path) for path, _ in shown), default=0)
    warnings = [escape_unprintable(text) for text in (*record.warnings, *record.runtime.warnings)]
    lines = [
        *(_describe_stage(stage) for stage in record.stages),
        *(f"output   {path:{width}}  sha256:{sha256[:16]}…" for path, sha256 in shown),
        *_describe_rest(len(record.outputs) - _MOST_OUTPUTS),
        *(f"missing  {name}: the spec declares it, the run did not leave it" for name in record.missing_outputs),
        *(f"warning  {text}" for text in warnings[:_MOST_OUTPUTS]),
        *_describe_rest(len(warnings) - _MOST_OUTPUTS),
        *(f"GPU      {_describe_gpu(gpu)}" for gpu in record.gpus),
        f"seed     {record.seed}, level {record.level}",
        f"outputs  {outcome.folder / 'output'}",
        f"record   {outcome.folder / 'run.json'}",
    ]
    return "\n".join(lines)


def _describe_gpu(gpu: Gpu) -> str:
    slowed = f", slowed by {' and '.join(gpu.slowed)}" if gpu.slowed else ""
    return f"{gpu.name}, driver {gpu.driver}{slowed}"


def _describe_stage(stage: StageRecord) -> str:
    memory = f", peak memory {format_size(stage.peak_memory)}" if stage.peak_memory else ""
    return f"{stage.name:8} {_describe_end(stage)} after {stage.seconds:.1f} s{memory}"


def _describe_end(stage: StageRecord) -> str:
    if stage.timed_out:
        return "stopped: its time was up (resources.timeout)"
    if stage.out_of_memory:
        return "killed: out of memory (resources.memory)"
    if stage.exit_code:
        return f"failed with exit code {stage.exit_code}{_describe_signal(stage.exit_code)}"
    return "done"


def _describe_signal(code: int) -> str:
    """Name the signal that 128 and its number stand for, as a shell counts."""
    names = {128 + one.value: one.name for one in Signals}
    return f" ({names[code]})" if code in names else ""


def _describe_rest(count: int) -> Iterable[str]:
    if count > 0:
        yield f"         … and {count} more"


def describe_findings(findings: Iterable[Finding]) -> str:
    """Return one line a finding, with its hint below it, and what they come to."""
    findings = tuple(findings)
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.status]}  {finding.name:13} {finding.detail}")
        if finding.hint:
            lines.append(f"{'':20}→ {finding.hint}")
    failed = sum(finding.status is Status.FAILED for finding in findings)
    lines.append(f"{format_count(failed, 'thing')} to put right" if failed else "ready to build and run")
    return "\n".join(lines)
