"""Report -> document: what stands under which heading, in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from reprobox.languages import Language
from reprobox.report import layout_extra, layout_sections
from reprobox.report.cells import Reader, show_text
from reprobox.report.document import Block, Document, Facts, ItemLine, Section, Source
from reprobox.report.json_text import report_to_json, show_plain
from reprobox.report.model import Item, Report
from reprobox.report.values import Answer, Heading

_LAYOUTS: dict[Heading, Callable[[Reader], Iterator[Block]]] = {
    Heading.A_PROCEDURE: layout_sections.lay_out_procedure,
    Heading.I_CONTRIBUTIONS: layout_sections.lay_out_contributions,
    Heading.U_ENVIRONMENT: layout_sections.lay_out_environment,
    Heading.E_SEED: layout_sections.lay_out_seeds,
    Heading.EXTRA: layout_extra.lay_out_extras,
}


def lay_out(report: Report, language: Language) -> Document:
    """Return the document of a report in one language."""
    reader = Reader(report_to_json(report, language), language)
    items = tuple(_describe_item(item, reader) for item in report.checklist)
    counts = Counter(item.answer for item in report.checklist)
    return Document(
        language=language.code,
        title=show_plain(report.title.text)
        if report.title
        else f"{language['title.report']}: {show_plain(report.name)}",
        author=show_plain(report.author.text) if report.author else language["word.undeclared"],
        head=_describe_head(reader),
        counts=tuple((one.value, language[f"answer.{one}"], counts[one]) for one in Answer),
        notes=tuple(show_plain(language.fill(note)) for note in report.notes),
        sections=tuple(_describe_section(heading, reader, items, report) for heading in Heading),
        items=items,
        evidence=tuple(_list_evidence(reader)),
    )


def _describe_head(reader: Reader) -> Facts:
    names = ("name", "run.id", "run.started", "run.image_digest", "run.reprobox")
    rows = tuple((reader.label(name.replace(".", "_")), reader.cell(name, show_text)) for name in names)
    return Facts("", Source("", ""), rows)


def _describe_section(heading: Heading, reader: Reader, items: tuple[ItemLine, ...], report: Report) -> Section:
    own = tuple(line for line, item in zip(items, report.checklist, strict=True) if item.heading is heading)
    return Section(
        key=heading.value,
        letter=reader.language[f"letter.{heading}"],
        title=reader.language[f"heading.{heading}"],
        blocks=tuple(_LAYOUTS[heading](reader)),
        items=own,
    )


def _describe_item(item: Item, reader: Reader) -> ItemLine:
    language, said = reader.language, reader.find(f"checklist.{item.number - 1}")
    return ItemLine(
        number=item.number,
        name=language[f"item.{item.item}"],
        heading=language[f"letter.{item.heading}"],
        answer=item.answer.value,
        answer_text=language[f"answer.{item.answer}"],
        source=reader.make_source(said["origin"], said["trace"]),
        reason=said["reason"],
    )


def _list_evidence(reader: Reader) -> Iterator[tuple[str, str]]:
    """Yield every file that some fact comes from, once."""
    found: dict[str, str] = {}
    waiting: list[object] = [reader.data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if set(value) == {"file", "key", "sha256"} and value["sha256"]:
                found[value["file"]] = value["sha256"]
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    yield from sorted(found.items())
