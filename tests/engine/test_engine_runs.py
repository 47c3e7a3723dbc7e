"""Containers in real engines: output, exit codes, limits, isolation, and that none is ever left behind."""

import gc
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from engine_images import make_image, run_shell
from engine_tidying import wait_for_tidying

from reprobox.engines import ending
from reprobox.engines.base import ContainerSpec, GpuAccess, Mount
from reprobox.engines.docker import connect
from reprobox.engines.docker.containers import Containers
from reprobox.engines.owners import OWNER_LABEL, name_owner
from reprobox.errors import EngineError, Interrupted
from reprobox.image import load_image


@pytest.fixture(scope="session")
def everywhere(engines, layers):
    """Each private engine, holding the small image."""
    load_image(engines, make_image(layers), "reprobox-test/busybox:1", layers)
    return engines


IMAGE = "reprobox-test/busybox:1"


def run(engine, *argv, **settings):
    output = []
    spec = ContainerSpec(IMAGE, argv=argv, **settings)
    return engine.run_container(spec, lambda stream, data: output.append(data)), b"".join(output)


def count_containers(engine, label=""):
    """Count this process's containers, or those with a label, running or not."""
    return len(engine._client.containers(all=True, filters={"label": label or f"{OWNER_LABEL}={name_owner()}"}))


@pytest.mark.parametrize("code", [0, 3, 137, 143, 255])
def test_the_exit_code_comes_back(everywhere, code):
    assert run_shell(everywhere, IMAGE, f"exit {code}")[0] == code


def test_stdout_and_stderr_come_apart(everywhere):
    assert run_shell(everywhere, IMAGE, "echo out; echo err >&2") == (0, b"out\n", b"err\n")


def test_the_image_s_own_command_runs_when_none_is_given(everywhere):
    output = []
    everywhere.run_container(ContainerSpec(IMAGE), lambda stream, data: output.append(data))
    assert output == [b"default\n"]


@pytest.mark.parametrize(
    ("entrypoint", "argv", "expected"),
    [
        (None, ("echo", "a b"), b"a b\n"),
        ((), ("echo", "x"), b"x\n"),
        (("/bin/echo", "first"), ("second",), b"first second\n"),
        (("/bin/echo", "only"), None, b"only\n"),
    ],
)
def test_entrypoint_and_command_make_one_command_line(everywhere, entrypoint, argv, expected):
    output = []
    spec = ContainerSpec(IMAGE, argv=argv, entrypoint=entrypoint)
    everywhere.run_container(spec, lambda stream, data: output.append(data))
    assert b"".join(output) == expected


def test_fifty_megabytes_come_through_byte_for_byte(everywhere, tmp_path):
    data = os.urandom(50 << 20)
    (tmp_path / "data").write_bytes(data)
    result, output = run(everywhere, "cat", "/data", mounts=(Mount(tmp_path / "data", "/data"),))
    assert result.exit_code == 0
    assert hashlib.sha256(output).digest() == hashlib.sha256(data).digest()


def test_a_slow_reader_slows_the_program_down_and_loses_nothing(engine, busybox):
    seen = 0

    def read_slowly(stream, data):
        nonlocal seen
        seen += len(data)
        time.sleep(0.0005)

    spec = ContainerSpec(busybox, argv=("dd", "if=/dev/zero", "bs=1M", "count=16"))
    engine.run_container(spec, lambda stream, data: read_slowly(stream, data) if stream == "stdout" else None)
    assert seen == 16 << 20


def test_there_is_no_network_by_default(everywhere):
    assert run_shell(everywhere, IMAGE, "ls /sys/class/net")[1].split() == [b"lo"]


def test_a_network_is_there_when_asked_for(engine, busybox):
    assert b"eth0" in run_shell(engine, busybox, "ls /sys/class/net", network=True)[1]


def test_the_user_is_the_one_asked_for_and_gains_nothing(everywhere):
    code, output, _ = run_shell(everywhere, IMAGE, "id -u; id -g; cat /proc/self/status", user="1234:5678")
    assert code == 0
    assert output.startswith(b"1234\n5678\n")
    assert b"NoNewPrivs:\t1" in output
    assert b"CapEff:\t0000000000000000" in output


def test_capabilities_are_the_named_ones_only(everywhere):
    output = run_shell(everywhere, IMAGE, "cat /proc/self/status", capabilities=())[1]
    assert b"CapBnd:\t0000000000000000" in output


def test_mounts_are_read_only_unless_said_otherwise(everywhere, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "data").write_bytes(b"input")
    (tmp_path / "out").mkdir()
    mounts = (Mount(tmp_path / "in", "/input"), Mount(tmp_path / "out", "/output", read_only=False))
    script = "cat /input/data; echo x > /input/data; echo y > /input/new; echo result > /output/result"
    _, output, errors = run_shell(everywhere, IMAGE, script, mounts=mounts)
    assert output == b"input"
    assert errors.count(b"Read-only file system") == 2
    assert (tmp_path / "in" / "data").read_bytes() == b"input"
    assert (tmp_path / "out" / "result").read_bytes() == b"result\n"


