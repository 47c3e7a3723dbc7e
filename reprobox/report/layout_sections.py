"""What stands under the contest's four headings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reprobox.report.cells import (
    Column,
    Reader,
    show_command,
    show_flag,
    show_holds,
    show_list,
    show_number,
    show_origin,
    show_promise,
    show_role,
    show_size,
    show_text,
)
from reprobox.report.document import Bar, Bars, Block, Cell, Facts, Paragraphs
from reprobox.report.json_text import Json
from reprobox.report.tree import draw_tree

_MOST_BARS = 20
Columns = Sequence[Column]


def lay_out_procedure(reader: Reader) -> Iterator[Block]:
    """Yield the blocks of heading ア."""
    procedure = reader.find("a_procedure.procedure")
    lines = [procedure["build"], procedure["single"], *(stage["alone"] for stage in procedure["stages"])]
    yield reader.listing("commands", "a_procedure.procedure", dict.fromkeys(lines))
    columns: Columns = (("name", show_text), ("command", show_command), ("alone", show_text), ("outputs", show_list))
    yield reader.table("stages", "a_procedure.procedure.stages", columns, "a_procedure.procedure")
    folders = ("source_folder", "input_folder", "output_folder")
    yield reader.facts("paths", "a_procedure.procedure", [(name, show_text) for name in folders])
    yield _describe_source(reader)
    files = [(one["path"], one["size"]) for one in reader.find("a_procedure.source.files")]
    yield reader.listing("tree", "a_procedure.source", draw_tree(files))
    yield reader.table("inputs", "a_procedure.inputs.files", _INPUTS, "a_procedure.inputs")
    yield reader.table("outputs", "a_procedure.outputs.files", _OUTPUTS, "a_procedure.outputs")
    if reader.find("a_procedure.reprediction") is not None:
        fields = (("run", show_text), ("same", show_list), ("different", show_list))
        yield reader.facts("reprediction", "a_procedure.reprediction", fields)
    for name in ("external_data", "side_effects", "assumptions"):
        yield reader.statement(name, f"a_procedure.{name}")


_INPUTS = (
    ("name", show_text),
    ("path", show_text),
    ("rows", show_text),
    ("rows_origin", show_origin),
    ("split", show_text),
    ("sha256", show_text),
)
_OUTPUTS = (("path", show_text), ("role", show_role), ("size", show_size), ("sha256", show_text))


def _describe_source(reader: Reader) -> Facts:
    facts = reader.facts("source", "a_procedure.source", (("sha256", show_text), ("run_sha256", show_text)))
    if reader.find("a_procedure.source.git") is None:
        row = (reader.label("commit"), Cell(reader.language["word.unrecorded"], known=False))
        return Facts(facts.title, facts.source, (*facts.rows, row))
    git = tuple(
        (reader.label(name), reader.cell(f"a_procedure.source.git.{name}", show))
        for name, show in (("commit", show_text), ("dirty", show_flag))
    )
    return Facts(facts.title, facts.source, (*facts.rows, *git))


def lay_out_contributions(reader: Reader) -> Iterator[Block]:
    """Yield the blocks of heading イ."""
    section = reader.find("i_contributions")
    source = reader.make_source(section["origin"], section["trace"])
    status = reader.language[f"status.{section['status']}"]
    if not section["rows"]:
        text = f"{status}: {section['reason']}" if section["reason"] else status
        yield Paragraphs(
            reader.language["title.contributions"], source, tuple(text.split("\n")), bool(section["origin"])
        )
    else:
        yield _draw_contributions(reader)
        same = [column for column in _CONTRIBUTIONS[3:] if _says_one_thing(section["rows"], column[0])]
        columns = [column for column in _CONTRIBUTIONS if column not in same]
        yield reader.table("contributions", "i_contributions.rows", columns, "i_contributions")
        yield _describe_contributions(reader, same)
        if section["weights"]:
            yield reader.mapping("weights", "i_contributions.weights", "i_contributions", show_number)
    yield reader.statement("feature_selection", "i_contributions.feature_selection")


def _says_one_thing(rows: list[Json], name: str) -> bool:
    """Whether a column is the same in all rows, so that it needs none."""
    return all(row[name] == rows[0][name] for row in rows)


def _describe_contributions(reader: Reader, same: Columns) -> Facts:
    """Return what is true of all of them, what their table need not repeat included."""
    fields = (("library", show_text), ("sign", show_text), ("sum_to_one", show_flag))
    facts = reader.facts("contributions_about", "i_contributions", fields)
    said = [(name, show) for name, show in same if reader.find(f"i_contributions.rows.0.{name}") not in (None, "")]
    rows = tuple((reader.label(name), reader.cell(f"i_contributions.rows.0.{name}", show)) for name, show in said)
    return Facts(facts.title, facts.source, (*rows, *facts.rows))


_CONTRIBUTIONS = (
    ("rank", show_text),
    ("feature", show_text),
    ("importance", show_number),
    ("std", show_number),
    ("method", show_text),
    ("importance_type", show_text),
    ("data_split", show_text),
    ("metric", show_text),
    ("n_repeats", show_text),
    ("seed", show_text),
    ("no_seed", show_text),
    ("model_id", show_text),
    ("description", show_text),
)


def _draw_contributions(reader: Reader) -> Bars:
    rows = list(enumerate(reader.find("i_contributions.rows")))
    chosen = sorted(rows, key=lambda item: (item[1]["model_id"], item[1]["rank"]))[:_MOST_BARS]
    largest = max(abs(row["importance"]) for _, row in chosen) or 1.0
    bars = tuple(
        Bar(
            label=" ".join(filter(None, (row["model_id"], row["feature"]))),
            cell=reader.cell(f"i_contributions.rows.{index}.importance", show_number),
            percent=round(100 * abs(row["importance"]) / largest, 2),
            tone="minus" if row["importance"] < 0 else "",
        )
        for index, row in chosen
    )
    caption = reader.language["caption.contributions"].format(shown=len(chosen), all=len(rows))
    return Bars(reader.language["title.contributions_picture"], reader.source("i_contributions"), bars, caption)


def lay_out_environment(reader: Reader) -> Iterator[Block]:
    """Yield the blocks of heading ウ."""
    u = "u_environment"
    yield reader.facts("system", f"{u}.system", [(name, show_text) for name in ("image", "kernel", "architecture")])
    loaded = ("cuda_loaded", "cudnn_loaded") if reader.find(f"{u}.hardware.accelerators_per_node") else ()
    names: tuple[str, ...] = ("python", "c_library", "cuda", "cudnn", *loaded, "driver")
    yield reader.facts("software", f"{u}.software", [(name, show_text) for name in names])
    yield reader.statement("method", f"{u}.method")
    yield reader.statement("hyperparameters", f"{u}.hyperparameters")
    yield reader.facts("hardware", f"{u}.hardware", _HARDWARE)
    if reader.find(f"{u}.declared_hardware") is None:
        yield reader.statement("declared_hardware", f"{u}.declared_hardware")
    else:
        names = ("host_networking", "accelerator_interconnect", "accelerator_memory_needed")
        yield reader.facts("declared_hardware", f"{u}.declared_hardware", [(name, show_text) for name in names])
    yield reader.mapping("stack", f"{u}.hardware.other_software_stack", f"{u}.hardware")
    names = ("digest", "base", "base_digest", "dockerfile_sha256", "spec_digest", "lock_digest")
    yield reader.facts("image", f"{u}.image", [(name, show_text) for name in names])
    yield reader.facts("engine", f"{u}.engine", [(name, show_text) for name in ("name", "version", "isolation")])
    yield reader.mapping("variables", f"{u}.variables.values", f"{u}.variables")
    columns = (("name", show_text), ("version", show_text), ("sha256", show_text))
    yield reader.table("packages", f"{u}.software.packages", columns, f"{u}.software")
    if reader.find(f"{u}.software.debian") is not None:
        yield reader.table("debian", f"{u}.software.debian", columns, f"{u}.software")


_HARDWARE = (
    ("system_name", show_text),
    ("number_of_nodes", show_text),
    ("host_processors_per_node", show_text),
    ("host_processor_model_name", show_text),
    ("host_processor_vcpu_count", show_text),
    ("host_memory_capacity", show_size),
    ("host_storage_type", show_text),
    ("host_storage_capacity", show_size),
    ("accelerators_per_node", show_text),
    ("accelerator_model_name", show_text),
    ("accelerator_memory_capacity", show_size),
    ("operating_system", show_text),
    ("framework", show_text),
    ("host_processor_flags", show_list),
)


def lay_out_seeds(reader: Reader) -> Iterator[Block]:
    """Yield the blocks of heading エ."""
    if reader.find("e_seed.no_randomness") is not None:
        yield reader.statement("no_randomness", "e_seed.no_randomness")
    yield reader.facts("declared_seed", "e_seed.declared", (("seed", show_text), ("level", show_text)))
    names = ("stage", "backend", "version", "seeds", "processes", "detail")
    columns = [(name, show_list if name == "seeds" else show_text) for name in names]
    yield reader.table("observed_seeds", "e_seed.observed.backends", columns, "e_seed.observed")
    columns = [(name, show_text) for name in ("name", "wanted", "value", "status")]
    yield reader.table("observed_switches", "e_seed.observed.switches", columns, "e_seed.observed")
    columns = [(name, show_text) for name in ("kind", "where", "count", "detail")]
    yield reader.table("suspects", "e_seed.observed.suspects", columns, "e_seed.observed")
    yield from _lay_out_promises(reader)


def _lay_out_promises(reader: Reader) -> Iterator[Block]:
    """Say what another run may be expected to give; at level ``portable`` library by library."""
    promised, language = reader.find("e_seed.promised"), reader.language
    lines = [language[f"promise.{promised['level']}"].format(cpu=promised["cpu"])]
    lines += [language["promise.gpus"].format(gpus=promised["gpus"])] if promised["gpus"] else []
    yield Paragraphs(language["title.promised"], reader.source("e_seed.promised"), tuple(lines))
    if promised["parts"]:
        columns = (("key", show_promise), ("holds", show_holds))
        yield reader.table("promised_parts", "e_seed.promised.parts", columns, "e_seed.promised")
