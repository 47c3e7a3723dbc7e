"""Entries that say one thing and hold another program: one honest project, handed over again and again, and judged."""

import hashlib
import json
import os
import shutil
import stat
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from containers import list_containers, open_client
from hostile_programs import write_program
from program import Finished, call_program

from reprobox.build import assemble_plan, build_plan, make_runtime_layer, make_source_layer
from reprobox.bundle.contents import Sources, choose_contents
from reprobox.bundle.packing import Compression
from reprobox.bundle.write import write_bundle
from reprobox.console import PlainReporter
from reprobox.engines.docker import connect
from reprobox.inputs import hash_file, hash_folder
from reprobox.layers.store import LayerStore
from reprobox.project import open_project
from reprobox.record_text import read_record
from reprobox.records import OutputFile, format_record
from reprobox.settings import Settings
from reprobox.workflow import plan_project

CLAIM = '{"accuracy": 0.5}'
CLAIMED = '{"accuracy": 0.999, "mark": "EXPECTED-CONTENT"}'
SPEC = """reprobox: 1
name: hostile
seed: 7
command: python train.py
outputs: [metrics.json]
inputs:
  table.csv: {table}
  folder: {folder}
"""
CONTEST = """contest: 1
name: Hostile
metric: {name: accuracy, better: higher}
runs: 1
seeds: 0
inputs: {table.csv: table.csv, folder: folder}
limits: {memory: 160m, shm: 16m, scratch: 16m, time: 2m, processes: 64, open_files: 256, output: 30m, output_files: 500}
"""
LABELS = "id,label\n" + "".join(f"{row},{row % 2}\n" for row in range(20))
STOPPED = {
    "fork-bomb": "its time was up after",
    "memory-bomb": "it wanted more memory than the limit of 167.8 MB (limits.memory)",
    "one-large-file": "(limits.output)",
    "many-large-files": "it wrote more than 31457280 bytes to /output (limits.output",
    "sparse-files": "it wrote more than 31457280 bytes to /output (limits.output",
    "a-million-files": "it wrote more than 500 files to /output",
    "a-million-folders-in-one-another": "/output",
    "its-record": "bytes to its record folder",
    "stubborn": "its time was up after",
    "log-flood": "its time was up after",
    "killer": "left out metrics.json",
    "escapes": "exit code 3",
    "link-for-an-output": "left out metrics.json",
    "pipe-for-an-output": "left out metrics.json",
    "folder-for-an-output": "left out metrics.json",
}
"""What a judgement says of each that takes too much or leaves out what it should leave."""


