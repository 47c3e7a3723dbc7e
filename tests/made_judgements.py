"""A judgement for tests, with something in every field."""

from made_records import HOST, make_record

from reprobox.compare.model import Difference, FileComparison, NumberDifference, Result, make_difference, make_remark
from reprobox.judging.judgement import Agreement, JudgedRun, Judgement, Outcome, Rung, Score
from reprobox.languages import make_reason
from reprobox.record_diff import Fact
from reprobox.verdict import RunComparison, Verdict

PARTED = RunComparison(
    "20261121-084500",
    missing=("notes.txt",),
    added=("other.txt",),
    files=(
        (
            "model.pt",
            FileComparison(
                "torch",
                Result.DIFFERENT,
                3,
                (
                    Difference(
                        "layer.weight",
                        (
                            make_reason(
                                "numbers", differing=2, compared=9, absolute="0.5", relative="1", first="[0, 1]"
                            ),
                        ),
                        NumberDifference(9, 2, 2, 0.5, float("inf"), None, "[0, 1]"),
                    ),
                    make_difference("layer.bias", "shape", one="(2,)", other="(3,)"),
                ),
                2,
            ),
        ),
        ("model.onnx", FileComparison("bytes", Result.NOT_COMPARABLE, 0, remarks=make_remark("value_long"))),
    ),
)


def make_judgement(**changes):
    """Return a judgement that climbed all the way."""
    values = {
        "entry": "forest",
        "bundle": "sha256:" + "a" * 64,
        "signer": "alice@example.org",
        "image_digest": "sha256:" + "b" * 64,
        "seed": 32,
        "contest": "Food",
        "terms": "sha256:" + "c" * 64,
        "verdict": Verdict.CONSISTENT,
        "reason": (make_reason("one_differs", names="model.pt"), make_reason("no_seed_set")),
        "rungs": (
            Rung(0, "is it?", Outcome.PASSED, (make_reason("bytes_named", files=7),), 0.5),
            Rung(1, "does it?", Outcome.SKIPPED, (make_reason("no_predict"),)),
            Rung(3, "is it so?", Outcome.FAILED, (make_reason("one_differs", names="model.pt"),), 12.25),
        ),
        "runs": (JudgedRun("20261121-084500", 32, 0, 61.5, 2 << 30, {"accuracy": 0.875}, {"model.pt": "d" * 64}),),
        "claim": "20261120-120000",
        "claimed_outputs": {"model.pt": "e" * 64},
        "parted": PARTED,
        "circumstances": (Fact("host", "cpu", "A", "B"),),
        "agreement": Agreement("predictions.csv", 0.9375, 0.95),
        "scores": (Score("accuracy", True, 0.875, 0.75, (0.5, 0.9), 5, True, 1, 2),),
        "notes": (make_reason("packed_as_is"),),
        "sandbox": {"network": False, "memory": 1 << 30, "scratch_folders": ("/tmp",)},
        "host": HOST,
        "engine": make_record().engine,
        "started": "2026-11-21T08:45:00+00:00",
        "seconds": 123.5,
        "reprobox": "0.1.0",
    }
    return Judgement(**{**values, **changes})
