"""Runs that go wrong in every way a program or a person can make them: the right exit code, the record, no orphan."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import docker
import pytest
from misbehaving import SCRIPTS, write_files
from program import PROGRAM, call_program

import reprobox

pytestmark = pytest.mark.network

DATA = {"table.csv": "a,b\n1,2\n", "data/one.txt": "one\n"}
SCRIPT = "open('/output/wanted.txt', 'w').write('here')\nprint('hello')\n"


@pytest.fixture(scope="module")
def project(make_project, fresh_lock):
    """A built project whose source holds every misbehaving script."""
    folder = make_project("robust-runs", "packages: [six==1.17.0]", "outputs: [wanted.txt]", script=SCRIPT)
    write_files(folder, SCRIPTS)
    fresh_lock(folder)
    yield folder
    # Not Python's way, nor pytest's later: they call themselves for every level.
    subprocess.run(["rm", "-rf", folder / ".reprobox"], check=True)
    docker.APIClient().remove_image("reprobox/robust-runs:latest", force=True)


@pytest.fixture
def with_lines(project):
    """Add lines to the spec for one test."""
    spec = project / "spec.yaml"
    before = spec.read_text()
    yield lambda *lines: spec.write_text(before + "\n".join(lines) + "\n")
    spec.write_text(before)


def run(project, *arguments, **settings):
    """Run it; whatever comes, no traceback is shown and no container is left."""
    done = call_program("run", *arguments, check=False, cwd=project, **settings)
    assert "Traceback" not in done.stderr + done.stdout
    assert count_containers(project) == 0
    return done


def script(project, name, *options, **settings):
    return run(project, *options, "--", "python", name, **settings)


def last_run(project):
    """The folder and the record of the newest run."""
    folder = max((project / ".reprobox" / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return folder, json.loads((folder / "run.json").read_text())


def count_containers(project):
    """How many containers of this project's runs there are, ended ones included."""
    names = [path.name for path in (project / ".reprobox" / "runs").glob("*")]
    found = docker.APIClient().containers(all=True, filters={"label": "reprobox.run"})
    return sum(one["Labels"]["reprobox.run"] in names and one["Image"].find("robust-runs") >= 0 for one in found)


