"""Rungs 1 to 4: from the shipped model's predictions to fresh seeds; the first that answers is the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from pathlib import Path

from reprobox.bundle.contents import list_claimed
from reprobox.engines.base import Runner
from reprobox.fleet import Ran, run_fleet
from reprobox.judging.allowance import Allowance, Overspent
from reprobox.judging.claim import CLAIM_FOLDER, find_false_score, list_copies, read_claimed_metrics, score_claim
from reprobox.judging.ending import explain_failure
from reprobox.judging.identity import Entry
from reprobox.judging.judgement import Agreement, Judgement, Outcome
from reprobox.judging.scoring import find_metrics
from reprobox.judging.seeds import SeedRuns, compare_seeds, leave_the_same, measure_agreement
from reprobox.judging.terms import Contest
from reprobox.judging.trail import Trail
from reprobox.languages import Reason, Said, make_reason
from reprobox.outputs import select_outputs
from reprobox.plan import StagePlan
from reprobox.record_diff import compare_circumstances
from reprobox.records import EarlierRun, OutputFile, RunRecord
from reprobox.reporting import Reporter
from reprobox.run import RunRequest
from reprobox.spec.model import Level
from reprobox.sweep import choose_seeds
from reprobox.sweep_runs import reseed_request
from reprobox.verdict import Judgement as Decision
from reprobox.verdict import Obstacle, RunComparison, Verdict, decide, find_obstacles, format_rate
from reprobox.verification import Row
from reprobox.verify import compare_rows, find_first_stage

PREDICTS = "does the shipped model give the submitted predictions?"
AGREES = "do the judge's own runs agree?"
MATCHES = "does the judge's run give what is claimed?"
SEEDS = "is the claim what other seeds give?"


@dataclass(frozen=True)
class Climb:
    """What is judged, and with what."""

    entry: Entry
    contest: Contest
    request: RunRequest
    engines: Sequence[Runner]
    now: Callable[[], datetime]
    trail: Trail
    allowance: Allowance
    reporter: Reporter


def climb(given: Climb) -> Judgement:
    """Go up until a rung answers, and return the verdict with every rung that was reached."""
    try:
        return _judge_predictions(given) or _judge_training(given)
    except Overspent:
        minutes = f"{given.allowance.seconds / 60:.3g}"
        return given.trail.close(Verdict.NOT_COMPARABLE, (make_reason("takes_too_long", minutes=minutes),))


def _judge_predictions(given: Climb) -> Judgement | None:
    """Rung 1: without any training, the stage `predict` on the claimed run's model."""
    trail, entry = given.trail, given.entry
    stage = next((one for one in entry.plan.stages if one.name == "predict"), None)
    earlier = _find_shipped(entry, stage) if stage else None
    if stage is None or earlier is None:
        trail.reach(1, PREDICTS, Outcome.SKIPPED, (make_reason("no_predict"),))
        return None
    made = _run(given, (replace(given.request, stages=(stage,), earlier=earlier),))
    folder, record = made[0]
    if record.failed:
        answer = explain_failure(record, folder, given.contest)
        trail.reach(1, PREDICTS, Outcome.FAILED, answer)
        return trail.close(Verdict.NOT_RUN, (make_reason("did_not_predict"), *answer))
    comparison = _compare(given, (folder, record), stage.outputs)
    if comparison.identical or (given.contest.tolerance and comparison.tolerable):
        key = "predicts_same" if comparison.identical else "predicts_within"
        trail.reach(1, PREDICTS, Outcome.PASSED, (make_reason(key, seconds=f"{record.seconds:.1f}"),))
        return None
    if obstacles := find_obstacles(entry.claim, record):
        trail.reach(1, PREDICTS, Outcome.SKIPPED, _name_obstacles(obstacles))
        return None
    trail.parted = comparison
    trail.agreement = _agree(given, made[0])
    answer = _name_differing(comparison)
    trail.reach(1, PREDICTS, Outcome.FAILED, answer)
    # A score that is not computed from these predictions is the claim's own, which came with the model.
    _add_seeds(given, _score(given, made[0]) if given.contest.labels else {}, ())
    return trail.close(Verdict.DIFFERENT, (make_reason("predicts_other"), *answer))


