"""What leaves this machine in a bundle: the right run, no secrets, and what else was there."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import made_bundles
import pytest
from made_bundles import OUTPUTS, TINY, Bent, make_bundle, write
from made_records import make_record
from test_lock import make_lock

from reprobox.bundle.contents import list_evidence
from reprobox.bundle.packing import Compression
from reprobox.bundle.read import read_heading
from reprobox.bundle.secrets import find_variables
from reprobox.errors import UsageError
from reprobox.export import ExportOptions, ExportRequest, find_claim
from reprobox.plan import make_plan
from reprobox.records import EarlierRun, format_record
from reprobox.spec.load import parse_spec

TRAIN = b"print('trained')\n"
TOKEN = b"token = hf_" + b"a" * 34 + b"\n"
WITH_INPUT = f"{TINY}inputs: {{notes.txt: {hashlib.sha256(TOKEN).hexdigest()}}}\n"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (".env", b"A=1\n", ".env: .env is where keys and passwords are kept"),
        ("deep/.netrc", b"machine x\n", "deep/.netrc"),
        ("keys/id_ed25519", b"x", "keys/id_ed25519"),
        ("cert.pem", b"x", "cert.pem"),
        ("kaggle.json", b"{}", "kaggle.json"),
        ("notes.txt", b"one\n-----BEGIN OPENSSH PRIVATE KEY-----\n", "notes.txt:2: a private key"),
        ("load.py", b"token = 'hf_" + b"a" * 34 + b"'\n", "load.py:1: a Hugging Face token"),
        ("load.py", b"\n\nkey = 'AKIA" + b"A" * 16 + b"'\n", "load.py:3: an AWS access key"),
        ("load.py", b"url = 'https://alice:hunter2@example.org/simple'\n", "load.py:1: a URL with a password"),
        ("load.py", b"url = 'https://alice:@example.org/simple'\n", "load.py:1: a URL with a password"),
        ("load.py", b"url = 'https://:x@example.org/simple'\n", "load.py:1: a URL with a password"),
        ("pip.txt", b"six\n--index-url https://pat@example.org/simple\n", "pip.txt:2: a package server with a user"),
        ("e.sh", b"PIP_EXTRA_INDEX_URL=https://pat@example.org\n", "e.sh:1: a package server with a user"),
        ("uv.toml", b"[[index]]\nurl = 'https://a1B2c3D4e5@example.org'\n", "uv.toml:2: a URL with a token"),
    ],
)
def test_nothing_is_exported_while_something_looks_like_a_secret(tmp_path, name, data, said):
    with pytest.raises(UsageError, match="nothing was exported") as caught:
        make_bundle(tmp_path, files={"train.py": TRAIN, name: data})
    assert said in str(caught.value)
    assert not list(tmp_path.glob("*.reprobox"))


def test_a_variable_is_a_secret_by_its_name_or_by_what_it_holds_and_its_value_is_not_shown():
    # A spec with such a variable is refused before; a base image may bring one.
    env = [("WANDB_API_KEY", "hunter2"), ("HOME", "/root"), ("URL", "https://a:hunter2@example.org"), ("MONKEY", "1")]
    found = list(find_variables([*env, ("EMPTY_TOKEN", "")]))
    assert [one.where for one in found] == ["env.WANDB_API_KEY", "env.URL"]
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "data",
    [
        b"https://example.org/a:b@c",
        b"https://example.org?mail=somebody@example.org",
        b"https://example.org,somebody@example.org",
        b"--index-url https://example.org/simple  # ask me@example.org",
        b"https://git@example.org/somebody/something",
        b"url = f'https://{user}:{password}@host'",
        b"TOKEN = os.environ['TOKEN']",
        b"monkey: 1",
    ],
)
def test_what_only_resembles_a_secret_is_exported(tmp_path, data):
    bundle = make_bundle(tmp_path, files={"train.py": TRAIN, "notes.txt": data, ".env.example": b"TOKEN=\n"})
    assert read_heading(bundle).manifest.find("reprobox/project/notes.txt")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"outputs": {**OUTPUTS, "log.txt": TOKEN}}, "reprobox/claim/output/log.txt"),
        ({"outputs": {**OUTPUTS, ".netrc": b"machine x"}}, "reprobox/claim/output/.netrc"),
        ({"context": {"Dockerfile": TOKEN}}, "reprobox/context/Dockerfile"),
        ({"spec": WITH_INPUT, "with_inputs": True}, "reprobox/inputs/notes.txt"),
    ],
)
def test_results_context_and_inputs_are_searched_too_and_an_alarm_can_be_overruled(tmp_path, options, said):
    files = {"train.py": TRAIN, "notes.txt": TOKEN}
    files = files if "with_inputs" in options else {"train.py": TRAIN}
    options = {"spec": TINY.replace("outputs: [model.npy, metrics.json]\n", ""), **options}
    with pytest.raises(UsageError, match="nothing was exported") as caught:
        make_bundle(tmp_path / "refused", files=files, **options)
    assert said in str(caught.value)
    for number, allowed in enumerate((said, "reprobox")):
        made = make_bundle(tmp_path / str(number), files=files, allowed=[allowed], **options)
        assert read_heading(made).manifest.find(said)


def test_a_result_that_is_no_text_is_not_searched(tmp_path):
    bundle = make_bundle(tmp_path, outputs={**OUTPUTS, "model.npy": b"\0" + TOKEN})
    assert read_heading(bundle).manifest.find("reprobox/claim/output/model.npy")


def test_an_output_that_was_changed_after_its_run_is_not_exported(tmp_path, monkeypatch):
    def keep_and_change(path, data):
        write(path, data)
        if path.name == "run.json":
            write(path.parent / "output" / "model.npy", b"better")

    monkeypatch.setattr(made_bundles, "write", keep_and_change)
    with pytest.raises(UsageError, match=r"model\.npy of run .* has been changed since the run left it"):
        make_bundle(tmp_path)
    assert not list(tmp_path.glob("*.reprobox"))


def test_a_run_of_other_inputs_than_the_specs_is_not_exported(tmp_path):
    data = hashlib.sha256(b"a").hexdigest()
    with pytest.raises(UsageError, match="had other inputs than the spec names now"):
        make_bundle(
            tmp_path, spec=f"{TINY}inputs: {{a.csv: {data}}}\n", files={"train.py": TRAIN, "a.csv": b"a"}, inputs={}
        )
    assert not list(tmp_path.glob("*.reprobox"))


@pytest.mark.parametrize("name", ["requirements.in", "uv.lock"])
def test_what_decides_whether_a_lock_is_stale_is_handed_over_though_it_is_no_source(tmp_path, name):
    files = {
        "train.py": TRAIN,
        ".gitignore": b"*.in\n*.lock\n*.toml\n",
        name: b"-r more.in\n" if name.endswith("in") else b"version = 1\n",
        "more.in": b"six\n",
        "pyproject.toml": b"[tool.uv]\ndefault-groups = []\n",
    }
    made = read_heading(make_bundle(tmp_path, spec=f"{TINY}packages: {{requirements: {name}}}\n", files=files)).manifest
    others = {"more.in"} if name.endswith("in") else {"pyproject.toml"}
    found = {
        one.path.removeprefix("reprobox/project/") for one in made.files if one.path.startswith("reprobox/project")
    }
    assert found == {"train.py", ".gitignore", "spec.yaml", "spec.lock", name, *others}


def test_the_manifest_says_what_stays_here(tmp_path):
    manifest = read_heading(make_bundle(tmp_path)).manifest
    assert [(one.path, one.reason.partition(":")[0]) for one in manifest.left_out] == [
        ("reprobox-report", "there is none")
    ]


def test_the_manifest_lists_what_lies_in_the_project_and_does_not_enter(tmp_path):
    ignored = {f"data/{number}.bin": b"x" for number in range(1000)} | {f"{name}.log": b"x" for name in "abcdefg"}
    files = {
        "train.py": TRAIN,
        ".gitignore": b"data/\n*.log\n.env\n",
        ".env": b"A=1\n",
        "keys/.netrc": b"x",
        ".git/config": b"[core]\n",
        "notes/idea.txt": b"x",
        "__pycache__/train.pyc": b"x",
        "old.reprobox": b"x",
        **ignored,
    }
    spec = f"{TINY}source: {{exclude: [notes/, keys/.netrc]}}\n"
    manifest = read_heading(make_bundle(tmp_path, spec=spec, files=files)).manifest
    assert [(one.path, one.reason) for one in manifest.left_out[:-1]] == [
        (".env", "an ignore file names it"),
        (".git/", "never part of the source"),
        ("keys/.netrc", "source.exclude names it"),
        ("a.log, b.log, c.log, d.log, data/ and 3 more", "an ignore file names it"),
        ("notes/", "source.exclude names it"),
    ]


def test_what_source_include_does_not_name_is_listed(tmp_path):
    spec = f"{TINY}source: {{include: ['*.py']}}\n"
    manifest = read_heading(make_bundle(tmp_path, spec=spec, files={"train.py": TRAIN, "a.txt": b"x"})).manifest
    assert ("a.txt", "source.include does not name it") in [(one.path, one.reason) for one in manifest.left_out]


@pytest.mark.parametrize("compression", list(Compression))
def test_the_bundles_digest_is_the_same_however_it_is_packed(tmp_path, compression):
    reference = read_heading(make_bundle(tmp_path / "one"))
    packed = read_heading(make_bundle(tmp_path / "other", compression=compression))
    assert packed.digest == reference.digest


def test_two_exports_have_the_same_bytes(tmp_path):
    one, other = make_bundle(tmp_path / "one"), make_bundle(tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()


def test_an_export_goes_on_from_what_agrees_and_replaces_what_does_not(tmp_path):
    whole = make_bundle(tmp_path / "one", compression=Compression.NONE).read_bytes()
    for number, kept in enumerate(
        (whole[:5000], whole[:5000] + b"another", whole + b"more", b"", b"x" * 2 * len(whole))
    ):
        folder = tmp_path / f"again-{number}"
        folder.mkdir()
        rest = folder / ".tiny.reprobox.part.reprobox-tmp"
        rest.write_bytes(kept)
        assert make_bundle(folder, compression=Compression.NONE).read_bytes() == whole
        assert not rest.exists()


def test_a_thin_bundle_holds_what_no_other_entry_has(tmp_path):
    manifest = read_heading(make_bundle(tmp_path, thin=True)).manifest
    assert manifest.thin
    assert [(layer.what, layer.held) for layer in manifest.layers] == [
        ("Debian bookworm", False),
        ("runtime", True),
        ("source", True),
    ]
    members = Bent.read(tmp_path / "tiny.reprobox").members
    assert sum(name.startswith("blobs/") for name in members) == 4  # two layers, the configuration, the manifest


class TestTheClaim:
    """Which run's outputs are handed over."""

    @pytest.fixture
    def request_for(self, tmp_path):
        spec = parse_spec(TINY, "spec.yaml", None)
        plan = make_plan(spec, make_lock(spec), ())

        def make(run=""):
            options = ExportOptions(None, run, False, False, Compression.ZSTD, None, frozenset())
            paths = (tmp_path, Path("spec.yaml"), Path("spec.lock"), tmp_path / "state")
            return ExportRequest(plan, spec, *paths, (), options)

        return make

    @pytest.fixture
    def keep(self, tmp_path):
        def write(run, **changes):
            record = make_record(seed=7, id=run)
            record = replace(record, stages=(replace(record.stages[0], name="train"),))
            record = replace(record, **changes)
            folder = tmp_path / "state" / "runs" / run
            folder.mkdir(parents=True)
            (folder / "run.json").write_text(format_record(record))
            return record

        return write

    def test_it_is_the_newest_whole_run_of_the_image(self, request_for, keep):
        digest = keep("20260101-000000").image_digest
        keep("20260102-000000-2")
        keep("20260102-000000-10")
        keep("20260103-000000", exit_code=1)
        keep("20260104-000000", image_digest="sha256:" + "9" * 64)
        keep("20260105-000000", seed=8)
        keep("20260106-000000", missing_outputs=("model.npy",))
        keep("20260107-000000", earlier=EarlierRun("a", "b", "c", ("prepare",), ()))
        assert find_claim(request_for(), digest)[1].id == "20260102-000000-10"

    def test_without_one_it_is_said_what_to_do(self, request_for, keep):
        keep("20260103-000000", exit_code=1)
        with pytest.raises(UsageError, match="there is no run of this image") as caught:
            find_claim(request_for(), "sha256:" + "1" * 64)
        assert "reprobox verify" in caught.value.hint

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"exit_code": 1}, "it failed"),
            ({"seed": 8}, "it ran with seed 8, not the spec's 7"),
            ({"image_digest": "sha256:" + "9" * 64}, "it is of another image"),
            ({"stages": ()}, "it did not run every stage itself"),
        ],
    )
    def test_a_named_run_that_is_no_result_is_refused(self, request_for, keep, changes, said):
        digest = make_record().image_digest
        keep("20260103-000000", **changes)
        with pytest.raises(UsageError, match="run 20260103-000000 cannot be the result: " + said):
            find_claim(request_for("20260103-000000"), digest)


def test_evidence_is_the_newest_verification_of_this_image_with_its_runs(tmp_path):
    for name, digest, run in (
        ("1", "sha256:a", "r1"),
        ("2", "sha256:a", "r2"),
        ("3", "sha256:b", "r3"),
        ("4", "sha256:a", "../x"),
    ):
        for folder in (tmp_path / "verify", tmp_path / "runs" / "r1", tmp_path / "runs" / "r2"):
            folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "verify" / f"{name}.json").write_text(json.dumps({"image_digest": digest, "runs": [{"run": run}]}))
        if run in ("r1", "r2"):
            (tmp_path / "runs" / run / "run.json").write_text("{}")
    (tmp_path / "verify" / "4.json").unlink()
    (tmp_path / "verify" / "9.json").write_text("no json")
    assert [name for name, _ in list_evidence(tmp_path, "sha256:a", "none")] == ["runs/r2.json", "verify/2.json"]
