"""A judgement as an in-toto statement, for whoever signs and keeps those.

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
"""

from __future__ import annotations

import json

from reprobox.judging.judgement import Judgement, Outcome
from reprobox.verdict import Verdict

_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
_RESULTS = {Verdict.IDENTICAL: "PASSED", Verdict.EQUIVALENT: "PASSED", Verdict.CONSISTENT: "WARNED"}


def format_attestation(judgement: Judgement) -> bytes:
    """Return the statement, not signed; its subjects are the image and the claimed outputs."""
    subjects = [{"name": judgement.entry, "digest": {"sha256": judgement.image_digest.partition(":")[2]}}]
    subjects += [{"name": path, "digest": {"sha256": digest}} for path, digest in judgement.claimed_outputs.items()]
    names = {
        outcome: [f"{one.number}: {one.question}" for one in judgement.rungs if one.outcome is outcome]
        for outcome in Outcome
    }
    predicate = {
        "result": _RESULTS.get(judgement.verdict, "FAILED"),
        "configuration": [{"name": "bundle", "digest": {"sha256": judgement.bundle.partition(":")[2]}}],
        "passedTests": names[Outcome.PASSED],
        "warnedTests": names[Outcome.SKIPPED],
        "failedTests": names[Outcome.FAILED],
    }
    statement = {"_type": _STATEMENT, "subject": subjects, "predicateType": _PREDICATE, "predicate": predicate}
    return (json.dumps(statement, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
