"""Build steps in real engines: streams in and out byte for byte, as root, without network, nothing left."""

import io
import os
import signal
import tarfile
import threading
import time

import pytest
from engine_daemons import KINDS
from engine_images import make_image, make_tar
from test_engine_runs import IMAGE, count_containers

from reprobox.engines.docker import connect
from reprobox.errors import BuildError, EngineError
from reprobox.image import load_image


@pytest.fixture(scope="session")
def everywhere(engines, layers):
    """Each private engine, holding the small image."""
    load_image(engines, make_image(layers), IMAGE, layers)
    return engines


def step(engine, script, *, stdin=None, stdout=None, env=None, timeout=60):
    output = []
    source = None if stdin is None else io.BytesIO(stdin)
    code = engine.run_step(
        IMAGE,
        ("/bin/sh", "-c", script),
        stdin=source,
        on_output=output.append,
        stdout=stdout,
        env=env or {},
        timeout=timeout,
    )
    return code, b"".join(output)


def export(engine, script, *, files=None, timeout=60):
    argv = ("/bin/sh", "-c", script)
    chunks = engine.export_step(IMAGE, argv, files=files, env={}, on_output=lambda data: None, timeout=timeout)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        entries = [(entry.name.lstrip("/"), entry) for entry in tar]
        return {name: (entry, tar.extractfile(entry).read() if entry.isreg() else b"") for name, entry in entries}


def test_what_goes_in_comes_out_byte_for_byte(everywhere):
    data, out = os.urandom(50 << 20), io.BytesIO()
    assert step(everywhere, "cat", stdin=data, stdout=out) == (0, b"")
    assert out.getvalue() == data


def test_an_empty_input_ends_at_once(everywhere):
    assert step(everywhere, "cat; echo end", stdin=b"") == (0, b"end\n")


def test_without_input_there_is_nothing_to_read(everywhere):
    assert step(everywhere, "cat; echo end") == (0, b"end\n")


def test_input_that_nobody_reads_does_not_hold_the_step_up(everywhere):
    began = time.monotonic()
    assert step(everywhere, "exit 4", stdin=bytes(20 << 20)) == (4, b"")
    assert time.monotonic() - began < 10


def test_an_input_that_cannot_be_read_fails_the_step(engine, busybox):
    class Broken:
        def read(self, size):
            raise BuildError("the layer is damaged")

    with pytest.raises(BuildError, match="the layer is damaged"):
        engine.run_step(busybox, ("cat",), stdin=Broken(), on_output=lambda data: None, stdout=None, env={}, timeout=30)
    assert count_containers(engine) == 0


def test_messages_stay_apart_from_results(everywhere):
    out = io.BytesIO()
    assert step(everywhere, "echo result; echo message >&2; exit 3", stdout=out) == (3, b"message\n")
    assert out.getvalue() == b"result\n"


def test_a_step_is_root_with_no_network_and_the_environment_it_was_given(everywhere):
    script = 'id -u; ls /sys/class/net; echo "$SOURCE_DATE_EPOCH"'
    assert step(everywhere, script, env={"SOURCE_DATE_EPOCH": "315532800"}) == (0, b"0\nlo\n315532800\n")


def test_a_step_over_its_time_is_one_clear_error(everywhere):
    with pytest.raises(BuildError, match="stopped after 1 seconds"):
        step(everywhere, "sleep 60", timeout=1)
    assert count_containers(everywhere) == 0


def test_the_whole_file_system_comes_back_with_the_files_put_in_and_made(everywhere):
    files = make_tar({"opt/input": b"in", "opt/link": "input"})
    script = "cat /opt/input > /opt/output; echo -n more >> /opt/output; touch /tmp/made"
    found = export(everywhere, script, files=[files[:700], files[700:]])
    assert found["opt/output"][1] == b"inmore"
    assert found["opt/link"][0].linkname == "input"
    assert found["bin/busybox"][0].size > 100_000
    assert "tmp/made" in found


def test_nobody_compresses_what_a_step_left(everywhere, monkeypatch):
    """Engines would, given the chance: a step on a middling image took four times as long."""

    def refuse(encoding):
        raise AssertionError(f"the engine sent {encoding}")

    monkeypatch.setattr("urllib3.response._get_decoder", refuse)
    assert "bin/busybox" in export(everywhere, "true")


