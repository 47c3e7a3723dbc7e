"""A judgement as a page to read, in every language of the reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

from reprobox.compare.model import FileComparison, Result
from reprobox.judging.judgement import Judgement, Score
from reprobox.judging.words import tell, tell_english
from reprobox.languages import Language, Said
from reprobox.record_diff import NAMED_GROUPS
from reprobox.report.document import Block, Cell, Document, Facts, Paragraphs, Section, Source, Table
from reprobox.report.render import format_html, format_markdown
from reprobox.sizes import format_size
from reprobox.streams import escape_unprintable
from reprobox.verdict import RunComparison

_NOBODY = Source("", "")
_CODE = {"bundle", "image", "sha256"}
_SCORE = (
    *("claimed", "judged", "seeds", "median", "sd", "band", "inside", "seed_sensitive", "computed"),
    *("rank_claimed", "rank_judged"),
)
_MOST_ROWS = 40
_MOST_PARTS = 10
"""Shown of one file; the record has more."""


def format_pages(judgement: Judgement, language: Language) -> Iterator[tuple[str, str]]:
    """Yield name and text of ``judgement.<language>.md`` and ``.html``."""
    document = lay_out_judgement(judgement, language)
    yield f"judgement.{language.code}.md", format_markdown(document, language)
    yield f"judgement.{language.code}.html", format_html(document, language)


def lay_out_judgement(judgement: Judgement, language: Language) -> Document:
    """Return the document of a judgement."""
    page = _Page(judgement, language)
    return Document(
        language=language.code,
        title=language["judge.title"].format(entry=escape_unprintable(judgement.entry)),
        author="",
        head=Facts("", _NOBODY, ((page.word("verdict"), page.cell(judgement.verdict.value, "verdict")),)),
        counts=(),
        notes=(language[f"judge.{judgement.verdict}"], page.tell(judgement.reason)),
        sections=tuple(page.section(name, blocks) for name, blocks in page.list_sections()),
        items=(),
        evidence=(),
        notes_title=page.word("answer"),
    )


class _Page:
    def __init__(self, judgement: Judgement, language: Language) -> None:
        self._judgement = judgement
        self._language = language

    def word(self, name: str) -> str:
        """Return a text of the language's."""
        return self._language[f"judge.{name}"]

    def circumstance(self, name: str) -> str:
        """Return the language's name of what was not the same; some, like "reprobox", have none."""
        return self._language.texts.get(f"circumstance.{name.replace(' ', '_')}") or escape_unprintable(name)

    def cell(self, value: object, path: str, text: str | None = None) -> Cell:
        """Return a value with the place where ``judgement.json`` has it."""
        if value is None or value == "":
            return Cell(self._language["word.none"], path, json.dumps(value), known=False)
        if isinstance(value, bool):
            text = self.word("passed" if value else "failed")
        shown = escape_unprintable(str(value)) if text is None else text
        return Cell(shown, path, json.dumps(value), code=path.rpartition(".")[2] in _CODE)

    def tell(self, said: Said) -> str:
        """Return sentences in the page's language."""
        return escape_unprintable(tell(self._language, said))

    def section(self, name: str, blocks: tuple[Block, ...]) -> Section:
        """Return one heading with what is below it."""
        return Section(name, "", self.word(name), blocks, ())

    def list_sections(self) -> Iterator[tuple[str, tuple[Block, ...]]]:
        """Yield what was found out, what it rests on, and what it was found out with."""
        found = self._judgement
        yield "rungs", (self._list_rungs(),)
        if found.scores:
            yield "scores", tuple(self._list_scores())
        if found.agreement:
            yield "agreement", tuple(self._describe_agreement())
        if found.parted is not None and (blocks := tuple(self._describe_differences(found.parted))):
            yield "differences", blocks
        yield "runs", (self._list_runs(),)
        yield "identity", (self._describe_identity(), self._list_outputs())
        yield "machine", (self._describe_machine(), self._describe_sandbox())
        if found.notes:
            yield "notes", (Paragraphs("", _NOBODY, tuple(self.tell((note,)) for note in found.notes)),)

    def _list_rungs(self) -> Table:
        rows = tuple(
            (
                self.cell(rung.number, f"rungs.{index}.number"),
                Cell(self.word(f"rung_{rung.number}")),
                self.cell(rung.outcome.value, f"rungs.{index}.outcome", self.word(rung.outcome.value)),
                self.cell(tell_english(rung.answer), f"rungs.{index}.answer", self.tell(rung.answer)),
                self._seconds(rung.seconds, f"rungs.{index}.seconds"),
            )
            for index, rung in enumerate(self._judgement.rungs)
        )
        return self._table(("question", "outcome", "answer", "seconds"), rows, numbered=True)

    def _list_scores(self) -> Iterator[Facts]:
        for index, score in enumerate(self._judgement.scores):
            cells = ((name, self._score_cell(score, name, f"scores.{index}.{name}")) for name in _SCORE)
            yield Facts(
                escape_unprintable(score.metric), _NOBODY, tuple((self.word(name), cell) for name, cell in cells)
            )

    def _score_cell(self, score: Score, name: str, path: str) -> Cell:
        value = getattr(score, name)
        if name == "band" and value is not None:
            return Cell(f"{value[0]:.6g} … {value[1]:.6g}", path, json.dumps(value))
        return self.cell(value, path, f"{value:.6g}" if isinstance(value, float) else None)

    def _describe_agreement(self) -> Iterator[Block]:
        found = self._judgement.agreement
        assert found is not None
        rows = (
            (self.word("agreement_path"), self.cell(found.path, "agreement.path")),
            (self.word("with_claim"), self._rate(found.with_claim, "agreement.with_claim")),
            (self.word("between_seeds"), self._rate(found.between_seeds, "agreement.between_seeds")),
        )
        yield Facts("", _NOBODY, rows)
        yield Paragraphs("", _NOBODY, (self.word("agreement_about"),))

    def _rate(self, rate: float | None, path: str) -> Cell:
        return self.cell(rate, path, None if rate is None else f"{100 * rate:.2f} %")

    def _describe_differences(self, parted: RunComparison) -> Iterator[Block]:
        found = self._judgement
        if files := tuple(islice(self._list_files(parted), _MOST_ROWS)):
            heads = ("file", "outcome", "format", "parts", "remark")
            yield Table("", _NOBODY, tuple(map(self.word, heads)), files)
        if parts := tuple(islice(self._list_parts(parted), _MOST_ROWS)):
            yield Paragraphs("", _NOBODY, (self.word("differences_about"),))
            yield Table("", _NOBODY, tuple(map(self.word, ("file", "part", "difference"))), parts)
        if found.circumstances:
            rows = tuple(
                (
                    self.cell(fact.group, f"circumstances.{index}.group", self.circumstance(fact.group)),
                    self.cell(
                        fact.name,
                        f"circumstances.{index}.name",
                        self.circumstance(fact.name) if fact.group in NAMED_GROUPS else None,
                    ),
                    self.cell(fact.a, f"circumstances.{index}.a"),
                    self.cell(fact.b, f"circumstances.{index}.b"),
                )
                for index, fact in enumerate(found.circumstances)
            )
            columns = ("group", "name", "claim", "here")
            yield Table(self.word("circumstances"), _NOBODY, tuple(map(self.word, columns)), rows)

    def _list_files(self, parted: RunComparison) -> Iterator[tuple[Cell, ...]]:
        """Yield a row for each file that is not the same."""
        for side in ("missing", "added"):
            for index, path in enumerate(getattr(parted, side)):
                yield self.cell(path, f"parted.{side}.{index}"), Cell(self.word(side)), *(Cell(""),) * 3
        for index, (path, found) in enumerate(parted.files):
            place = f"parted.files.{index}"
            within = found.result is Result.DIFFERENT and found.tolerable and found.differences
            outcome = self.word("within" if within else found.result.replace(" ", "_"))
            count = f"{found.differing_parts} / {found.parts}" if found.differing_parts else ""
            yield (
                self.cell(path, f"{place}.path"),
                self.cell(found.result.value, f"{place}.result", outcome),
                self.cell(found.format, f"{place}.format"),
                self.cell(found.differing_parts, f"{place}.differing_parts", count),
                self._remark(found, f"{place}.note"),
            )

    def _remark(self, found: FileComparison, path: str) -> Cell:
        told = escape_unprintable(found.tell_remarks(self._language))
        return self.cell(found.note, path, told) if found.remarks else Cell("")

    def _list_parts(self, parted: RunComparison) -> Iterator[tuple[Cell, ...]]:
        """Yield a row for each part of a file that is not the same."""
        for index, (path, found) in enumerate(parted.files):
            for number, one in enumerate(found.differences[:_MOST_PARTS]):
                place = f"parted.files.{index}.differences.{number}"
                yield (
                    self.cell(path, f"parted.files.{index}.path"),
                    self.cell(one.part, f"{place}.part") if one.part else Cell(""),
                    self.cell(one.what, f"{place}.what", escape_unprintable(one.tell(self._language))),
                )

    def _list_runs(self) -> Table:
        rows = tuple(
            (
                self.cell(run.run, f"runs.{index}.run"),
                self.cell(run.seed, f"runs.{index}.seed"),
                self.cell(run.exit_code, f"runs.{index}.exit_code"),
                self._seconds(run.seconds, f"runs.{index}.seconds"),
                self._size(run.peak_memory, f"runs.{index}.peak_memory"),
            )
            for index, run in enumerate(self._judgement.runs)
        )
        return self._table(("run", "seed", "exit_code", "seconds", "peak_memory"), rows)

    def _describe_identity(self) -> Facts:
        found = self._judgement
        values = (
            ("entry", found.entry, "entry"),
            ("contest", found.contest, "contest"),
            ("bundle", found.bundle, "bundle"),
            ("signer", found.signer, "signer"),
            ("image", found.image_digest, "image_digest"),
            ("seed", found.seed, "seed"),
            ("claim_run", found.claim, "claim"),
            ("started", found.started, "started"),
        )
        rows = tuple((self.word(name), self.cell(value, path)) for name, value, path in values)
        return Facts("", _NOBODY, (*rows, (self.word("took"), self._seconds(found.seconds, "seconds"))))

    def _list_outputs(self) -> Table:
        outputs = self._judgement.claimed_outputs.items()
        rows = tuple(
            (self.cell(path, ""), self.cell(digest, f"claimed_outputs.{escape_unprintable(path)}"))
            for path, digest in outputs
        )
        return Table(self.word("outputs"), _NOBODY, (self.word("file"), "sha256"), rows)

    def _describe_machine(self) -> Facts:
        host, engine = self._judgement.host, self._judgement.engine
        if host is None or engine is None:
            return Facts("", _NOBODY, ())
        gpus = ", ".join(f"{gpu.name} ({gpu.driver})" for gpu in host.gpus)
        rows = (
            (self.word("cpu"), self.cell(f"{host.cpu_model} × {host.cpus}", "")),
            (self.word("memory"), self._size(host.memory, "host.memory")),
            (self.word("gpus"), self.cell(gpus, "")),
            (self.word("kernel"), self.cell(host.kernel, "host.kernel")),
            (self.word("engine"), self.cell(f"{engine.name} {engine.version}, {engine.store}", "")),
        )
        return Facts("", _NOBODY, rows)

    def _describe_sandbox(self) -> Facts:
        rows = tuple(
            (name, self.cell(json.dumps(value) if isinstance(value, dict | list | tuple) else value, f"sandbox.{name}"))
            for name, value in self._judgement.sandbox.items()
        )
        return Facts(self.word("sandbox"), _NOBODY, rows)

    def _seconds(self, seconds: float, path: str) -> Cell:
        return self.cell(seconds, path, self._language["word.seconds"].format(seconds=f"{seconds:.1f}"))

    def _size(self, size: int | None, path: str) -> Cell:
        return self.cell(size, path, None if size is None else format_size(size))

    def _table(self, columns: tuple[str, ...], rows: tuple[tuple[Cell, ...], ...], *, numbered: bool = False) -> Table:
        labels = tuple(map(self.word, columns))
        return Table("", _NOBODY, (self._language["page.number"], *labels) if numbered else labels, rows)
