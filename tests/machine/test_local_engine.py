"""Runs without a container: an image's folders laid over this machine's, by namespaces that a plain user may have."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from reprobox.engines.base import ContainerSpec, GpuAccess, Mount
from reprobox.engines.local import LocalEngine, LocalImage
from reprobox.engines.local.isolation import choose_namespaces
from reprobox.errors import EngineError, Interrupted, UsageError
from reprobox.local_image import find_interpreter
from reprobox.lock import PythonTarget
from reprobox.resolve.python_config import read_python_config

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def engine(tmp_path):
    """An engine that holds an image "it": a read-only folder, one that each run may write to, a variable."""
    if "mount" not in choose_namespaces(network=False) and not os.environ.get("CI"):
        pytest.skip("this machine gives nobody a user namespace")
    for name in ("venv", "work", "home"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    image = LocalImage(
        folders={"/opt/reprobox-test": tmp_path / "venv"},
        copies={"/work": tmp_path / "work", "/home/reprobox": tmp_path / "home"},
        env={"PATH": "/usr/bin:/bin", "COLOUR": "green"},
        entrypoint=("/bin/sh", "-c"),
        workdir="/work",
    )
    return LocalEngine({"it": image})


def run(engine, line, **settings):
    output = {"stdout": b"", "stderr": b""}

    def take(stream, data):
        output[stream] += data

    result = engine.run_container(ContainerSpec("it", argv=(line,), **settings), take)
    return result, output["stdout"].decode(), output["stderr"].decode()


@pytest.mark.parametrize("code", [0, 3, 137, 255])
def test_the_exit_code_comes_back(engine, code):
    assert run(engine, f"exit {code}")[0].exit_code == code


def test_a_program_that_is_killed_counts_as_in_a_shell(engine):
    assert run(engine, "sh -c 'kill -9 $$'")[0].exit_code == 137


def test_output_comes_apart_and_whole(engine):
    _, out, err = run(engine, "head -c 3000000 /dev/zero | tr '\\0' x; echo no >&2")
    assert (len(out), err) == (3_000_000, "no\n")


def test_folders_are_where_an_image_has_them(engine, tmp_path):
    (tmp_path / "out").mkdir()
    mounts = (Mount(tmp_path / "out", "/output", read_only=False), Mount(tmp_path / "venv", "/input/data"))
    line = "pwd; cat file /opt/reprobox-test/file /home/reprobox/file /input/data/file; echo made > /output/made"
    _, out, err = run(engine, line, mounts=mounts)
    assert (out, err) == ("/work\nworkvenvhomevenv", "")
    assert (tmp_path / "out" / "made").read_text() == "made\n"
    assert not any(Path(name).exists() for name in ("/output", "/input", "/opt/reprobox-test"))


def test_what_is_read_only_stays_as_it_is_and_copies_are_each_run_s_own(engine, tmp_path):
    line = "echo x > file; echo x > ../opt/reprobox-test/file; cat file"
    _, out, err = run(engine, line)
    assert out == "x\n"
    assert "Read-only" in err
    assert run(engine, "cat file")[1] == "work"
    assert (tmp_path / "work" / "file").read_text() == "work"


def test_one_file_is_laid_over_another(engine, tmp_path):
    (tmp_path / "other").write_text("other")
    mounts = (Mount(tmp_path / "other", "/opt/reprobox-test/file"),)
    assert run(engine, "cat /opt/reprobox-test/file", mounts=mounts)[1] == "other"
    assert (tmp_path / "venv" / "file").read_text() == "venv"


def test_the_environment_is_the_image_s_and_the_run_s(engine, monkeypatch):
    monkeypatch.setenv("REPROBOX_TEST_SECRET", "leaks")
    _, out, _ = run(engine, "env", env={"COLOUR": "red"})
    names = {line.partition("=")[0] for line in out.splitlines()}
    assert "COLOUR=red" in out.splitlines()
    assert "REPROBOX_TEST_SECRET" not in names


def test_the_network_is_off_unless_it_is_asked_for(engine):
    if "net" not in choose_namespaces(network=False) and not os.environ.get("CI"):
        pytest.skip("this machine gives nobody a network namespace")
    count = "wc -l < /proc/net/dev"
    alone, shared = (int(run(engine, count, network=network)[1]) for network in (False, True))
    assert alone == 3  # two lines of titles, and the loopback
    assert shared == len(Path("/proc/net/dev").read_text().splitlines())


@pytest.mark.parametrize(
    ("gpus", "shown"), [((), ["CUDA_VISIBLE_DEVICES="]), (("0", "1"), ["CUDA_VISIBLE_DEVICES=0,1"]), (("all",), [])]
)
def test_gpus_that_a_run_is_not_to_have_are_hidden(engine, gpus, shown):
    order = "CUDA_DEVICE_ORDER=PCI_BUS_ID"  # or CUDA would count from the fastest one on
    assert sorted(run(engine, "env | grep CUDA", gpus=gpus)[1].split()) == [order, *shown]


def test_a_run_over_its_time_is_ended(engine):
    result, out, _ = run(engine, "trap 'echo ending; exit 4' TERM; while true; do sleep 0.1; done", timeout=1)
    assert (result.timed_out, result.exit_code, out) == (True, 4, "ending\n")
    began = time.monotonic()
    result, _, _ = run(engine, "trap '' TERM; while true; do sleep 0.1; done", timeout=1)
    assert (result.timed_out, result.exit_code) == (True, 137)
    assert time.monotonic() - began < 20


def test_what_a_program_leaves_running_ends_with_it(engine, tmp_path):
    if "pid" not in choose_namespaces(network=False) and not os.environ.get("CI"):
        pytest.skip("this machine gives nobody a namespace of processes")
    (tmp_path / "out").mkdir()
    mounts = (Mount(tmp_path / "out", "/output", read_only=False),)
    began = time.monotonic()
    run(engine, "setsid sh -c 'while true; do date > /output/alive; sleep 0.1; done' & sleep 1", mounts=mounts)
    assert time.monotonic() - began < 20
    before = (tmp_path / "out" / "alive").stat().st_mtime_ns
    time.sleep(1)
    assert (tmp_path / "out" / "alive").stat().st_mtime_ns == before


@pytest.fixture
def endless(tmp_path):
    """A function: start a process that runs a program without end, and return it when the program has begun."""
    (tmp_path / "out").mkdir()
    code = f"""