def _find_shipped(entry: Entry, stage: StagePlan) -> EarlierRun | None:
    """Return what a stage starts with: the claimed outputs but those that it is to make itself, or later ones."""
    before = tuple(takewhile(lambda one: one != stage, entry.plan.stages))
    after = entry.plan.stages[len(before) :]
    made = set(select_outputs(tuple(item for one in after for item in one.outputs), entry.claim.outputs))
    # Nor a copy of those under another name, which it would only have to copy back.
    bytes_made = {file.sha256 for file in made if file.size}
    shipped = tuple(file for file in entry.claim.outputs if file not in made and file.sha256 not in bytes_made)
    if not before or not shipped or not stage.outputs or not select_outputs(stage.outputs, entry.claim.outputs):
        return None
    names = tuple(one.name for one in before)
    return EarlierRun(entry.claim.id, str(entry.folder / CLAIM_FOLDER), entry.claim.image_digest, names, shipped)


def _judge_training(given: Climb) -> Judgement:
    """Rungs 2 and 3: everything from the start, more than once, against each other and against the claim."""
    trail, contest = given.trail, given.contest
    made = _run(given, (given.request,) * contest.runs)
    failed = next((one for one in made if one[1].failed), None)
    if failed:
        answer = explain_failure(failed[1], failed[0], contest)
        trail.reach(2, AGREES, Outcome.FAILED, answer)
        return trail.close(Verdict.NOT_RUN, answer)
    _judge_consistency(given, made)
    found = _judge_claim(given, made)
    return found if isinstance(found, Judgement) else _judge_seeds(given, made, found)


def _judge_consistency(given: Climb, made: Sequence[Ran]) -> None:
    trail = given.trail
    if len(made) < 2:
        trail.reach(2, AGREES, Outcome.SKIPPED, (make_reason("one_run"),))
        return
    first = _row(given, made[0])
    with given.allowance.spend():
        comparisons = [compare_rows(first, _row(given, one), None) for one in made[1:]]
    judgement = decide(comparisons, nothing_left=not first.outputs, with_reference=True)
    outcome = Outcome.PASSED if judgement.verdict is Verdict.IDENTICAL else Outcome.FAILED
    trail.reach(2, AGREES, outcome, _explain(judgement, nothing_left=not first.outputs))


def _judge_claim(given: Climb, made: Sequence[Ran]) -> Judgement | Verdict:
    """Rung 3: the content, then the numbers within the contest's tolerance.

    Where that is no answer, returns the verdict that stands unless fresh seeds give what is claimed.
    """
    trail, entry, contest = given.trail, given.entry, given.contest
    comparisons = [_compare(given, one, ()) for one in made]
    record = made[0][1]
    obstacles = find_obstacles(entry.claim, record)
    judgement = decide(
        comparisons,
        nothing_left=not entry.claim.outputs,
        with_reference=False,
        obstacles=obstacles,
        tolerance=contest.tolerance,
    )
    trail.circumstances = compare_circumstances(entry.claim, record)
    trail.notes += list_copies(entry)
    metrics = _score(given, made[0])
    trail.scores = score_claim(contest, read_claimed_metrics(contest, entry), metrics)
    if judgement.verdict in (Verdict.IDENTICAL, Verdict.EQUIVALENT):
        identical = judgement.verdict is Verdict.IDENTICAL
        key = "content_claimed" if identical else "content_within"
        answer: Said = (make_reason(key, agreeing=judgement.agreeing, runs=judgement.runs),)
        lie = find_false_score(contest, trail.scores)
        trail.reach(3, MATCHES, Outcome.FAILED if lie else Outcome.PASSED, (*answer, lie) if lie else answer)
        if not identical:
            trail.parted = next(one for one in comparisons if not one.identical)
        if lie or not identical:
            trail.agreement = _agree(given, made[0])
            _add_seeds(given, metrics, made[:1])
        return trail.close(Verdict.DIFFERENT, (lie,)) if lie else trail.close(judgement.verdict, answer)
    # A claim without outputs differs in nothing, and is no claim either.
    parted = next((one for one in comparisons if not one.identical), RunComparison(""))
    trail.parted = parted
    trail.agreement = _agree(given, made[0])
    if judgement.verdict is Verdict.NOT_COMPARABLE:
        why = _explain(judgement, obstacles, nothing_left=not entry.claim.outputs)
        trail.reach(3, MATCHES, Outcome.FAILED, why)
        return judgement.verdict if entry.claim.outputs else trail.close(judgement.verdict, why)
    stage = find_first_stage(entry.plan.stages, (parted,))
    first = (make_reason("first_stage", stage=stage),) if stage else ()
    trail.reach(3, MATCHES, Outcome.FAILED, (*_name_differing(parted), *first))
    return Verdict.DIFFERENT