def start(project, *arguments):
    """Start a run and wait until its program is up."""
    process = subprocess.Popen(
        [PROGRAM, "run", *arguments],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in a shell's background ignores SIGINT; these are to be a terminal's.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    line = process.stdout.readline()
    if line != "up\n":
        process.kill()
        raise AssertionError(line + process.stderr.read())
    return process


def own_frames(text):
    """Lines of a traceback of this program's own; the one in the container may show where Ctrl-C met it."""
    return [line for line in text.splitlines() if str(Path(reprobox.__file__).parent) in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("name", ["steady.py", "stubborn.py"])
def test_a_signal_ends_the_run_at_once_and_is_recorded(project, number, name):
    with start(project, "--", "python", name) as process:
        assert count_containers(project) == 1
        began = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        seconds = time.monotonic() - began
    assert (process.returncode, seconds < 10) == (130, True), (out, err)
    assert err.startswith("error: stopped by") or "\nerror: stopped by" in err, err
    assert ("KeyboardInterrupt" in err) == (number == signal.SIGINT and name == "steady.py")
    assert not own_frames(err), err
    assert count_containers(project) == 0
    _, record = last_run(project)
    assert record["exit_code"] == 130


def test_ctrl_c_is_the_program_s_keyboard_interrupt(project):
    with start(project, "--", "python", "careful.py") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "saved\n"), err
    assert count_containers(project) == 0
    folder, record = last_run(project)
    assert record["exit_code"] == 130
    assert (folder / "output" / "checkpoint").read_text() == "saved"


def test_a_signal_at_any_moment_ends_it_with_130_and_leaves_nothing(project):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(12):
        moment = chance.uniform(0.2, 1.2)
        number = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
        argv = [PROGRAM, "run", "--", "python", "steady.py"]
        with subprocess.Popen(argv, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            time.sleep(moment)
            process.send_signal(number)
            began = time.monotonic()
            _, err = process.communicate(timeout=60)
            told = f"{number.name} after {moment:.3f} s: exit code {process.returncode}\n{err}"
            assert time.monotonic() - began < 10, told
            assert process.returncode == 130, told
            assert not own_frames(err), told
        assert count_containers(project) == 0, told


def test_a_program_s_own_exit_code_is_in_the_record_and_said(project):
    done = run(project, "--", "python", "-c", "raise SystemExit(3)")
    _, record = last_run(project)
    assert (done.code, record["exit_code"], record["stages"][0]["exit_code"]) == (7, 3, 3)
    assert "failed with exit code 3" in done.stderr


def test_a_declared_output_that_is_missing_is_named(project, with_lines):
    with_lines("env: {NOTHING: '1'}")
    spec = project / "spec.yaml"
    spec.write_text(spec.read_text().replace("outputs: [wanted.txt]", "outputs: [wanted.txt, absent.csv]"))
    done = run(project)
    _, record = last_run(project)
    assert (done.code, record["exit_code"], record["missing_outputs"]) == (7, 0, ["absent.csv"])
    assert "missing  absent.csv" in done.stderr
    assert "wanted.txt" in [output["path"] for output in record["outputs"]]


@pytest.mark.parametrize("name", ["steady.py", "stubborn.py"])
def test_a_run_over_its_time_is_stopped_and_recorded(project, with_lines, name):
    with_lines("resources: {timeout: 2s}")
    began = time.monotonic()
    done = script(project, name)
    _, record = last_run(project)
    assert (done.code, record["stages"][0]["timed_out"]) == (7, True)
    assert record["exit_code"]
    assert "resources.timeout" in done.stderr
    assert time.monotonic() - began < 30  # and not the 120 seconds that it sleeps


def test_a_run_over_its_memory_is_recorded_as_that(project, with_lines):
    with_lines("resources: {memory: 64m}")
    done = script(project, "greedy.py")
    _, record = last_run(project)
    assert (done.code, record["exit_code"], record["stages"][0]["out_of_memory"]) == (7, 137, True)
    assert "resources.memory" in done.stderr


def test_two_hundred_megabytes_of_output_all_arrive(project):
    done = script(project, "flood.py")
    assert done.code == 0
    assert len(done.stdout) == 200_000_000 + len("the end\n")
    assert done.stdout.endswith("the end\n")
    folder, _ = last_run(project)
    log = (folder / "log.txt").stat().st_size
    assert 60_000_000 < log < 70_000_000


@pytest.mark.long
def test_a_gigabyte_of_output_arrives_through_little_memory(project):
    argv = [PROGRAM, "run", "--", "python", "flood.py", "11000"]
    size = peak = 0
    with subprocess.Popen(argv, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while part := process.stdout.read(1 << 20):
            size += len(part)
            peak = max(peak, read_peak(process.pid))
    assert (process.returncode, size) == (0, 1_100_000_000 + len("the end\n"))
    assert 10_000 < peak < 300_000
    folder, record = last_run(project)
    assert (record["exit_code"], (folder / "log.txt").stat().st_size < 70_000_000) == (0, True)


def read_peak(process):
    """Return the most memory that a process has had so far, in KiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def test_ten_thousand_outputs_links_pipes_and_odd_names_are_listed_or_warned_of(project):
    done = script(project, "litter.py")
    assert done.code == 0, done.stderr[-2000:]
    folder, record = last_run(project)
    names = [output["path"] for output in record["outputs"]]
    assert len([name for name in names if name.isdigit()]) == 10_000
    assert not {"etc", "passwd", "loop", "pipe"} & set(names)
    assert any(name.endswith("d/bottom") for name in names)
    assert [name for name in names if name.startswith("two")] == ["two\nlines \x1b[31mred"]
    for name in ("etc", "passwd", "loop", "pipe"):
        assert any(f"'{name}'" in warning for warning in record["warnings"]), record["warnings"]
    assert "\x1b" not in done.stderr
    assert (folder / "output" / "etc").is_symlink()


def test_a_program_that_spoils_its_record_changes_nothing_but_warnings(project):
    done = script(project, "vandal.py")
    assert done.code == 0, done.stderr[-2000:]
    assert "kept:" in done.stdout
    folder, record = last_run(project)
    text = " ".join(record["runtime"]["warnings"])
    for name in ("a.json", "b.json", "e.json", "i.json", "j.json", "k.json"):
        assert name in text
    assert "root:" not in (folder / "run.json").read_text()
    assert (folder / "run.json").stat().st_size < 64_000_000
    assert "\x1b" not in done.stderr
    # Strict JSON: other languages' parsers refuse NaN.
    json.loads((folder / "run.json").read_text(), parse_constant=pytest.fail)


def test_inside_there_is_no_root_no_capability_no_network_and_nothing_to_write_to(project, with_lines):
    (project / "table.csv").write_text(DATA["table.csv"])
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / "one.txt").write_text(DATA["data/one.txt"])
    with_lines("inputs:", *declare_inputs(project))
    done = script(project, "curious.py")
    assert done.code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert not lines[0].startswith("uid 0")
    assert " 0" not in lines[0]
    assert lines[1] == "caps " + " ".join(["0" * 16] * 5)
    assert lines[2] == "links ['lo']"
    assert [line.split()[:2] for line in lines[3:8]] == [
        ["refused", "/input/data"],
        ["refused", "/input/table.csv"],
        ["refused", "/work/script.py"],
        ["refused", "/opt/venv/new"],
        ["refused", "/etc/passwd"],
    ]
    assert lines[8] == "network Network is unreachable"
    assert (project / "table.csv").read_text() == DATA["table.csv"]


def declare_inputs(project):
    from reprobox.inputs import hash_file, hash_folder

    return (
        f"  table.csv: {hash_file(project / 'table.csv')}",
        "  data:",
        "    path: data",
        f"    sha256: {hash_folder(project / 'data')}",
    )


def test_an_input_that_differs_is_refused_before_anything_runs(project, with_lines):
    (project / "table.csv").write_text(DATA["table.csv"])
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / "one.txt").write_text(DATA["data/one.txt"])
    with_lines("inputs:", *declare_inputs(project))
    (project / "table.csv").write_text("a,b\n1,3\n")
    (project / "data" / "two.txt").write_text("two\n")
    before = sorted((project / ".reprobox" / "runs").iterdir())
    done = run(project)
    (project / "data" / "two.txt").unlink()
    assert done.code == 3
    where = [line.split(" ")[0] for line in done.stderr.splitlines() if line.startswith("spec.yaml:")]
    assert [one.split(":")[1] for one in where] == ["8", "10"], done.stderr
    assert sorted((project / ".reprobox" / "runs").iterdir()) == before
    assert done.stdout == ""


def test_json_is_one_object_while_the_program_prints_too(project):
    done = run(project, "--json")
    assert done.json["exit_code"] == 0
    assert done.stdout.count("\n") == 1
    assert "hello" in done.stderr
    failed = run(project, "--json", "--", "python", "-c", "print('x'); raise SystemExit(3)")
    assert (failed.code, failed.json["exit_code"]) == (7, 3)
    assert {"run_dir", "image_digest", "seconds", "seed", "level", "outputs"} <= failed.json.keys()


def test_a_command_behind_two_dashes_gets_its_arguments_as_they_are(project):
    odd = ["", "a b", "$HOME", "--json", "-h", "'\"", "ü\n", "*", "--"]
    done = run(project, "--", "python", "-c", "import sys; print(ascii(sys.argv[1:]))", *odd)
    assert (done.code, done.stdout) == (0, ascii(odd) + "\n")


def test_a_command_that_is_not_there_says_so(project):
    done = run(project, "--", "no-such-program")
    _, record = last_run(project)
    assert (done.code, record["exit_code"]) == (7, 127)
    assert "no-such-program" in done.stderr


def test_one_stage_can_be_run_alone(make_project, project):
    folder = make_project("robust-runs")
    text = (project / "spec.yaml").read_text()
    stages = "stages:\n" + "".join(f"  {name}: python stage.py {name}\n" for name in ("prepare", "train", "predict"))
    (folder / "spec.yaml").write_text(text.replace("command: python script.py\noutputs", "outputs", 1))
    (folder / "spec.yaml").write_text(
        text.replace("command: python script.py", stages.rstrip()).replace("outputs", "#")
    )
    (folder / "spec.lock").write_bytes((project / "spec.lock").read_bytes())
    (folder / "stage.py").write_text("import sys\nprint('stage', *sys.argv[1:])\nsys.exit(sys.argv[1] == 'train')\n")
    assert run(folder, "--stage", "prepare").stdout == "stage prepare\n"
    alone = run(folder, "--stage", "predict")
    assert (alone.code, "predict goes on from what prepare and train left" in alone.stderr) == (2, True)
    whole = run(folder)
    assert (whole.code, whole.stdout) == (7, "stage prepare\nstage train\n")
    _, record = last_run(folder)
    assert [(stage["name"], stage["exit_code"]) for stage in record["stages"]] == [("prepare", 0), ("train", 1)]
    unknown = run(folder, "--stage", "tarin")
    assert (unknown.code, "prepare, train, predict" in unknown.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--", "python", "flood.py")])
def test_a_reader_that_goes_away_is_no_accident(project, arguments):
    argv = [PROGRAM, "run", *arguments]
    with subprocess.Popen(argv, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        err = process.stderr.read().decode()
        process.wait(timeout=60)
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert "bug" not in err
    folder, record = last_run(project)
    # Hours of training are not thrown away with a pager; what it printed is in the log.
    assert (process.returncode, record["exit_code"]) == (0, 0), err
    assert (folder / "log.txt").stat().st_size


def test_whatever_a_run_leaves_belongs_to_its_caller(project):
    owner = Path(project).stat().st_uid
    assert script(project, "litter.py").code == 0
    folder, _ = last_run(project)
    found = subprocess.run(["find", folder, "-printf", "%U\n"], check=True, capture_output=True, text=True)
    assert set(found.stdout.split()) == {str(owner)}
