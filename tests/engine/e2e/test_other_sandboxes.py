"""Programs that mean harm in other sandboxes than Docker's own: gVisor, Podman, and an engine that holds no limits."""

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from engine_daemons import ROOMY, Daemon, has_memory
from engine_packages import unpack_packages, why_not
from hostile_entries import (
    CLAIM,
    CLAIMED,
    assert_odd_outputs_are_harmless,
    choose_contest,
    find_lower,
    hand_over,
    judge_bundle,
    look_around,
    make_project,
)
from program import call_program
from rootless_engines import DOCKER, plain_user, rootless_engine

from reprobox.source import OWN_IGNORE_FILE

pytestmark = [pytest.mark.network, pytest.mark.long]

ENDS = {
    "honest": (0, "IDENTICAL", "left the claimed content"),
    "spy": (1, "DIFFERENT", "metrics.json differs"),
    "fork-bomb": (7, "NOT RUN", "(limits."),
    "memory-bomb": (7, "NOT RUN", "167.8 MB (limits.memory)"),
    "many-large-files": (7, "NOT RUN", "it wrote more than 31457280 bytes to /output"),
    "a-million-files": (7, "NOT RUN", "it wrote more than 500 files to /output"),
    "stubborn": (7, "NOT RUN", "its time was up after"),
    "odd-outputs": (0, "IDENTICAL", "left the claimed content"),
    "intruder": (0, "IDENTICAL", "left the claimed content"),
}
"""What becomes of each on Docker with runc too."""
ENDS_FOR_A_PLAIN_USER = {
    "odd-outputs": (7, "NOT RUN", "nobody can look into a folder that it made in /output: Permission denied")
}
"""What becomes differently of some, as on every engine, where the judge is not root."""
GETS = {
    # It belongs to the kernel that gVisor is, not to the machine's.
    "runsc": {"user namespace"},
    # Who runs the engine is root in there already, without a capability.
    "rootless": {"root"},
    "podman": set(),
}
"""What an intruder gets, and where."""


@dataclass(frozen=True)
class Sandbox:
    """Where entries are judged, and how."""

    name: str
    environ: dict
    runtime: str
    folder: Path
    user: object = None
    """Somebody who judges instead of us."""

    def judge(self, project, lower, name):
        claim = CLAIMED if name == "spy" else CLAIM
        bundle = hand_over(project, lower, self.folder / f"{name}.reprobox", name, claim, thin=self.user is None)
        contest, call = project / choose_contest(name), None
        if self.user:
            home = self.user.folder / "project"
            contest, call = home / contest.name, self.user.call
            bundle = Path(shutil.move(bundle, home))
        return judge_bundle(bundle, contest, bundle.parent / "out", self.environ, call=call)


@pytest.fixture(scope="module")
def docker():
    """A Docker of its own that has gVisor too."""
    if reason := why_not():
        pytest.skip(reason)
    runsc = unpack_packages("bookworm", "runsc", only="usr/bin/runsc") / "usr/bin/runsc"
    # It takes newer kernels for one without network namespaces.
    daemon = Daemon(
        "docker-20.10", settings={"runtimes": {"runsc": {"path": str(runsc), "runtimeArgs": ["--network=none"]}}}
    )
    if has_memory():
        daemon.limit_disk(ROOMY)
    daemon.start()
    yield {"DOCKER_HOST": daemon.host}
    daemon.stop()


@pytest.fixture(scope="module")
def project(docker, tmp_path_factory):
    """A project that ran once, honestly, in no special sandbox; what never ends gets three seconds."""
    folder = make_project(tmp_path_factory.mktemp("others") / "project", docker)
    hasty = folder / "hasty.yaml"
    hasty.write_text(hasty.read_text().replace("time: 5s", "time: 3s"))
    return folder


@pytest.fixture(scope="module")
def lower(project, docker):
    return find_lower(project, docker)