from pathlib import Path
from reprobox.engines.base import ContainerSpec, Mount
from reprobox.engines.local import LocalEngine, LocalImage
image = LocalImage({{}}, {{}}, {{"PATH": "/usr/bin:/bin"}}, ("/bin/sh", "-c"), "/")
mount = Mount(Path({str(tmp_path / "out")!r}), "/output", read_only=False)
line = "while true; do date > /output/alive; sleep 0.1; done"
LocalEngine({{"it": image}}).run_container(ContainerSpec("it", argv=(line,), mounts=(mount,)), print)
"""
    alive = tmp_path / "out" / "alive"
    started = []

    def start(**env):
        alive.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, env={**os.environ, **env})
        started.append(process)
        while not alive.exists():
            assert process.poll() is None
            time.sleep(0.1)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_program_does_not_outlive_a_reprobox_that_is_killed(engine, endless, tmp_path):
    process = endless()
    process.kill()
    process.wait()
    alive = tmp_path / "out" / "alive"
    time.sleep(1)
    before = alive.stat().st_mtime_ns
    time.sleep(1)
    assert alive.stat().st_mtime_ns == before


def test_the_next_run_removes_the_folders_of_a_killed_one_and_of_no_other(engine, endless, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    killed = endless(TMPDIR=str(temporary))
    (left,) = temporary.glob("reprobox-run-*")
    killed.kill()
    killed.wait()
    assert left.exists()
    endless(TMPDIR=str(temporary))
    (living,) = set(temporary.glob("reprobox-run-*")) - {left}
    assert run(engine, "true")[0].exit_code == 0
    assert list(temporary.iterdir()) == [living]


def test_runs_of_other_threads_are_stopped_on_request(engine):
    ended = []
    for gently, code in ((True, 5), (False, 137)):
        line = "trap 'exit 5' TERM; while true; do sleep 0.1; done"
        thread = threading.Thread(target=lambda line=line: ended.append(run(engine, line)[0].exit_code))
        thread.start()
        time.sleep(1.5)
        engine.stop_containers(gently=gently)
        thread.join(timeout=20)
        assert ended[-1:] == [code]


def test_ctrl_c_reaches_the_program_and_ends_the_run(engine):
    output = []

    def answer(stream, data):
        output.append(data)
        if data == b"up\n":
            os.kill(os.getpid(), signal.SIGINT)

    spec = ContainerSpec("it", argv=("trap 'echo saved; exit 0' INT; echo up; while true; do sleep 0.1; done",))
    with pytest.raises(Interrupted):
        engine.run_container(spec, answer)
    assert b"".join(output) == b"up\nsaved\n"


def test_a_command_that_is_not_there_ends_as_it_does_in_a_shell(engine):
    spec = ContainerSpec("it", argv=("/no/such/program",), entrypoint=())
    output = []
    assert engine.run_container(spec, lambda stream, data: output.append(data)).exit_code == 127
    assert b"/no/such/program cannot be run" in b"".join(output)


def test_a_name_that_nobody_gave_is_refused(engine):
    with pytest.raises(EngineError, match="nothing is laid out"):
        engine.run_container(ContainerSpec("other"), lambda stream, data: None)


def test_it_says_what_it_is(engine):
    info = engine.info()
    assert (info.name, info.gpu_access, info.runs_as_caller, info.holds_limits) == (
        "local",
        GpuAccess.DIRECT,
        True,
        False,
    )
    assert info.isolation.startswith("namespaces: mount")


def test_nobody_has_it_too(tmp_path):
    """A user without any rights of root's, as on a cluster."""
    if os.geteuid() != 0:
        pytest.skip("as a plain user every other test here shows the same")
    become = ["setpriv", "--reuid=54323", "--regid=54323", "--clear-groups", "--no-new-privs"]
    code = "from reprobox.engines.local.isolation import choose_namespaces; print(choose_namespaces(network=False))"
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": "/"}
    python = f"/usr/bin/python3.{sys.version_info[1]}"
    done = subprocess.run(
        [*become, python, "-c", code], cwd="/", env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        pytest.skip(f"nobody but root may use {python} or read {REPOSITORY}")
    assert done.stdout.startswith("('user', 'mount'")


def test_folders_that_cannot_be_laid_out_are_the_engine_s_failure_and_not_the_program_s(engine, tmp_path):
    mounts = (Mount(tmp_path / "nowhere", "/output", read_only=False),)
    with pytest.raises(EngineError, match="cannot be laid over") as caught:
        run(engine, "true", mounts=mounts)
    assert caught.value.exit_code == 5
    assert not list(Path(tempfile.gettempdir()).glob("reprobox-run-*/failure"))


def test_a_python_that_is_not_here_is_named_with_the_way_to_it():
    plan = SimpleNamespace(python=PythonTarget("3.55.2", "/usr/bin/python3.55", "2.36"))
    with pytest.raises(UsageError, match=r"the lock is for Python 3\.55") as caught:
        find_interpreter(plan, read_python_config(os.environ, Path.home()))
    assert "uv python install 3.55" in caught.value.hint
