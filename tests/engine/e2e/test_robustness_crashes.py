"""Killed, raced and deserted commands: the next one does its work as if nothing had been, and tidies up after them."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import docker
import pytest
from caches import list_files, make_cache
from engine_tidying import wait_for_tidying
from index_server import IndexServer
from program import PROGRAM, call_program

from reprobox.engines.docker import connect
from reprobox.engines.owners import OWNER_LABEL, TEMPORARY_REPOSITORIES, name_owner, name_temporary

pytestmark = pytest.mark.network

LINES = (
    "packages: [six==1.17.0, tqdm==4.67.1, rbx-slow==1.0]",
    "run: ['mkdir /opt/made && head -c 20000000 /dev/zero > /opt/made/file']",
)
KILLS = 25
SLOW = "rbx_slow-1.0-py3-none-any.whl"
LARGE = 3_000_000
"""Bytes of a download that is not worth waiting for again."""


@pytest.fixture(scope="module")
def index():
    """An index that has one package more, and may be slow with it."""
    index = IndexServer()
    index.add("rbx-slow", "1.0", extra=b"#" + b"x" * 1_500_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_EXTRA_INDEX_URL", index.simple)
        yield index
    index.close()


@pytest.fixture(scope="module")
def project(make_project, fresh_lock, index):
    folder = make_project("robust-crashes", *LINES)
    fresh_lock(folder)
    yield folder
    docker.APIClient().remove_image("reprobox/robust-crashes:latest", force=True)


@pytest.fixture(scope="module")
def private(daemons):
    """An engine that nobody else uses meanwhile, and a client for looking at it."""
    daemon, _ = daemons("docker-20.10")
    return {"DOCKER_HOST": daemon.host}, docker.APIClient(base_url=daemon.host)


@pytest.fixture(scope="module")
def undisturbed(project, private, tmp_path_factory):
    """What one build that nobody disturbs makes, with an empty cache."""
    cache = make_cache(tmp_path_factory.mktemp("undisturbed"))
    call_program("lock", "--upgrade", project, env={**private[0], **cache})
    built = call_program("build", "--json", project, env={**private[0], **cache}).json
    private[1].remove_image("reprobox/robust-crashes:latest", force=True)
    return built["image_digest"], list_files(Path(cache["REPROBOX_CACHE"]) / "layers")


def forget_some(cache, project, lock, chance, slow, wheels):
    """Undo some of what is finished, so that the next command has something to do at which it can be killed.

    The base stays more often than not: making it takes longer than everything else together. So do large downloads.
    The ``slow`` one goes each time; where ``wheels`` is true, everything that is made of it too.
    """
    if chance.random() < 0.5 and not wheels:
        (project / "spec.lock").unlink(missing_ok=True)
    for record in list_records(cache):
        is_base = '"Debian' in record.read_text()
        if not is_base if wheels else chance.random() < (0.15 if is_base else 0.7):
            record.unlink(missing_ok=True)
    for sha256 in sorted(set(re.findall(r"[0-9a-f]{64}", lock.decode()))):
        blob = cache / "blobs" / "sha256" / sha256[:2] / sha256
        if blob.exists() and (sha256 == slow or (blob.stat().st_size < LARGE and chance.random() < 0.3)):
            blob.unlink()


def list_records(cache):
    return sorted((cache / "layers").rglob("keys/*.json"))


@pytest.mark.long
def test_killed_at_25_moments_and_then_not(project, private, undisturbed, index, monkeypatch, tmp_path):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    environ, client = private
    cache = tmp_path / "cache"
    environ = {**environ, **make_cache(cache)}
    lock = (project / "spec.lock").read_bytes()
    images = {one["Id"] for one in client.images(all=True)}
    moments, cut, told = [], 0, tmp_path / "told"
    slow = index.sha256(SLOW)
    partial = cache / "blobs" / "sha256" / slow[:2] / f"{slow}.part"
    monkeypatch.setattr(index.habits, "delay", 0.2)  # some five seconds for the whole file
    while sum("ended" not in moment for moment in moments) < KILLS:
        assert len(moments) < 2 * KILLS, f"most ended by themselves: {moments}"
        downloads = len(moments) % 8 == 7  # killed while a download is under way, whenever that is
        if moments:
            forget_some(cache, project, lock, chance, slow, downloads)
            forget_image(client)
        command = "build" if downloads else chance.choices(["lock", "build"], [1, 4])[0]
        if command == "lock":
            (project / "spec.lock").unlink(missing_ok=True)
        # Every fifth gets far; the others are spread over what takes the least time.
        moment = chance.uniform(1, 16) if len(moments) % 5 == 0 else chance.uniform(0.2, 4)
        if downloads:
            partial.unlink(missing_ok=True)
            # The base may have to be made before, which takes minutes where the machine has other work.
            ended = kill_after(900, [PROGRAM, command, project], environ, told, lambda: size(partial) > 0)
            cut += size(partial) > 0
        else:
            ended = kill_after(moment, [PROGRAM, command, project], environ, told)
        name = f"{command} {'downloading' if downloads else f'{moment:.2f}'}"
        moments.append(f"{name}{'' if ended is None else f' (ended with {ended})'}")
        assert ended in (None, 0), f"{moments}\n{told.read_text(errors='replace')[-2000:]}"
        assert not (project / "spec.lock").exists() or (project / "spec.lock").read_bytes() == lock
    print(f"killed: {', '.join(moments)}")
    assert cut, "no kill came in the middle of a download"
    for record in list_records(cache):
        record.unlink()  # every layer is made again, and so every download that was cut off is finished
    built = call_program("build", "--json", project, env=environ)
    assert "Traceback" not in built.stderr
    assert built.json["image_digest"] == undisturbed[0]
    assert (project / "spec.lock").read_bytes() == lock
    # An engine finishes a load that a dead process had sent in full in its own time; whoever connects then removes it.
    connect(environ)
    assert leftovers(client) == ([], [])
    assert {one["Id"] for one in client.images(all=True)} - images == {built.json["engine_image_id"]}
    assert list_files(project) == {"script.py", "spec.yaml", "spec.lock"}
    assert list_files(cache / "layers") == undisturbed[1]
    assert not [name for name in list_files(cache) if name.endswith((".part", "-tmp", ".tmp", ".lock"))]


def forget_image(client):
    if client.images("reprobox/robust-crashes:latest"):
        client.remove_image("reprobox/robust-crashes:latest", force=True)


def kill_after(seconds, argv, environ, told, sooner=lambda: False):
    """Kill a command with its children, or ``sooner``, once that is true; return its exit code when it ended before.

    What it says goes to the file ``told``.
    """
    with told.open("wb") as stream:
        process = subprocess.Popen(
            argv,
            env={**os.environ, **environ},
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end and not sooner():
        time.sleep(0.005)
    if process.poll() is not None:
        return process.returncode
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return None


def size(path):
    """Return how many bytes a file has, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def leftovers(client):
    """Containers and temporary images of ours."""
    containers = [one["Id"] for one in client.containers(all=True, filters={"label": OWNER_LABEL})]
    images = client.images(filters={"reference": list(TEMPORARY_REPOSITORIES)})
    return containers, [name for one in images for name in one["RepoTags"]]


