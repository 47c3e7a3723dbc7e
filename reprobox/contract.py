"""The one file through which the host speaks to the runtime inside the container."""

from __future__ import annotations

import json

from reprobox.plan import Plan

CONTRACT_SCHEMA = 1


def format_contract(plan: Plan) -> bytes:
    """Return ``contract.json`` for a plan; the runtime reads it, ``docs/runtime.md`` lists its fields."""
    contract = {
        "schema_version": CONTRACT_SCHEMA,
        "name": plan.name,
        "seed": plan.seed,
        "level": plan.level.value,
        "switches": dict(plan.switches),
        "env": dict(plan.env),
        "stages": [{"name": stage.name, "command": list(stage.command)} for stage in plan.stages],
    }
    return (json.dumps(contract, indent=1, sort_keys=True) + "\n").encode()