def test_modes_owners_and_times_of_files_put_in_survive(everywhere):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("opt/odd")
        entry.mode, entry.uid, entry.gid, entry.mtime, entry.size = 0o4751, 12, 34, 315532800, 1
        tar.addfile(entry, io.BytesIO(b"x"))
    entry = export(everywhere, "true", files=[out.getvalue()])["opt/odd"][0]
    # Docker 20.10 adds the kind of the entry to its mode.
    assert (entry.mode & 0o7777, entry.uid, entry.gid, entry.mtime) == (0o4751, 12, 34, 315532800)


def test_a_step_that_fails_gives_no_file_system(everywhere):
    with pytest.raises(BuildError, match="exit code 5"):
        export(everywhere, "exit 5")
    assert count_containers(everywhere) == 0


def test_an_export_given_up_half_way_leaves_no_container(everywhere):
    chunks = everywhere.export_step(IMAGE, ("true",), files=None, env={}, on_output=lambda data: None, timeout=30)
    next(chunks)
    chunks.close()
    assert count_containers(everywhere) == 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not KINDS[kind].containerd_store])
def test_a_file_system_that_was_read_leaves_nothing_on_the_engines_disk(daemons, layers, kind):
    daemon, engine = daemons(kind)
    load_image(engine, make_image(layers), IMAGE, layers)
    store = daemon.data / "root" / "overlay2"
    before = {path.name for path in store.iterdir()}
    assert len(before) > 1
    export(engine, "echo made > /made")
    assert {path.name for path in store.iterdir()} == before


def test_a_stranger_s_steps_have_a_limit_of_memory(layers):
    engine = connect(os.environ)
    load_image(engine, make_image(layers), IMAGE, layers)
    bomb = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>&1 && echo took it"
    assert step(engine, bomb)[0] == 0
    engine.limit_steps(64 << 20, None)
    with pytest.raises(BuildError, match="wanted more memory than its limit of 67"):
        step(engine, bomb)
    with pytest.raises(BuildError, match="wanted more memory"):
        export(engine, bomb)
    assert step(engine, "echo small") == (0, b"small\n")


@pytest.mark.parametrize("kind", [*KINDS, "podman"])
def test_a_stranger_s_steps_have_a_limit_of_disk(layers, daemons, kind):
    engine = connect({"DOCKER_HOST": daemons(kind)[0].host})
    load_image(engine, make_image(layers), IMAGE, layers)
    engine.limit_steps(1 << 30, 64 << 10)
    whole = export(engine, "true")
    assert sum(entry.size for entry, _ in whole.values()) > 64 << 10  # what the image holds is not what the step wrote
    engine.limit_steps(1 << 30, 8 << 20)
    assert export(engine, "head -c 4000000 /dev/zero > /made")
    # While it runs, at its very end, and in files that are all holes.
    for much in (
        "for i in 1 2 3 4 5 6; do head -c 4000000 /dev/zero > /made$i; done; sleep 60",
        "for i in 1 2 3 4 5 6; do head -c 4000000 /dev/zero > /made$i; done",
        "dd if=/dev/zero of=/made bs=1 count=1 seek=900000000000 2>&1",
        "for i in 1 2 3 4 5 6; do dd if=/dev/zero of=/made$i bs=1 count=1 seek=7000000; done 2>&1",
    ):
        began = time.monotonic()
        with pytest.raises(BuildError, match="wrote more than its limit of 8"):
            export(engine, much)
        assert time.monotonic() - began < 30
    assert count_containers(engine) == 0


def test_a_step_in_an_image_that_is_not_there_is_one_clear_error(everywhere):
    with pytest.raises(EngineError, match="no image"):
        everywhere.run_step(
            "reprobox-test/none:1",
            ("true",),
            stdin=None,
            on_output=lambda data: None,
            stdout=None,
            env={},
            timeout=30,
        )


def test_ctrl_c_during_a_step_leaves_no_container(engine, busybox):
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.run_step(
            busybox,
            ("sleep", "60"),
            stdin=io.BytesIO(b"unread"),
            on_output=lambda data: None,
            stdout=None,
            env={},
            timeout=60,
        )
    assert time.monotonic() - began < 5
    assert count_containers(engine) == 0