def _judge_seeds(given: Climb, made: Sequence[Ran], otherwise: Verdict) -> Judgement:
    """Rung 4: whether the claimed score lies where fresh seeds put it."""
    trail, contest, entry = given.trail, given.contest, given.entry
    differs = trail.last_answer
    if otherwise is Verdict.DIFFERENT:
        differs = (make_reason("result_differs"), *differs)
    fresh = _run_seeds(given, _score(given, made[0]), made[:1])
    if fresh is None or not trail.scores:
        why = "no_seeds_asked" if not contest.seeds else "no_shared_metric"
        why = "no_seed_set" if entry.plan.level is Level.OFF else why
        trail.reach(4, SEEDS, Outcome.SKIPPED, (make_reason(why),))
        return trail.close(otherwise, differs)
    verdict, answer = fresh.judge(trail.scores)
    trail.reach(4, SEEDS, Outcome.PASSED if verdict is Verdict.CONSISTENT else Outcome.FAILED, (answer,))
    return trail.close(verdict if verdict is Verdict.CONSISTENT else otherwise, (*differs, answer))


def _add_seeds(given: Climb, metrics: Mapping[str, float], beside: Sequence[Ran]) -> None:
    """Run fresh seeds beside an answer that stands: how close it is says nothing where nobody knows how close they are.

    Takes what ``_run_seeds`` takes.
    """
    with suppress(Overspent):
        if fresh := _run_seeds(given, metrics, beside):
            given.trail.notes.append(make_reason("seeds_beside", seeds=len(fresh.made)))


def _run_seeds(given: Climb, metrics: Mapping[str, float], beside: Sequence[Ran]) -> SeedRuns | None:
    """Run fresh seeds, and set the agreement and the scores beside theirs; ``None`` where they could tell nothing.

    ``metrics`` are those of the judge's run, which is in ``beside`` if the entry's own seed trained it.
    """
    trail, contest, entry = given.trail, given.contest, given.entry
    if not contest.seeds or entry.plan.level is Level.OFF or not (trail.agreement or trail.scores or metrics):
        return None
    seeds = choose_seeds(entry.plan.seed, contest.seeds)
    fresh = SeedRuns(tuple(_run(given, tuple(reseed_request(given.request, entry.lock, seed) for seed in seeds))))
    trained = (*beside, *fresh.complete)
    if trail.agreement:
        with given.allowance.spend():
            trail.agreement = replace(trail.agreement, between_seeds=compare_seeds(trail.agreement.path, trained))
    fresh_metrics = tuple(_score(given, one) for one in fresh.complete)
    trail.scores = score_claim(contest, read_claimed_metrics(contest, entry), metrics, fresh_metrics)
    if failed := len(fresh.made) - len(fresh.complete):
        trail.notes.append(make_reason("seeds_failed", failed=failed, seeds=len(fresh.made)))
    if leave_the_same(trained):
        trail.notes.append(make_reason("seeds_move_nothing"))
    return fresh