@pytest.fixture(scope="module", params=GETS)
def sandbox(request, docker, project, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    match request.param:
        case "runsc":
            yield Sandbox("runsc", docker, "runsc", folder)  # unasked: it is there
        case "podman":
            daemon, _ = request.getfixturevalue("daemons")("podman")
            yield Sandbox("podman", {"DOCKER_HOST": daemon.host}, "runc", folder)
        case "rootless":
            with (
                plain_user() as number,
                safety_net() as net,
                rootless_engine(DOCKER, number, folder / "log", net.start) as user,
            ):
                user.copy(project)
                environ = {"DOCKER_HOST": user.environ["DOCKER_HOST"]}
                yield Sandbox("rootless", environ, "runc", folder, user=user)
                assert net.read() == 0, "nothing but the net under it kept a program from the machine"


@dataclass(frozen=True)
class Net:
    """Limits around an engine that has none: what a program that gets away takes is not the machine's."""

    start: tuple
    """The command that puts itself into them and becomes the command after it."""
    counts: tuple

    def read(self):
        """Return how often something fell into it."""
        fields = [line.split() for path in self.counts for line in path.read_text().splitlines()]
        return sum(int(one[-1]) for one in fields if len(one) == 1 or one[0] == "max")


@contextmanager
def safety_net():
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        folders = {"memory.max": root / "rbx-net", "pids.max": root / "rbx-net"}
        counts = ("memory.events", "pids.events")
    else:
        folders = {"memory.limit_in_bytes": root / "memory" / "rbx-net", "pids.max": root / "pids" / "rbx-net"}
        counts = ("memory.failcnt", "pids.events")
    for (name, folder), limit in zip(folders.items(), (3 << 30, 3000), strict=True):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(str(limit))
    entering = "".join(f"echo $$ >{folder}/cgroup.procs; " for folder in folders.values())
    files = tuple(folder / count for folder, count in zip(folders.values(), counts, strict=True))
    try:
        yield Net(("sh", "-c", f'{entering} exec "$@"', "sh"), files)
    finally:
        for folder in set(folders.values()):
            folder.rmdir()


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_as_it_does_on_docker_and_leaves_nothing(sandbox, project, lower, name):
    judged = sandbox.judge(project, lower, name)
    ends = ENDS | ENDS_FOR_A_PLAIN_USER if sandbox.user else ENDS
    code, verdict, words = ends[name]
    assert judged.end == (code, verdict), judged.words
    assert words in judged.judgement["reason"] or words in judged.words
    assert judged.judgement["sandbox"]["runtime"] == sandbox.runtime
    held = judged.judgement["sandbox"]["holds_limits"]
    assert held or "this engine cannot hold a program to limits" in judged.words
    assert ("gVisor" in judged.words) == (sandbox.name == "runsc")
    match name:
        case "spy":
            assert "found []" in judged.log
            assert "env []" in judged.log
        case "odd-outputs" if not sandbox.user:
            # gVisor keeps pipes and sockets to itself.
            names = ("passwd", "everything", "up") + (("pipe", "socket") if sandbox.name != "runsc" else ())
            assert_odd_outputs_are_harmless(judged.run, 0, names)
        case "intruder":
            lines = judged.log.splitlines()
            assert {line[5:] for line in lines if line.startswith("DONE")} == GETS[sandbox.name], judged.log
            assert judged.log.count("refused") > 30
            assert sandbox.name == "runsc" or "state 0000000000000000 0000000000000000 1 2" in lines


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("docker", "no-such", "has no such runtime; it has: io.containerd.runc.v2, "),
        ("podman", "runsc", "Podman runs every container with runc, whatever it is asked for"),
    ],
)
def test_a_runtime_that_there_is_not_is_told_at_once(request, docker, project, lower, tmp_path, kind, name, words):
    environ = docker
    if kind == "podman":
        environ = {"DOCKER_HOST": request.getfixturevalue("daemons")("podman")[0].host}
    bundle = hand_over(project, lower, tmp_path / "honest.reprobox", "honest")
    before = look_around(tmp_path, environ)
    arguments = ("judge", "--contest", project / "contest.yaml", "-o", tmp_path / "out", "--runtime", name, bundle)
    done = call_program(*arguments, env=environ, check=False)
    assert done.code == 5
    assert f"--runtime {name}" in done.stderr
    assert words in done.stderr
    assert "hint: " in done.stderr
    assert look_around(tmp_path, environ) == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == [OWN_IGNORE_FILE]