def test_a_folder_that_is_not_there_is_one_clear_error(everywhere, tmp_path):
    with pytest.raises(EngineError, match="bind source path does not exist"):
        run(everywhere, "true", mounts=(Mount(tmp_path / "absent", "/input"),))
    assert not (tmp_path / "absent").exists()


def test_environment_and_folder_are_set(everywhere):
    script = 'echo "$A|$LANG|$PWD"'
    _, output, _ = run_shell(everywhere, IMAGE, script, env={"A": 'x "y"\n$z'}, workdir="/tmp")
    assert output == 'x "y"\n$z|C.UTF-8"<&>é|/tmp\n'.encode()


def test_a_run_over_its_time_is_stopped(everywhere):
    began = time.monotonic()
    result, _ = run(everywhere, "sleep", "60", timeout=1)
    assert result.timed_out
    assert result.exit_code in (137, 143)
    assert 1 <= time.monotonic() - began < 10


def test_a_time_that_is_over_before_the_container_has_started_counts_too(everywhere):
    began = time.monotonic()
    result, _ = run(everywhere, "sleep", "30", timeout=0.0001)
    assert result.timed_out
    assert time.monotonic() - began < 15


def test_a_program_that_ignores_the_request_to_end_is_killed(engine, busybox):
    began = time.monotonic()
    result, output = run(engine, "sh", "-c", "trap 'echo asked' TERM; while true; do sleep 0.1; done", timeout=0.5)
    assert (result.timed_out, result.exit_code, output) == (True, 137, b"asked\n")
    assert time.monotonic() - began < 10


def test_a_run_within_its_time_is_not_called_timed_out(engine, busybox):
    assert not run(engine, "true", timeout=30)[0].timed_out


def test_a_program_that_takes_too_much_memory_is_ended_and_said_so(everywhere):
    result, _ = run(everywhere, "sh", "-c", "head -c 200000000 /dev/zero | tail", memory=32 << 20)
    killed, _ = run(everywhere, "tail", "/dev/zero", memory=32 << 20)
    assert result.out_of_memory
    assert killed.out_of_memory
    assert killed.exit_code == 137


def test_peak_memory_is_in_the_right_region(engine, busybox):
    script = "head -c 60000000 /dev/zero >/dev/shm/x; sleep 2.2"
    result, _ = run(engine, "sh", "-c", script, shm=80_000_000)
    assert result.exit_code == 0
    assert 60_000_000 < result.peak_memory < 400_000_000


def test_shared_memory_and_processors_are_limited(engine, busybox):
    output = run_shell(engine, busybox, "mount; cat /sys/fs/cgroup/cpu.max", shm=16 << 20, cpus=1)[1]
    assert b"size=16384k" in output
    with pytest.raises(EngineError, match="CPU") as caught:
        run(engine, "true", cpus=10_000)
    assert "resources" in caught.value.hint


def test_an_image_that_is_not_there_is_never_pulled(everywhere):
    with pytest.raises(EngineError, match="no image reprobox-test/none:1"):
        everywhere.run_container(ContainerSpec("reprobox-test/none:1"), lambda stream, data: None)


def test_a_command_that_is_not_there_ends_as_it_does_in_a_shell(everywhere):
    result, output = run(everywhere, "no-such-program")
    assert (result.exit_code, b"no-such-program" in output) == (127, True)
    assert count_containers(everywhere) == 0


def test_gpus_where_there_are_none_is_one_clear_error(engine, busybox):
    if engine.info().gpu_access is not GpuAccess.NONE:
        pytest.skip("this engine has a GPU to give")
    with pytest.raises(EngineError, match="device driver") as caught:
        run(engine, "true", gpus=("all",))
    assert "toolkit" in caught.value.hint


def test_orphans_inside_the_container_are_reaped_by_its_init(engine, busybox):
    assert b"init" in run_shell(engine, busybox, "cat /proc/1/cmdline")[1]


def test_no_container_is_left_after_runs_that_end_in_any_way(everywhere):
    def fail(stream, data):
        raise KeyError("in the callback")

    run(everywhere, "true")
    run(everywhere, "sh", "-c", "exit 1")
    with pytest.raises(KeyError, match="callback"):
        everywhere.run_container(ContainerSpec(IMAGE, argv=("sh", "-c", "echo x; sleep 60")), fail)
    assert count_containers(everywhere) == 0


@pytest.mark.parametrize(
    ("number", "received"),
    [
        (signal.SIGINT, "INT"),
        (signal.SIGTERM, "TERM"),
        (signal.SIGHUP, "HUP"),
        (signal.SIGQUIT, "TERM"),
    ],
)
def test_a_signal_in_this_process_stops_the_container(engine, busybox, number, received):
    output = []
    before = signal.getsignal(number)

    def answer(stream, data):
        output.append(data)
        if data == b"up\n":
            os.kill(os.getpid(), number)

    traps = "; ".join(f"trap 'echo {name}; exit 9' {name}" for name in ("INT", "TERM", "HUP", "QUIT"))
    script = f"{traps}; echo up; while true; do sleep 0.1; done"
    began = time.monotonic()
    with pytest.raises(Interrupted, match=number.name):
        engine.run_container(ContainerSpec(busybox, argv=("sh", "-c", script)), answer)
    assert b"".join(output).decode() == f"up\n{received}\n"
    assert time.monotonic() - began < 5
    assert count_containers(engine) == 0
    assert signal.getsignal(number) is before


