"""docs/portable.md has the variables that the levels and the data file really give."""

import re
from pathlib import Path

import pytest

from reprobox.pins import load_entries, load_promises, read_value
from reprobox.plan import decide_variables
from reprobox.spec.load import parse_spec

TEXT = (Path(__file__).parents[2] / "docs" / "portable.md").read_text("utf-8")
INSTALLED = {
    "glibc": "2.36",
    "jaxlib": "0.12.0",
    "numba": "0.68.1",
    "numpy": "2.4.6",
    "tensorflow": "2.21.0",
    "torch": "2.13.0",
}
LEVELS = {
    "off": "off",
    "seeded": "seeded",
    "bitwise": "bitwise",
    "portable, `avx2`": "{level: portable, cpu: avx2}",
    "portable, `baseline`": "{level: portable, cpu: baseline}",
}


def format_table(head, rows):
    rule = f"{'|---' * len(head)}|\n"
    first, *others = (
        f"| {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |") for cells in (head, *rows)
    )
    return "".join((first, rule, *others))


def decide(determinism):
    text = f"reprobox: 1\nname: x\nseed: 32\ncommand: x\ndeterminism: {determinism}\n"
    return decide_variables(parse_spec(text, "spec.yaml", None), INSTALLED)


def format_levels():
    found = {name: decide(text) for name, text in LEVELS.items()}
    variables = sorted(set().union(*found.values()))
    rows = [[f"`{name}`", *(f"`{env[name]}`" if name in env else "" for env in found.values())] for name in variables]
    return format_table(["variable", *LEVELS], rows)


def format_pins():
    rows = []
    for entry in load_entries():
        readers = ", ".join(f"{name} {known}" for name, known in entry.get("readers", {}).items())
        values = [read_value(entry, target) for target in ("avx2", "avx2-intel", "baseline")]
        cells = [f"`{value}`" if value else "" for value in values]
        if cells[1] == cells[0]:
            cells[1] = "the same" if cells[0] else ""
        variable = f"[`{entry['variable']}`]({entry['source']})"
        rows.append([variable, entry["reads"], readers.replace("a0", "") or "all", *cells])
    return format_table(["variable", "read by", "set for", "`avx2`", "`avx2-intel`", "`baseline`"], rows)


def format_promises():
    rows = []
    for entry in load_promises():
        held = [
            entry[target].replace("not promised", "**not promised**") for target in ("avx2-intel", "avx2", "baseline")
        ]
        rows.append([entry["what"], *held, entry.get("checked", "")])
    return format_table(["", "`avx2-intel`", "`avx2`", "`baseline`", "how it was checked"], rows)


@pytest.mark.parametrize(
    ("title", "table"),
    [("What is promised", format_promises()), ("What each level sets", format_levels()), ("The pins", format_pins())],
)
def test_the_tables_are_those_of_the_code(title, table):
    section = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    assert table in section, f"in docs/portable.md, write under {title!r}:\n{table}"


def test_the_versions_of_the_table_are_said():
    section = TEXT.split("\n## What each level sets\n")[1].split("\n## ")[0]
    assert {f"{name} {version}" for name, version in INSTALLED.items()} <= set(
        re.findall(r"[a-z]+ [0-9.]+[0-9]", section)
    )
