"""What a report's folder holds, and which folders are left alone."""

import hashlib
import json
from dataclasses import replace

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from made_report import DECLARED, change_record, make_full_report, make_lock, make_sources

from reprobox.errors import UsageError
from reprobox.languages import load_language
from reprobox.lock import ArchiveBase
from reprobox.report.files import SUMS, check_folder, choose_formats, list_files, write_folder
from reprobox.report.kaggle import list_kaggle_files
from reprobox.report.make import make_report
from reprobox.report.pdf import drop_times
from reprobox.report.sbom import format_sbom
from reprobox.report.tree import draw_tree, list_folders
from reprobox.source import list_source
from reprobox.spec.load import parse_spec

LANGUAGES = (load_language("ja"), load_language("en"))


def write(folder, **changes):
    formats = choose_formats("json,md,html,kaggle,sbom")
    write_folder(folder, dict(list_files(make_full_report(**changes), LANGUAGES, formats, None)))


class TestFolder:
    def test_it_holds_every_format_in_every_language(self, tmp_path):
        write(tmp_path / "out")
        assert {path.name for path in (tmp_path / "out").iterdir()} == {
            ".reproboxignore",
            "SETTINGS.json",
            "SHA256SUMS",
            "directory_structure.txt",
            "entry_points.md",
            "report.en.html",
            "report.en.md",
            "report.ja.html",
            "report.ja.md",
            "report.json",
            "requirements.txt",
            "sbom.cdx.json",
        }

    def test_the_sums_are_those_of_the_files(self, tmp_path):
        write(tmp_path)
        for line in (tmp_path / SUMS).read_text().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest

    def test_an_earlier_report_is_replaced_as_a_whole(self, tmp_path):
        folder = tmp_path / "out"
        formats = choose_formats("md")
        write(folder)
        check_folder(folder)
        write_folder(folder, dict(list_files(make_full_report(), LANGUAGES[:1], formats, None)))
        assert {path.name for path in folder.iterdir()} == {".reproboxignore", SUMS, "report.ja.md"}
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    @pytest.mark.parametrize(
        ("name", "told"),
        [("report.ja.md", "report.ja.md was changed since"), ("thesis.txt", "thesis.txt was not written by one")],
    )
    def test_what_somebody_wrote_there_is_not_lost(self, tmp_path, name, told):
        write(tmp_path)
        (tmp_path / name).write_text("mine")
        with pytest.raises(UsageError, match=told):
            check_folder(tmp_path)

    def test_another_folder_is_refused(self, tmp_path):
        (tmp_path / "requirements.txt").write_text("numpy\n")
        with pytest.raises(UsageError, match="it has no SHA256SUMS"):
            check_folder(tmp_path)

    def test_sums_of_somebody_s_own_files_make_no_report(self, tmp_path):
        (tmp_path / "wheel.whl").write_bytes(b"mine")
        (tmp_path / SUMS).write_text(f"{hashlib.sha256(b'mine').hexdigest()}  wheel.whl\n")
        with pytest.raises(UsageError, match=r"it has no \.reproboxignore"):
            check_folder(tmp_path)

    def test_where_nothing_can_be_written_another_folder_is_asked_for(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match=r"cannot be written: .*file: File exists") as caught:
            write(tmp_path / "file" / "out")
        assert caught.value.hint == "name another folder: -o FOLDER"

    @pytest.mark.parametrize("kind", ["file", "link"])
    def test_what_is_no_folder_is_refused(self, tmp_path, kind):
        path = tmp_path / "out"
        path.write_text("") if kind == "file" else path.symlink_to(tmp_path)
        with pytest.raises(UsageError, match="is there and no folder"):
            check_folder(path)

    def test_a_failure_leaves_the_earlier_one(self, tmp_path):
        write(tmp_path / "out")
        before = (tmp_path / "out" / SUMS).read_bytes()
        with pytest.raises(TypeError):
            write_folder(tmp_path / "out", {"a": b"", "b": 3})
        assert (tmp_path / "out" / SUMS).read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_a_report_inside_a_project_is_no_part_of_its_source(self, tmp_path):
        (tmp_path / "train.py").write_text("")
        write(tmp_path / "handed in")
        spec = parse_spec("reprobox: 1\nname: x\nseed: 1\ncommand: python train.py\n", "spec.yaml", None)
        assert [one.path for one in list_source(tmp_path, spec)] == ["train.py"]

    def test_an_unknown_format_is_told(self):
        with pytest.raises(UsageError, match="there is no format 'docx'"):
            choose_formats("md,docx")
        assert choose_formats("html, json") == ("json", "html")


