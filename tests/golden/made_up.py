"""Three projects that nobody has, one for each kind of base, with something odd in every place that takes it."""

import hashlib
import io
from pathlib import Path

from reprobox.image import Image, assemble_image
from reprobox.image_settings import USER, WORKDIR, make_image_settings
from reprobox.layers.model import Layer
from reprobox.layers.tar import Entry, Kind, TarWriter, make_dir, make_file, make_symlink
from reprobox.lock import (
    ArchiveBase,
    DebianBase,
    DebPackage,
    ImageBase,
    Lock,
    PythonTarget,
    Sdist,
    Wheel,
    spec_digest,
    spec_keys,
)
from reprobox.plan import Plan, SourceFile, make_plan
from reprobox.spec.load import parse_spec

FOLDER = Path(__file__).parent / "files"
"""Of the golden files."""
PYTHON = PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")
SPECS = {
    "debian": """\
reprobox: 1
name: made-up
seed: 32
frameworks: {torch: 2.13.0}
packages: [numpy]
system: [libgomp1]
run:
  - mkdir -p "/opt/a b" && echo 'it''s' > '/opt/a b/$HOME'
  - python -c "print('100 %', \\"q\\")"
env:
  PLAIN: word
  WITH_BLANKS: "  two  words  "
  SIGNS: "a=b;c#d{e}%f"
  WORDS: grüße
stages:
  prepare: [python, -c, "print('$x')"]
  train: {command: python train.py --epochs 20, outputs: [model.pt]}
""",
    "image": """\
reprobox: 1
name: made.up_two
seed: 4000000000
base: {image: "registry.example/python:3.11-slim"}
determinism: {level: seeded, threads: 4}
command: [sh, -c, "python a.py && python b.py"]
""",
    "archive": """\
reprobox: 1
name: made-up-3
seed: 1
base: {archive: base/root.tar.xz, sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad}
determinism: off
command: python "a b.py"
""",
    "source": """\
reprobox: 1
name: made-up-4
seed: 7
base: {archive: base/root.tar.xz, sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad}
packages: {list: [Old-Thing==1.0, older==0.9], from_source: [older, old_thing]}
command: python train.py
""",
}


def digest(text: str) -> str:
    """Return a hash that stands for a file nobody has."""
    return hashlib.sha256(text.encode()).hexdigest()


def wheel(name: str, version: str, size: int, index: str = "") -> Wheel:
    filename = f"{name}-{version}-py3-none-any.whl"
    return Wheel(name, version, filename, digest(filename), size, index)


def sdist(name: str, version: str) -> Sdist:
    filename = f"{name}-{version}.tar.gz"
    return Sdist(name, version, filename, digest(filename), 4321)


def deb(name: str, version: str, archive: str = "debian") -> DebPackage:
    path = f"pool/main/{name[0]}/{name}/{name}_{version.replace(':', '%3a')}_amd64.deb"
    return DebPackage(name, version, "amd64", digest(path), 1234, archive, path)


BASES = {
    "debian": DebianBase(
        "bookworm",
        "amd64",
        "20260101T000000Z",
        (deb("base-files", "12.4"), deb("python3.11", "1:3.11.2-6", "debian-security")),
    ),
    "image": ImageBase(
        f"registry.example/python@sha256:{digest('manifest')}",
        f"sha256:{digest('config')}",
        (f"sha256:{digest('lower')}", f"sha256:{digest('upper')}"),
        ('ODD=a "quoted" \\ $HOME `date`', "PATH=/usr/local/bin:/usr/bin:/bin"),
    ),
    "archive": ArchiveBase("base/root.tar.xz", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    "source": ArchiveBase("base/root.tar.xz", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
}
SOURCE = (
    SourceFile("data/latest", False, "", 0, "a.csv"),
    SourceFile("prepare.sh", True, digest("prepare"), 7),
    SourceFile("train.py", False, digest("train"), 5),
)


def make_lock(kind: str) -> Lock:
    """Return the lock of one of the projects."""
    spec = parse_spec(SPECS[kind], "spec.yaml", None)
    keys = spec_keys(spec, None)
    wheels = [wheel("pip", "26.0", 1_800_000)]
    if kind == "debian":
        wheels += [
            wheel("numpy", "2.3.5", 16_000_000),
            wheel("torch", "2.13.0+cpu", 191_000_000, "https://index.example/cpu"),
        ]
    system = (deb("libgomp1", "12.2.0-14"),) if kind == "debian" else ()
    sdists = (sdist("old-thing", "1.0"), sdist("older", "0.9")) if kind == "source" else ()
    return Lock("1.2.3", 1, spec_digest(keys), keys, BASES[kind], PYTHON, system, tuple(wheels), sdists)


def plan_project(kind: str) -> Plan:
    """Return the plan of one of the projects."""
    return make_plan(parse_spec(SPECS[kind], "spec.yaml", None), make_lock(kind), SOURCE)


def write_layer(name: str) -> bytes:
    """Return a small layer with every kind of entry."""
    entries = {
        f"{name}": (make_dir(name), None),
        f"{name}/link": (make_symlink(f"{name}/link", "../elsewhere"), None),
        f"{name}/program": (make_file(f"{name}/program", 3, executable=True), b"abc"),
        f"{name}/same": (Entry(f"{name}/same", Kind.HARDLINK, 0o755, link=f"{name}/program"), None),
        f"{name}/{'x' * 120}": (make_file(f"{name}/{'x' * 120}", 0), b""),
        f"{name}/ü": (Entry(f"{name}/ü", Kind.FILE, 0o600, 1000, 1000, 1, "", (("user.note", b"\0"),)), b"u"),
    }
    out = io.BytesIO()
    writer = TarWriter(out)
    for entry, data in entries.values():
        writer.add(entry, data)
    writer.close()
    return out.getvalue()


def make_image(kind: str, folder) -> Image:
    """Put an image of a project together, over two layers made by hand."""
    layers = []
    for name in ("lower", "upper"):
        data = write_layer(name)
        layers.append(Layer(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), name, folder / name, False))
    plan = plan_project(kind)
    settings = make_image_settings(plan)
    return assemble_image(
        layers,
        env=plan.env,
        entrypoint=settings.entrypoint,
        labels=dict(settings.labels),
        user=USER,
        workdir=WORKDIR,
    )
