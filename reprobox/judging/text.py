"""Say in words what judging an entry came to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reprobox.judging.judgement import Agreement, Judgement, Outcome, Rung, Score
from reprobox.judging.words import tell_english
from reprobox.streams import escape_unprintable

_MARKS = {Outcome.PASSED: "yes", Outcome.FAILED: "no", Outcome.SKIPPED: "—"}
_MOST_FACTS = 12


def describe_rung(rung: Rung) -> str:
    """Return one rung's line, as it is reached."""
    return escape_unprintable(
        f"rung {rung.number}   {rung.question} {_MARKS[rung.outcome]}: {tell_english(rung.answer)}"
    )


def describe_judgement(found: Judgement, folder: Path) -> str:
    """Return what stands below the rungs: what differs and how much that means, then the verdict."""
    lines = [
        *(f"         {escape_unprintable(line)}" for line in found.differences),
        *(_describe_agreement(found.agreement) if found.agreement else ()),
        *(line for score in found.scores for line in _describe_score(score)),
        *_describe_circumstances(found),
        *(f"note     {escape_unprintable(tell_english((note,)))}" for note in found.notes),
        f"verdict  {found.verdict} — {escape_unprintable(tell_english(found.reason))}",
        f"kept in  {folder}",
    ]
    return "\n".join(lines)


def _describe_agreement(agreement: Agreement) -> Iterator[str]:
    text = f"agree    {agreement.with_claim:.2%} of the rows of {escape_unprintable(agreement.path)} are as claimed"
    if agreement.between_seeds is None:
        yield f"{text}; no other seed was run to set that beside, and alone it says nothing"
        return
    yield f"{text}; two seeds of this entry agree on {agreement.between_seeds:.2%}"
    if agreement.with_claim <= agreement.between_seeds:
        yield "         → no closer than another seed of the same program: it does not show that the seed was held"


def _describe_score(score: Score) -> Iterator[str]:
    judged = "none" if score.judged is None else f"{score.judged:.6g}"
    text = f"score    {escape_unprintable(score.metric)}: claimed {score.claimed:.6g}, here {judged}"
    if score.band:
        text += f"; {score.seeds} other seeds: {score.band[0]:.6g} … {score.band[1]:.6g}"
        text += "".join(f", {name} {value:.6g}" for name, value in _list_middle(score))
    yield text + ("; computed from predictions and labels" if score.computed else "; as the programs say it")
    if score.seed_sensitive:
        yield "         → a seed-sensitive claim: other seeds of the same program do not reach it"
    if score.rank_claimed is not None and score.rank_judged is not None:
        change = "the same" if score.rank_claimed == score.rank_judged else f"{score.rank_judged} by the judge's run"
        yield f"         rank {score.rank_claimed} by the claim, {change}"


def _list_middle(score: Score) -> Iterator[tuple[str, float]]:
    for name, value in (("median", score.median), ("sd", score.sd)):
        if value is not None:
            yield name, value


def _describe_circumstances(found: Judgement) -> Iterator[str]:
    """Name what was not the same around the runs, where the results are not the same either."""
    if found.parted is None:
        return
    for fact in found.circumstances[:_MOST_FACTS]:
        one, other = (escape_unprintable(text or "nothing")[:120] for text in (fact.a, fact.b))
        yield f"other    {fact.group} {escape_unprintable(fact.name)}: {one} → {other}"
    if len(found.circumstances) > _MOST_FACTS:
        yield f"         … and {len(found.circumstances) - _MOST_FACTS} more, in judgement.json"
