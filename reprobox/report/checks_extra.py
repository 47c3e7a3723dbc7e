"""Checks of heading イ, and of what venues ask for beyond the four headings."""

from __future__ import annotations

import re

from reprobox.contributions.model import Status
from reprobox.languages import make_reason
from reprobox.report.findings import Finding, Parts, find_statements, say_no, say_yes
from reprobox.report.values import Answer, Origin
from reprobox.sizes import format_size


def check_contributions(parts: Parts) -> Finding:
    """10: the contribution of each variable, or why there is none."""
    section = parts.i
    match section.status:
        case Status.COMPUTED:
            methods = ", ".join(dict.fromkeys(row.method for row in section.rows))
            return say_yes(
                Origin.MEASURED, section.trace, "contributions_computed", count=len(section.rows), method=methods
            )
        case Status.NOT_APPLICABLE:
            reason = make_reason("contributions_not_applicable", reason=section.reason)
            return Finding(Answer.NOT_APPLICABLE, reason, section.origin, section.trace)
        case Status.NOT_COMPUTED:
            return say_no("contributions_not_computed", reason=section.reason)
        case _:
            return say_no("contributions_unrecorded")


def check_features(parts: Parts) -> Finding:
    """11: what the variables are, and how they were chosen."""
    section = parts.i
    if section.feature_selection:
        return say_yes(Origin.DECLARED, section.feature_selection.trace, "features_declared")
    described = sum(bool(row.description) for row in section.rows)
    if described:
        # In a file of the run's, but a person's words.
        return say_yes(Origin.DECLARED, section.trace, "features_described", count=described, of=len(section.rows))
    if section.status == Status.NOT_APPLICABLE:
        return Finding(Answer.NOT_APPLICABLE, make_reason("features_none"), section.origin, section.trace)
    return say_no("features_undeclared")


def check_network(parts: Parts) -> Finding:
    """18: whether the run needs a network."""
    network, isolation = parts.extra.network, parts.u.engine.isolation
    # Of runs without a container it lists the namespaces.
    if not network.allowed and not {"container", "net"} & set(re.findall(r"\w+", isolation)):
        return say_no("network_open")
    return say_yes(network.origin, network.trace, "network_allowed" if network.allowed else "network_none")


def check_runs(parts: Parts) -> Finding:
    """21: how often it was run, how the results spread, and what the metrics are."""
    verification, sweep = parts.repeated, parts.extra.sweep
    undefined = _list_undefined(parts)
    if undefined and (verification or sweep):
        return say_no("runs_undefined", metrics=", ".join(undefined))
    if verification and sweep:
        trace = (*verification.trace, *sweep.trace)
        values = {"agreeing": verification.agreeing, "runs": len(verification.runs), "seeds": sweep.seeds}
        return say_yes(Origin.MEASURED, trace, "runs_both", **values)
    if verification:
        values = {"agreeing": verification.agreeing, "runs": len(verification.runs)}
        return say_yes(Origin.MEASURED, verification.trace, "runs_verified", **values)
    if sweep:
        return say_yes(Origin.MEASURED, sweep.trace, "runs_swept", seeds=sweep.seeds)
    if parts.extra.verification:
        return say_no("runs_not_run", reason=parts.extra.verification.reason)
    return say_no("runs_unrecorded")


def _list_undefined(parts: Parts) -> list[str]:
    """Return the metrics of the run and of other seeds that nobody says the meaning of."""
    swept = [one.name for one in parts.extra.sweep.metrics] if parts.extra.sweep else []
    said = parts.extra.definitions.texts if parts.extra.definitions else {}
    return [name for name in dict.fromkeys((*parts.extra.metrics.values, *swept)) if name not in said]


def check_time(parts: Parts) -> Finding:
    """22: time and memory of each stage."""
    costs = parts.extra.costs
    known = [stage.peak_memory for stage in costs.stages if stage.peak_memory is not None]
    if len(known) < len(costs.stages):
        return say_no("time_without_memory", seconds=f"{costs.seconds:.1f}")
    return say_yes(
        costs.origin,
        costs.trace,
        "time_recorded",
        stages=len(costs.stages),
        seconds=f"{costs.seconds:.1f}",
        memory=format_size(max(known, default=0)),
    )


def check_disk(parts: Parts) -> Finding:
    """23: need of disk and of a GPU's memory."""
    costs = parts.extra.costs
    values = {"outputs": format_size(costs.output_bytes), "downloads": format_size(costs.download_bytes)}
    if not parts.u.hardware.accelerators_per_node:
        return say_yes(costs.origin, costs.trace, "disk_recorded", **values)
    said = parts.u.declared_hardware
    if costs.gpu_memory is not None:
        return say_yes(costs.origin, costs.trace, "disk_with_gpu", **values, gpu=format_size(costs.gpu_memory))
    if said and said.accelerator_memory_needed:
        return say_yes(
            Origin.DECLARED, (*costs.trace, *said.trace), "disk_with_gpu", **values, gpu=said.accelerator_memory_needed
        )
    return say_no("disk_without_gpu", **values)


def check_licence(parts: Parts) -> Finding:
    """24: licences of code, model and data."""
    licence = parts.extra.licence
    if licence is None:
        return say_no("licence_undeclared")
    said = {"code": licence.code, "model": licence.model, "data": licence.data}
    missing = [name for name, text in said.items() if text is None]
    if missing:
        return say_no("licence_partly", missing=", ".join(missing))
    return say_yes(licence.origin, licence.trace, "licence_declared")


def check_claim(parts: Parts) -> Finding:
    """25: the claimed score."""
    claim = parts.extra.claim
    if claim is None:
        return say_no("claim_undeclared")
    value, measured = f"{claim.value:.6g}", "" if claim.measured is None else f"{claim.measured:.6g}"
    key = "claim_alone" if not measured else "claim_same" if measured == value else "claim_other"
    values = {"metric": claim.metric, "value": value, "measured": measured}
    return say_yes(claim.origin, claim.trace, key, **values)


def check_background(parts: Parts) -> Finding:
    """26: a simplified model, the team."""
    return find_statements("background", parts.extra.background)