def test_temporary_images_of_the_dead_go_and_those_of_the_living_stay(engine, busybox):
    dead = name_temporary("reprobox/step").replace(f"-{os.getpid()}-", "-999999999-")
    living = name_temporary("reprobox-loading")
    for name in (dead, living):
        engine.tag_image(busybox, name)
    connect(os.environ)
    wait_for_tidying()
    assert engine.find_image(dead) is None
    assert engine.find_image(living) is not None
    engine.remove_image(living)
    assert name_owner().split("/")[3] == str(os.getpid())


def start(*arguments, environ):
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    assert process.returncode == 0, err
    return out


@pytest.mark.long
def test_two_builds_at_once_make_the_same_image(project, private, undisturbed, tmp_path):
    environ = {**private[0], **make_cache(tmp_path / "cache")}
    forget_image(private[1])
    processes = [start("build", "--json", project, environ=environ) for _ in range(2)]
    for process in processes:
        assert undisturbed[0] in finish(process)
    assert leftovers(private[1]) == ([], [])
    assert list_files(tmp_path / "cache" / "layers") == undisturbed[1]


@pytest.mark.long
def test_a_build_and_a_lock_at_once_both_succeed(project, private, undisturbed, tmp_path):
    cache = make_cache(tmp_path / "cache", "layers")
    folder = tmp_path / project.name
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("spec.lock", ".reprobox"))
    processes = [start(command, "--json", folder, environ={**private[0], **cache}) for command in ("build", "lock")]
    for process in processes:
        finish(process)
    assert (folder / "spec.lock").read_bytes() == (project / "spec.lock").read_bytes()
    assert list_files(folder) == {"script.py", "spec.yaml", "spec.lock"}


def test_an_interrupted_build_removes_what_it_started(make_project, private, tmp_path):
    folder = make_project("robust-crashes", "run: ['sleep 120']")
    environ = {**private[0], **make_cache(tmp_path / "cache", "layers")}
    call_program("lock", folder, env=environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start("build", folder, environ=environ)
        wait_until(lambda: any("sleep 120" in one["Command"] for one in private[1].containers()))
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in err) == (130, False), err
        assert time.monotonic() - began < 15  # and not the 120 seconds that it sleeps
        assert leftovers(private[1]) == ([], [])
        assert not [name for name in list_files(tmp_path / "cache" / "layers") if "/tmp/" in name]


def wait_until(condition):
    for _ in range(1800):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


def count_bytes(folder):
    """Return how much lies in a folder that somebody is writing to."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118
    return total


@pytest.mark.long
def test_an_engine_that_dies_under_a_load_and_under_a_run_is_one_clear_error_each(project, spare_daemon, tmp_path):
    environ = {"DOCKER_HOST": spare_daemon.host, **make_cache(tmp_path / "cache", "layers")}
    # Large enough that the load takes a while.
    big = tmp_path / project.name
    shutil.copytree(project, big, ignore=shutil.ignore_patterns(".reprobox"))
    with (big / "weights.bin").open("wb") as stream:
        for _ in range(400):
            stream.write(os.urandom(1 << 20))
    before = count_bytes(spare_daemon.data)
    process = start("build", big, environ=environ)
    wait_until(lambda: count_bytes(spare_daemon.data) > before + (100 << 20))
    spare_daemon.kill()
    _, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    assert process.returncode == 5, err
    assert "stopped answering" in err
    assert "docker info" in err
    spare_daemon.start()
    again = call_program("build", "--json", big, env=environ)
    client = docker.APIClient(base_url=spare_daemon.host)
    assert client.inspect_image("reprobox/robust-crashes:latest")["Id"] == again.json["engine_image_id"]
    assert leftovers(client) == ([], [])
    client.close()
    process = start("run", big, "--", "python", "-c", "import time; time.sleep(60)", environ=environ)
    runs = big / ".reprobox" / "runs"
    wait_until(lambda: list(runs.glob("*/record/*.json")))
    spare_daemon.kill()
    _, err = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in err) == (5, False), err
    assert [json.loads(path.read_text())["exit_code"] for path in runs.glob("*/run.json")] == [5]