class TestSbom:
    @staticmethod
    def load(report):
        text = format_sbom(report)
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        return json.loads(text)

    def test_it_is_strictly_valid_and_has_every_package_with_its_hash(self):
        report = make_full_report()
        found = {(one["purl"], one["hashes"][0]["content"]) for one in self.load(report)["components"] if "purl" in one}
        software = report.u_environment.software
        assert len(found) == len(software.packages) + len(software.debian)
        assert ("pkg:deb/debian/python3.11@1%3A3.11.2-6?arch=amd64", software.debian[2].sha256) in found
        assert any(purl.startswith("pkg:pypi/numpy@2.3.5?file_name=numpy-2.3.5-") for purl, _ in found)

    def test_the_model_has_its_seed_and_hash(self):
        model = next(
            one for one in self.load(make_full_report())["components"] if one["type"] == "machine-learning-model"
        )
        assert {"name": "reprobox:seed", "value": "32"} in model["properties"]
        assert len(model["hashes"]) == 1

    @pytest.mark.parametrize("globs", ["[model.npy, table.npz]", "[nothing]"])
    def test_a_model_of_many_files_or_none(self, globs):
        self.load(make_full_report(declared=DECLARED.replace("model: model.npy", f"model: {globs}")))

    def test_a_base_whose_packages_are_not_known(self):
        def lock(spec):
            return replace(make_lock(spec), base=ArchiveBase("root.tar", "0" * 64))

        assert self.load(make_report(make_sources(lock=lock)))["components"]

    def test_another_content_has_another_serial_number(self):
        one, other = make_full_report(), make_report(change_record(make_sources(), seed=33))
        assert self.load(one)["serialNumber"] == self.load(one)["serialNumber"] != self.load(other)["serialNumber"]


def test_kaggles_files_are_of_the_same_report():
    files = dict(list_kaggle_files(make_full_report()))
    assert json.loads(files["SETTINGS.json"])["SUBMISSION_PATHS"] == ["/output/predictions.csv"]
    assert files["directory_structure.txt"] == ".\n./lib\n"
    assert (
        "2. train: `reprobox run --stage train`, which runs `python train.py --epochs 20`" in files["entry_points.md"]
    )
    pins = [line.split(" --hash=sha256:") for line in files["requirements.txt"].splitlines()]
    assert [pin for pin, _ in pins] == ["numpy==2.3.5", "pip==26.0"]
    assert all(len(digest) == 64 for _, digest in pins)


def test_a_tree_is_drawn_with_sizes():
    assert draw_tree([("b.py", 2000), ("a/x/one", 1), ("a/two", 5)]) == [
        "./",
        "├── a/",
        "│   ├── two  5 B",
        "│   └── x/",
        "│       └── one  1 B",
        "└── b.py  2.0 kB",
    ]
    assert list_folders(["a/x/one", "b"]) == [".", "./a", "./a/x"]


def test_a_tree_as_deep_as_a_path_can_be():
    assert len(draw_tree([("a/" * 2000 + "x", 1)])) == 2002


def test_dates_in_a_pdf_say_nothing_and_take_as_much_room():
    before = b"<</Creator (x)\n/CreationDate (D:20261128120550+00'00')\n/ModDate (D:20261128120550+00'00')>>"
    after = drop_times(before)
    assert len(after) == len(before)
    assert b"2026" not in after


def test_no_format_but_pdf_needs_a_browser():
    names = [name for name, _ in list_files(make_full_report(), LANGUAGES[:1], ("pdf", "md"), None)]
    assert names == ["report.ja.md"]
