"""`reprobox report` in a project on disk: which run it takes, what git says, what comes out."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import asdict, replace

import made_report
import pytest
from typer.testing import CliRunner

from reprobox.cli import app
from reprobox.context import format_dockerfile
from reprobox.layers.model import LAYER_FORMAT
from reprobox.lock import sort_lock
from reprobox.lock_text import format_lock
from reprobox.plan import make_plan, source_digest
from reprobox.project import list_project_source, load_lock, open_project
from reprobox.records import EarlierRun, OutputFile, format_record
from reprobox.report.check import check_report_file
from reprobox.spec.load import load_spec
from reprobox.sweep import write_sweep

SOURCE = {"lib/columns.py": "x = 1\n", "predict.py": "p\n", "prepare.py": "q\n", "train.py": "t\n"}
GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@x.example", "-c", "init.defaultBranch=main")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a spec, a lock, source and an input; without browsers."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "table.csv").write_text("1,2\n")
    for name, text in SOURCE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "spec.yaml").write_text(made_report.SPEC)
    lock = replace(made_report.make_lock(load_spec(folder / "spec.yaml")), layer_format=LAYER_FORMAT)
    (folder / "spec.lock").write_text(format_lock(sort_lock(lock)))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or pytest.skip("no git here"))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return open_project(folder)


@pytest.fixture
def report(project):
    """Return a function: options -> exit code, what was said, and the report if there is one."""

    def make(*options):
        done = CliRunner().invoke(app, ["report", str(project.folder), *options])
        assert "Traceback" not in done.stderr, done.stderr
        path = project.folder / "reprobox-report" / "report.json"
        return done.exit_code, done.stderr, json.loads(path.read_text("utf-8")) if path.exists() else None

    return make


def plan(project):
    spec = load_spec(project.spec_path)
    return make_plan(spec, load_lock(project, spec), list_project_source(project, spec))


def add_run(project, name, started="2026-11-21T08:45:00+00:00", **changes):
    """Keep a run of the project as it is now."""
    now = plan(project)
    record = made_report.make_record(now, id=name, started=started, source_sha256=source_digest(now.source), **changes)
    folder = project.state / "runs" / name
    (folder / "output").mkdir(parents=True)
    (folder / "run.json").write_text(format_record(record))
    return record


def commit(project):
    (project.folder / ".gitignore").write_text(".reprobox/\nreprobox-report/\n")
    for argv in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "x")):
        subprocess.run([*GIT, *argv], cwd=project.folder, check=True, capture_output=True, timeout=60)


def answers(report):
    return {item["item"]: (item["answer"], item["reason"]) for item in report["checklist"]}


def test_without_a_run_there_is_no_report(project, report):
    code, told, found = report()
    assert (code, found) == (2, None)
    assert "there is no run at all" in told
    assert not (project.folder / "reprobox-report").exists()


def test_the_newest_complete_run_is_taken(project, report):
    add_run(project, "old", "2026-11-20T08:45:00+00:00")
    add_run(project, "new")
    add_run(project, "failed", "2026-11-22T08:45:00+00:00", exit_code=1)
    add_run(project, "other-seed", "2026-11-22T09:00:00+00:00", seed=7)
    add_run(project, "one-stage", "2026-11-22T10:00:00+00:00", stages=())
    (project.state / "runs" / "damaged").mkdir()
    (project.state / "runs" / "damaged" / "run.json").write_text("{")
    code, told, found = report()
    assert code == 0, told
    assert found["run"]["id"] == "new"
    assert check_report_file(project.folder / "reprobox-report" / "report.json") == ()


def test_a_run_can_be_named_and_must_be_a_whole_one(project, report):
    add_run(project, "old", "2026-11-20T08:45:00+00:00")
    add_run(project, "new")
    add_run(project, "failed", exit_code=3)
    assert report("--run", "old")[2]["run"]["id"] == "old"
    code, told, _ = report("--run", "failed")
    assert code == 2
    assert "run failed is no whole run of this project: the exit code was 3" in told


def test_a_changed_source_has_no_run_yet(project, report):
    add_run(project, "before")
    (project.folder / "train.py").write_text("other\n")
    code, told, _ = report()
    assert code == 2
    assert "of the newest one, before, the source was another" in told
    code, _, found = report("--run", "before")
    assert code == 0
    assert answers(found)["source_version"][0] == "no"


def test_what_a_person_says_changes_no_digest(project, report):
    record = add_run(project, "run")
    (project.folder / "report.yaml").write_text("method: trees\nhyperparameters: {depth: 3}\n")
    assert report()[0] == 0
    again = plan(project)
    assert source_digest(again.source) == record.source_sha256
    assert answers(report()[2])["method"] == ("yes", "both declared")


def test_the_rows_of_a_table_are_counted_and_the_dockerfile_is_the_one_that_is_rendered(project, report):
    text = 'day,visitors\n1,"two\nlines"\n\n2,3\n'
    (project.folder / "data" / "table.csv").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    add_run(project, "run", inputs={"table": digest})
    (project.folder / "report.yaml").write_text("inputs: {table: {split: train}}\n")
    found = report()[2]
    assert found["a_procedure"]["inputs"]["files"][0]["rows"] == 2
    assert answers(found)["data"][0] == "yes"
    dockerfile = hashlib.sha256(format_dockerfile(plan(project)).encode()).hexdigest()
    assert found["u_environment"]["image"]["dockerfile_sha256"] == dockerfile
    (project.folder / "data" / "table.csv").write_text(f"{text}4,5\n")
    assert report()[2]["a_procedure"]["inputs"]["files"][0]["rows"] is None


def test_a_mistake_in_what_a_person_says_is_told_and_nothing_is_written(project, report):
    add_run(project, "run")
    (project.folder / "report.yaml").write_text("metod: trees\n")
    code, told, found = report()
    assert (code, found) == (3, None)
    assert "report.yaml:1:1: metod: unknown key" in told


def test_predictions_made_without_training_are_those_of_the_same_run(project, report):
    record = add_run(project, "run")
    (project.folder / "report.yaml").write_text("outputs: {predictions: predictions.csv}\n")
    earlier = EarlierRun("run", "", record.image_digest, ("prepare", "train"), ())
    add_run(project, "other", stages=record.stages[2:], earlier=replace(earlier, run="another"))
    assert report()[2]["a_procedure"]["reprediction"] is None
    add_run(project, "alone", stages=record.stages[2:], earlier=earlier)
    found = report()[2]
    assert found["run"]["id"] == "run"
    assert found["a_procedure"]["reprediction"]["same"] == ["predictions.csv"]
    assert answers(found)["predictions"][0] == "yes"


class TestGit:
    def test_no_repository_is_no_commit(self, project, report):
        add_run(project, "run")
        found = report()[2]
        assert found["a_procedure"]["source"]["git"] is None
        assert "no git commit" in answers(found)["source_version"][1]

    def test_records_and_reports_do_not_make_it_dirty(self, project, report):
        commit(project)
        add_run(project, "run")
        report()
        (project.folder / "report.yaml").write_text("method: x\n")
        git = report()[2]["a_procedure"]["source"]["git"]
        assert git["dirty"] is False
        head = subprocess.run(
            [*GIT, "rev-parse", "HEAD"], cwd=project.folder, capture_output=True, text=True, timeout=60
        )
        assert git["commit"] == head.stdout.strip()

    @pytest.mark.parametrize("change", ["edited", "new", "gone", "spec"])
    def test_what_enters_the_image_does(self, project, report, change):
        if change == "gone":
            (project.folder / "notes.txt").write_text("x")
        commit(project)
        match change:
            case "edited":
                (project.folder / "train.py").write_text("other\n")
            case "new":
                (project.folder / "lib" / "more.py").write_text("")
            case "gone":
                (project.folder / "notes.txt").unlink()
            case "spec":
                (project.folder / "spec.yaml").write_text(made_report.SPEC + "# a comment\n")
        add_run(project, "run")
        assert report()[2]["a_procedure"]["source"]["git"]["dirty"] is True

    def configure(self, project, *pairs):
        for name, value in pairs:
            subprocess.run(["git", "config", name, value], cwd=project.folder, check=True, timeout=60)

    def test_a_filter_that_the_repository_names_is_not_started(self, project, report):
        (project.folder / ".gitattributes").write_text("*.py filter=x\n")
        commit(project)
        self.configure(
            project, ("filter.x.clean", f": > {project.folder.parent}/started"), ("filter.x.required", "true")
        )
        (project.folder / "train.py").write_text("other\n")
        add_run(project, "run")
        assert report()[2]["a_procedure"]["source"]["git"]["dirty"] is True
        assert not (project.folder.parent / "started").exists()

    def test_an_object_that_is_not_there_is_fetched_from_nowhere(self, project, report):
        commit(project)
        tree = subprocess.run(
            ["git", "rev-parse", "HEAD^{tree}"], cwd=project.folder, capture_output=True, text=True, timeout=60
        ).stdout.strip()
        (project.folder / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
        self.configure(
            project,
            ("core.repositoryformatversion", "1"),
            ("extensions.partialClone", "origin"),
            ("remote.origin.promisor", "true"),
            ("remote.origin.url", str(project.folder)),
            ("remote.origin.uploadpack", f": > {project.folder.parent}/started;"),
        )
        add_run(project, "run")
        assert report()[2]["a_procedure"]["source"]["git"] is None
        assert not (project.folder.parent / "started").exists()


class TestProofs:
    def write_verification(self, project, name, record, **changes):
        made = made_report.make_verification()
        data = {
            "schema_version": 1,
            "id": name,
            "started": f"2026-11-21T{name}",
            "image_digest": record.image_digest,
            "seed": record.seed,
            "verdict": made.verdict,
            "reason": made.reason,
            "wanted": made.wanted,
            "agreeing": made.agreeing,
            "bound": made.bound,
            "against": None,
            "runs": [asdict(run) for run in made.runs],
            "cost": None,
        }
        (project.state / "verify").mkdir(exist_ok=True)
        (project.state / "verify" / f"{name}.json").write_text(json.dumps({**data, **changes}))

    def test_the_newest_of_the_same_image_counts(self, project, report):
        record = add_run(project, "run")
        self.write_verification(project, "08:00", record)
        self.write_verification(project, "09:00", record)
        self.write_verification(project, "10:00", record, image_digest="sha256:" + "9" * 64)
        self.write_verification(project, "11:00", record, seed=7)
        self.write_verification(project, "12:00", record, runs="many")
        self.write_verification(project, "13:00", record, bound=float("nan"))
        (project.state / "verify" / "14:00.json").write_text("[" * 100_000)
        found = report()[2]["extra"]["verification"]
        assert (found["id"], found["agreeing"]) == ("09:00", 3)

    def test_a_sweep_of_the_same_image_counts(self, project, report):
        add_run(project, "run")
        (project.state / "sweep").mkdir()
        write_sweep(project.state / "sweep" / f"{'1' * 12}.json", made_report.make_sweep(plan(project)))
        assert report()[2]["extra"]["sweep"]["seeds"] == 9


class TestContributions:
    TABLE = (
        "feature,importance,method,importance_type,data_split,metric,seed\n"
        "rain,2.5,gain,total_gain,train,not applicable: gains are no score,32\n"
        "sun,1,gain,total_gain,train,not applicable: gains are no score,32\n"
    )

    def add_run(self, project, text=TABLE):
        output = OutputFile("contributions.csv", hashlib.sha256(text.encode()).hexdigest(), len(text))
        record = add_run(project, "run", outputs=(output,))
        path = project.state / "runs" / "run" / "output" / "contributions.csv"
        path.write_text(text)
        return record, path

    def test_those_that_the_run_left_are_shown(self, project, report):
        self.add_run(project)
        found = report()[2]
        assert [(row["rank"], row["feature"]) for row in found["i_contributions"]["rows"]] == [(1, "rain"), (2, "sun")]
        assert found["i_contributions"]["trace"][0]["file"] == ".reprobox/runs/run/output/contributions.csv"
        assert answers(found)["contributions"] == ("yes", "2 rows by gain")
        assert check_report_file(project.folder / "reprobox-report" / "report.json") == ()

    @pytest.mark.parametrize("column", ["metric", "seed"])
    def test_those_that_do_not_state_everything_are_refused(self, project, report, column):
        lines = [line.split(",") for line in self.TABLE.splitlines()]
        left_out = lines[0].index(column)
        self.add_run(project, "".join(f"{','.join(line[:left_out] + line[left_out + 1 :])}\n" for line in lines))
        code, told, _ = report()
        assert code == 2
        assert f"contributions.csv:2: {column}: is stated nowhere" in told

    def test_what_was_changed_since_is_refused(self, project, report):
        _, path = self.add_run(project)
        path.write_text(self.TABLE.replace("2.5", "9.5"))
        code, told, _ = report()
        assert code == 2
        assert "contributions.csv of run run was changed since" in told

    def test_without_them_those_found_by_shuffling_the_same_image_are_shown(self, project, report):
        record = add_run(project, "run")
        for name, digest in (("1", record.image_digest), ("2", "sha256:" + "9" * 64)):
            folder = project.state / "contributions" / name
            folder.mkdir(parents=True)
            (folder / "contributions.csv").write_text(self.TABLE.replace("gain,", f"permutation {name},"))
            (folder / "permutation.json").write_text(
                json.dumps({"image_digest": digest, "seed": record.seed, "started": name})
            )
        assert answers(report()[2])["contributions"] == ("yes", "2 rows by permutation 1")

    def test_those_of_the_run_s_own_model_go_before_newer_ones(self, project, report):
        record = add_run(project, "run")
        for name, run in (("1", "run"), ("2", "another")):
            folder = project.state / "contributions" / name
            folder.mkdir(parents=True)
            (folder / "contributions.csv").write_text(self.TABLE.replace("gain,", f"permutation {name},"))
            (folder / "permutation.json").write_text(
                json.dumps({"image_digest": record.image_digest, "seed": record.seed, "started": name, "from_run": run})
            )
        assert answers(report()[2])["contributions"] == ("yes", "2 rows by permutation 1")


class TestFormats:
    def test_without_a_browser_there_is_a_note_and_no_pdf(self, project, report):
        add_run(project, "run")
        code, told, _ = report()
        assert code == 0
        assert "no PDF: none of the browsers" in told
        assert not list((project.folder / "reprobox-report").glob("*.pdf"))

    def test_where_only_pdf_is_asked_for_that_is_an_error(self, project, report):
        add_run(project, "run")
        assert report("--format", "pdf")[0] == 2

    def test_a_browser_that_prints_nothing_is_an_error_and_leaves_the_earlier_report(self, project, report):
        add_run(project, "run")
        report()
        browser = project.folder.parent / "bin" / "chromium"
        browser.write_text("#!/bin/sh\necho 'no display' >&2\nexit 0\n")
        browser.chmod(0o755)
        code, told, found = report()
        assert code == 2
        assert "did not print the page: no display" in told
        assert found["run"]["id"] == "run"

    def test_the_same_records_give_the_same_bytes(self, project, report, monkeypatch):
        add_run(project, "run")
        report()
        folder = project.folder / "reprobox-report"
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        report()
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_the_answer_for_machines(self, project):
        add_run(project, "run")
        done = CliRunner().invoke(app, ["report", str(project.folder), "--json", "--lang", "ja", "--format", "md"])
        found = json.loads(done.stdout)
        assert list(found["files"]) == ["report.ja.md"]
        assert found["checklist"]["yes"] + found["checklist"]["no"] + found["checklist"]["n/a"] == 26
        assert "method" in found["missing"]


def test_init_writes_a_template_once(project, report):
    assert report("--init")[0] == 0
    assert report("--init")[0] == 2
    assert report("--init", "--force")[0] == 0
    add_run(project, "run")
    assert report()[0] == 0