def test_a_signal_that_comes_before_the_container_has_started_stops_it_too(engine, busybox, monkeypatch):
    start = Containers.start

    def interrupt_and_start(containers, container):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        start(containers, container)

    monkeypatch.setattr(Containers, "start", interrupt_and_start)
    began = time.monotonic()
    with pytest.raises(Interrupted, match="SIGINT"):
        run(engine, "sleep", "30")
    assert time.monotonic() - began < 10


def test_signals_for_the_program_go_through_and_stop_nothing(engine, busybox):
    output = []

    def answer(stream, data):
        output.append(data)
        if data == b"up\n":
            os.kill(os.getpid(), signal.SIGUSR1)
        if data == b"USR1\n":
            os.kill(os.getpid(), signal.SIGUSR2)

    script = "trap 'echo USR1' USR1; trap 'echo USR2; exit 3' USR2; echo up; while true; do sleep 0.1; done"
    result = engine.run_container(ContainerSpec(busybox, argv=("sh", "-c", script), timeout=20), answer)
    assert (b"".join(output), result.exit_code) == (b"up\nUSR1\nUSR2\n", 3)


def test_an_output_that_nobody_takes_any_more_is_not_the_engine_s_fault(engine, busybox):
    def fail(stream, data):
        raise BrokenPipeError("nobody reads this")

    with pytest.raises(BrokenPipeError, match="nobody reads this"):
        engine.run_container(ContainerSpec(busybox, argv=("sh", "-c", "echo x; sleep 60")), fail)
    assert count_containers(engine) == 0


def test_a_signal_that_is_ignored_stays_ignored(engine, busybox):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    spec = ContainerSpec(busybox, argv=("sh", "-c", "echo up; sleep 1"))
    try:
        result = engine.run_container(spec, lambda stream, data: os.kill(os.getpid(), signal.SIGHUP))
        assert result.exit_code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_does_not_wait(engine, busybox, monkeypatch):
    monkeypatch.setattr(ending, "GRACE", 30)

    def answer(stream, data):
        os.kill(os.getpid(), signal.SIGINT)

    script = "trap 'echo asked' INT; echo up; while true; do sleep 0.1; done"
    began = time.monotonic()
    with pytest.raises(Interrupted):
        engine.run_container(ContainerSpec(busybox, argv=("sh", "-c", script)), answer)
    assert time.monotonic() - began < 15


def test_containers_of_other_threads_are_stopped_on_request(engine, busybox):
    ended = []
    up = threading.Event()
    spec = ContainerSpec(busybox, argv=("sh", "-c", "echo up; sleep 60"))
    thread = threading.Thread(target=lambda: ended.append(engine.run_container(spec, lambda stream, data: up.set())))
    thread.start()
    assert up.wait(30)
    engine.stop_containers()
    thread.join(timeout=20)
    assert [result.exit_code for result in ended] == [137]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)],
    ids=lambda value: str(value),
)
def test_a_caller_that_is_ended_leaves_no_container(engine, busybox, number, code):
    label = f"reprobox-test-{number.name.lower()}-{os.getpid()}"
    script = Path(__file__).with_name("run_forever.py")
    argv = [sys.executable, str(script), busybox, label, "echo up; sleep 300"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        assert count_containers(engine, label) == 1
        process.send_signal(number)
        assert process.wait(timeout=20) == code
    # A killed process can do nothing any more: the next one tidies up.
    assert count_containers(engine, label) == (1 if number == signal.SIGKILL else 0)
    connect(os.environ)
    wait_for_tidying()
    assert count_containers(engine, label) == 0


def test_a_living_process_keeps_its_container(engine, busybox):
    label = f"reprobox-test-alive-{os.getpid()}"
    argv = [sys.executable, str(Path(__file__).with_name("run_forever.py")), busybox, label, "echo up; sleep 300"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        connect(os.environ)
        wait_for_tidying()
        assert count_containers(engine, label) == 1
        process.terminate()
        assert process.wait(timeout=20) == 130


# The SDK leaves a socket open when nothing answers any more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_an_engine_that_dies_during_a_run_is_one_clear_error(spare_daemon, layers):
    engine = connect(spare_daemon.environ)
    load_image(engine, make_image(layers), IMAGE, layers)
    timer = threading.Timer(1, spare_daemon.kill)
    timer.start()
    with pytest.raises(EngineError, match="stopped answering"):
        run(engine, "sleep", "20")
    timer.join()
    gc.collect()


def test_a_run_costs_little_more_than_the_program(engine, busybox):
    run(engine, "true")
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        run(engine, "true")
        seconds.append(time.monotonic() - began)
    assert min(seconds) < 1