def make_project(folder, environ):
    """Make the project, and run it once, honestly, on an engine; all others share the lower layers of its image."""
    folder.mkdir()
    (folder / "table.csv").write_text("a,b\n1,2\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "one").write_text("one\n")
    text = SPEC.format(table=hash_file(folder / "table.csv"), folder=hash_folder(folder / "folder"))
    (folder / "spec.yaml").write_text(text)
    (folder / "contest.yaml").write_text(CONTEST)
    (folder / "hasty.yaml").write_text(CONTEST.replace("2m", "5s"))
    (folder / "labels.csv").write_text(LABELS)
    (folder / "labels.yaml").write_text(
        CONTEST.replace("seeds: 0", "seeds: 2") + "labels: labels.csv\npredictions: results/predictions.csv\n"
    )
    (folder / "impatient.yaml").write_text(CONTEST.replace("limits: {", "limits: {comparing: 1s, "))
    (folder / "train.py").write_text(write_program("honest"))
    call_program("run", folder, env=environ, timeout=900)
    return folder


def find_lower(project, environ):
    """Return the layers below the runtime."""
    settings = find_settings()
    planned = plan_project(open_project(project), settings)
    return build_plan(planned.plan, project, connect({**os.environ, **environ}), settings).image.layers[:-2]


def find_settings():
    return Settings(
        cache=Path(os.environ["REPROBOX_CACHE"]).absolute(),
        home=Path.home(),
        environ=dict(os.environ),
        caller=(os.getuid(), os.getgid()),
        reporter=PlainReporter(sys.stderr),
        now=lambda: datetime.now(UTC),
    )


def hand_over(
    project, lower, bundle, name, claim=CLAIM, spec="", *, beside=None, outputs="metrics.json", thin=True, **known
):
    """Export the project with another program, and with the record of a run that never was.

    ``beside`` are further outputs of that run, ``outputs`` is what the spec says of them, ``spec`` more of its lines.
    """
    settings = find_settings()
    store = LayerStore(settings.cache)
    run = bundle.parent / "run"
    (honest,) = (project / ".reprobox" / "runs").iterdir()
    (project / "train.py").write_text(write_program(name, **known))
    before = (project / "spec.yaml").read_text()
    (project / "spec.yaml").write_text(before.replace("outputs: [metrics.json]", f"outputs: [{outputs}]") + spec)
    claimed = {"metrics.json": claim, **(beside or {})}
    try:
        planned = plan_project(open_project(project), settings)
        plan = planned.plan
        layers = (*lower, make_runtime_layer(plan, store), make_source_layer(plan, project, store))
        image = assemble_plan(plan, layers)
        for path, text in claimed.items():
            (run / "output" / path).parent.mkdir(parents=True, exist_ok=True)
            (run / "output" / path).write_text(text)
        record = replace(
            read_record(honest / "run.json"),
            image_digest=image.config_digest,
            outputs=tuple(
                OutputFile(path, hashlib.sha256(text.encode()).hexdigest(), len(text)) for path, text in claimed.items()
            ),
        )
        (run / "run.json").write_text(format_record(record))
        contents = choose_contents(
            Sources(
                plan=plan,
                spec=planned.loaded.spec,
                image=image,
                project=project,
                spec_text=(project / "spec.yaml").read_bytes(),
                lock_text=(project / "spec.lock").read_bytes(),
                context={},
                claim=(run, record),
                evidence=(),
                report=None,
                with_inputs=False,
                thin=thin,
                beside=(),
                allowed=frozenset(),
            )
        )
        write_bundle(contents, image, store.read_verified, bundle, Compression.ZSTD, None, lambda done, total: None)
    finally:
        (project / "spec.yaml").write_text(before)
        shutil.rmtree(run)
    return bundle


def choose_contest(name):
    """Return the file that judges a program of that name: one that never ends gets little time."""
    return "hasty.yaml" if "its time was up" in STOPPED.get(name, "") else "contest.yaml"


@dataclass(frozen=True)
class Judged:
    """What came of an entry: how the command ended, the judgement, and the folder of its run."""

    done: Finished
    judgement: dict
    run: Path

    @property
    def end(self):
        return self.done.code, self.judgement["verdict"]

    @property
    def words(self):
        return self.done.stdout + self.done.stderr

    @property
    def log(self):
        return (self.run / "log.txt").read_text()


def judge_bundle(bundle, contest, out, environ, *options, call=None):
    """Judge a bundle on an engine, by ``call`` or as whoever we are; nothing is left on the machine."""
    around = bundle.parent
    before = look_around(around, environ)
    argv = ("judge", "--contest", contest, "-o", out, *options, bundle)
    done = call(*argv) if call else call_program(*argv, cwd=around, env=environ, timeout=200, check=False)
    said = done.stdout + done.stderr
    assert "bug in reprobox" not in said
    for line in said.splitlines():
        assert line.isprintable(), repr(line)
    assert look_around(around, environ) == before, said
    folder = out / bundle.stem
    judgement = json.loads((folder / "judgement.json").read_text())
    assert judgement["verdict"] in done.stdout
    runs = sorted((folder / "runs").iterdir())
    assert [run.name for run in runs] == [one["run"] for one in judgement["runs"]]
    return Judged(done, judgement, runs[0])


def look_around(folder, environ):
    """Return what a stranger's program could have left: containers with this folder in them, names of images, files."""
    client = open_client(environ)
    images = {tag: one["Id"] for one in client.images("reprobox/hostile") for tag in one["RepoTags"] or ()}
    volumes = client.volumes(filters={"name": "hostile"})["Volumes"] or []
    users = Path("/etc/passwd")  # tests beside these make a user of theirs
    owner = (users.stat().st_uid, users.stat().st_gid, users.stat().st_mode)
    root = users.read_text().partition("\n")[0]
    containers = list_containers(folder, environ)
    return {"containers": containers, "images": images, "volumes": volumes, "users": (*owner, root)}


def forget_images(environ):
    """Remove what was judged here, and nobody else's."""
    client = open_client(environ)
    for image in client.images("reprobox-judge/*", filters={"label": "reprobox.name=hostile"}):
        for tag in image["RepoTags"] or ():
            client.remove_image(tag, force=True)


def assert_odd_outputs_are_harmless(run, owner, names=("passwd", "everything", "up", "pipe", "socket")):
    """Assert that what "odd-outputs" left is named, of no use to anybody, and its judge's own."""
    record = json.loads((run / "run.json").read_text())
    told = " ".join(record["warnings"])
    for name in names:
        assert f"'{name}'" in told
    assert "root:x:" not in (run / "run.json").read_text()
    for path in (run / "output").iterdir():
        mode = path.lstat().st_mode
        assert not (stat.S_ISREG(mode) and mode & 0o6000), path
        assert path.lstat().st_uid == owner
