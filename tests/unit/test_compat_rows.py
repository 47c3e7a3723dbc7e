"""The tables of what goes together, as the command shows them."""

import json

import pytest
from typer.testing import CliRunner

from reprobox.cli import app
from reprobox.errors import UsageError
from reprobox.resolve.compat_rows import describe_rows, list_rows


def test_a_version_is_one_line_under_a_heading():
    heading, line = describe_rows(list_rows("torch", "2.13.0")).splitlines()
    assert heading.split()[:2] == ["torch", "Python"]
    assert line.split()[:3] == ["2.13.0", "3.10–3.14", "13.0,"]
    assert line.endswith("9.20.0.48")


def test_part_of_a_version_is_all_that_begin_with_it():
    versions = [row["version"] for row in list_rows("cuda", "12.8")]
    assert versions == ["12.8.1", "12.8.0"]


def test_the_newest_is_first_and_every_table_has_its_own_heading():
    rows = list_rows("", "")
    assert rows[0]["version"] == "2.15.0"
    text = describe_rows(rows)
    assert [block.split()[0] for block in text.split("\n\n")] == ["torch", "tensorflow", "cuda", "images"]


@pytest.mark.parametrize(
    ("name", "version", "said", "hint"),
    [
        ("tourch", "", "there is no table of tourch", "did you mean torch?"),
        ("abacus", "", "there is no table of abacus", "there are torch, tensorflow, cuda, images"),
        ("torch", "99", "the table of torch has no 99", "compat: {torch: {cuda: …}}"),
        ("cuda", "1", "the table of cuda has no 1", "the newest there is"),
    ],
)
def test_what_no_table_has_is_refused(name, version, said, hint):
    with pytest.raises(UsageError, match=said) as caught:
        list_rows(name, version)
    assert hint in caught.value.hint


def test_images_of_nvidia_s_are_listed_by_system():
    rows = {row["system"]: row for row in list_rows("images", "12.8.1")}
    flavours = next(value for key, value in rows["ubuntu24.04"].items() if key.startswith("flavours"))
    assert {"base", "devel", "cudnn-devel"} <= set(flavours.split(", "))


def test_the_command_prints_it_for_people_and_for_machines():
    done = CliRunner().invoke(app, ["compat", "tensorflow", "2.21"])
    assert (done.exit_code, "12.5" in done.stdout) == (0, True)
    (row,) = json.loads(CliRunner().invoke(app, ["compat", "tensorflow", "2.21", "--json"]).stdout)["rows"]
    assert (row["version"], row["cuDNN"]) == ("2.21.0", "9.3")