def _score(given: Climb, ran: Ran) -> dict[str, float]:
    """Return a run's metrics, by the file that the claim is scored by, whatever else the run leaves."""
    folder, record = ran
    claimed = tuple(file.path for file in given.entry.claim.outputs)
    with given.allowance.spend():
        return find_metrics(given.contest, folder, claimed, record.metrics)


def _agree(given: Climb, judged: Ran) -> Agreement | None:
    with given.allowance.spend():
        return measure_agreement(given.entry, given.contest, judged[0])


def _run(given: Climb, requests: tuple[RunRequest, ...]) -> list[Ran]:
    """Run them in the sandbox, until one fails; what they left is in the order of the requests."""
    made: dict[int, Ran] = {}

    def keep(number: int, ran: Ran) -> bool:
        made[number] = ran
        given.trail.add_run(ran[1])
        return not ran[1].failed or requests[0].contract is not None

    run_fleet(requests, given.engines, given.now, keep, given.reporter)
    return [made[number] for number in sorted(made)]


def _compare(given: Climb, ran: Ran, declared: tuple[str, ...]) -> RunComparison:
    """Set a run against the claim, or only those outputs of both that ``declared`` names."""
    claim = given.entry.claim
    wanted = select_outputs(declared, claim.outputs)
    reference = _to_row(given.entry.folder / CLAIM_FOLDER, claim, wanted)
    folder, record = ran
    left = select_outputs(declared, record.outputs) if declared else _list_result(given, record)
    with given.allowance.spend():
        return compare_rows(reference, _to_row(folder, record, left), given.contest.tolerance)


def _row(given: Climb, ran: Ran) -> Row:
    return _to_row(ran[0], ran[1], _list_result(given, ran[1]))


def _list_result(given: Climb, record: RunRecord) -> tuple[OutputFile, ...]:
    return list_claimed(given.entry.plan, given.entry.spec, record)


def _to_row(folder: Path, record: RunRecord, outputs: tuple[OutputFile, ...]) -> Row:
    return Row(0, folder, record, tuple((file.path, file.sha256) for file in outputs))


def _name_differing(comparison: RunComparison) -> Said:
    names = [*comparison.missing, *comparison.added, *(path for path, _ in comparison.files)]
    if not names:
        return (make_reason("nothing_differs"),)
    return (make_reason("one_differs" if len(names) == 1 else "some_differ", names=", ".join(names[:3])),)


def _explain(found: Decision, obstacles: Sequence[Obstacle] = (), *, nothing_left: bool) -> Said:
    """Say why runs were judged like that."""
    match found.verdict:
        case Verdict.IDENTICAL:
            return (make_reason("runs_identical", runs=found.runs, bound=format_rate(found.bound or 1)),)
        case Verdict.NOT_COMPARABLE if nothing_left:
            return (make_reason("no_outputs"),)
        case Verdict.NOT_COMPARABLE if obstacles:
            return _name_obstacles(obstacles)
        case Verdict.NOT_COMPARABLE:
            return (make_reason("unreadable"),)
        case _:
            return (make_reason("runs_differ", parted=found.runs - found.agreeing, runs=found.runs),)


def _name_obstacles(found: Sequence[Obstacle]) -> Said:
    return (make_reason("conditions_differ"), *map(_name_obstacle, found))


def _name_obstacle(found: Obstacle) -> Reason:
    name = {"name": found.name} if found.kind == "input" else {}
    return make_reason(_CONDITIONS[found.kind], **name, claimed=found.one, here=found.other)


_CONDITIONS = {
    "image": "condition_image",
    "seed": "condition_seed",
    "level": "condition_level",
    "GPU": "condition_gpu",
    "input": "condition_input",
}
