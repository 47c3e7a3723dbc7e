"""What a yes in the checklist says of the rest of a report: a trace alone is no evidence of what is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Report = dict[str, Any]
Ground = Callable[[Report], object]


def find_groundless(report: Report) -> Iterator[tuple[str, str]]:
    """Yield JSON path and message of every yes to which the report has nothing, or something else."""
    for index, item in enumerate(report["checklist"]):
        ground = _GROUNDS.get(item["item"])
        if item["answer"] == "yes" and ground and not ground(report):
            yield f"$.checklist[{index}]", f"yes, and the report does not have what {item['item']} asks for"


def _at(*paths: str) -> Ground:
    """Return what is true of a report in which none of the values at these paths is ``null`` or empty."""

    def is_there(report: Report) -> bool:
        return all(_find(report, path) not in (None, "", [], 0) for path in paths)

    return is_there


def _find(report: Report, path: str) -> object:
    value: Any = report
    for key in path.split("."):
        value = None if value is None else value[key]
    return value


def _has_own_source(report: Report) -> bool:
    source = report["a_procedure"]["source"]
    return bool(source["run_sha256"] == source["sha256"])


def _has_role(role: str) -> Ground:
    return lambda report: any(one["role"] == role for one in report["a_procedure"]["outputs"]["files"])


def _has_data(report: Report) -> object:
    files = report["a_procedure"]["inputs"]["files"]
    if any(one["rows"] is None or one["split"] is None for one in files):
        return False
    return files or report["a_procedure"]["external_data"]


def _has_features(report: Report) -> bool:
    section = report["i_contributions"]
    return bool(section["feature_selection"]) or any(row["description"] for row in section["rows"])


def _has_seeds(report: Report) -> bool:
    section = report["e_seed"]
    return bool(section["no_randomness"]) or any(one["seeds"] for one in section["observed"]["backends"])


def _has_runs(report: Report) -> bool:
    verification, sweep = report["extra"]["verification"], report["extra"]["sweep"]
    swept = [one["name"] for one in sweep["metrics"]] if sweep else []
    said = (report["extra"]["definitions"] or {"texts": {}})["texts"]
    if any(name not in said for name in (*report["extra"]["metrics"]["values"], *swept)):
        return False
    return bool(verification and verification["runs"]) or bool(sweep and sweep["seeds"])


def _has_gpu_memory(report: Report) -> bool:
    environment = report["u_environment"]
    declared = environment["declared_hardware"] or {}
    measured = report["extra"]["costs"]["gpu_memory"]
    needed = environment["hardware"]["accelerators_per_node"]
    return not needed or measured is not None or bool(declared.get("accelerator_memory_needed"))


def _has_memory(report: Report) -> bool:
    return all(stage["peak_memory"] is not None for stage in report["extra"]["costs"]["stages"])


_GROUNDS: dict[str, Ground] = {
    "source_version": _has_own_source,
    "stage_commands": lambda report: len(report["a_procedure"]["procedure"]["stages"]) > 1,
    "tree": _at("a_procedure.source.files"),
    "side_effects": _at("a_procedure.side_effects", "a_procedure.assumptions"),
    "model": _has_role("model"),
    "predictions": _has_role("predictions"),
    "data": _has_data,
    "features": _has_features,
    "system": _at("u_environment.image.digest", "u_environment.system.image"),
    "software": _at("u_environment.image.digest", "u_environment.software.python", "u_environment.software.debian"),
    "image": _at("u_environment.image.digest", "u_environment.image.base", "u_environment.image.dockerfile_sha256"),
    "hardware": _at("u_environment.hardware.host_processor_model_name", "u_environment.hardware.host_storage_capacity"),
    "method": _at("u_environment.method", "u_environment.hyperparameters"),
    "seeds": _has_seeds,
    "switches": _at("e_seed.observed.processes"),
    "runs": _has_runs,
    "time": _has_memory,
    "disk": _has_gpu_memory,
    "licence": _at("extra.licence.code", "extra.licence.model", "extra.licence.data"),
    "claim": _at("extra.claim"),
    "background": _at("extra.background"),
}
"""Item -> what a yes needs; an item that is not here always has its facts, by the schema."""
