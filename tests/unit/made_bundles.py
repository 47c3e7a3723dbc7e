"""Small bundles, whole as an export writes them, and then bent: the makings of every refusal."""

import hashlib
import io
import json
import os
import tarfile
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import zstandard
from made_records import HOST, make_record
from test_lock import make_lock

from reprobox.build import assemble_plan, make_runtime_layer, make_source_layer
from reprobox.bundle.contents import Sources, choose_contents
from reprobox.bundle.model import CLAIM_RECORD, LOCK, MANIFEST, SPEC
from reprobox.bundle.packing import Compression
from reprobox.bundle.write import write_bundle
from reprobox.layers.model import LAYER_FORMAT
from reprobox.layers.store import LayerStore
from reprobox.lock_text import format_lock
from reprobox.plan import make_plan
from reprobox.records import OutputFile, format_record
from reprobox.settings import Settings
from reprobox.source import list_left_out, list_source
from reprobox.spec.load import load_spec

TINY = "reprobox: 1\nname: tiny\nseed: 7\ncommand: python train.py\noutputs: [model.npy, metrics.json]\n"
FILES = {"train.py": b"print('trained')\n", "data/table.csv": b"a,b\n1,2\n"}
OUTPUTS = {"model.npy": b"model", "metrics.json": b'{"accuracy": 0.5}'}


class Silence:
    """Hears everything and says nothing."""

    def note(self, text):
        pass

    warn = end_task = note

    def start_task(self, name, total):
        return lambda count: None

    def watch(self, name):
        return nullcontext(self.note)

    def aside(self):
        return nullcontext()


def make_settings(folder):
    """Return the settings of a judge who keeps everything below a folder, on one and the same day."""
    return Settings(
        cache=folder / "cache",
        home=folder,
        environ={},
        caller=(os.getuid(), os.getgid()),
        reporter=Silence(),
        now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
    )


def make_bundle(folder, *, spec=TINY, files=FILES, outputs=OUTPUTS, env=(), key=None, **options):
    """Export a made-up project as `reprobox export` would, without an engine; return the bundle's path."""
    project, run = folder / "project", folder / "run"
    for name, data in {"spec.yaml": spec.encode(), **files}.items():
        write(project / name, data)
    loaded = load_spec(project / "spec.yaml")
    lock = make_lock(loaded, layer_format=LAYER_FORMAT)
    write(project / "spec.lock", format_lock(lock).encode())
    plan = make_plan(loaded, lock, list_source(project, loaded, leave_out=("spec.yaml", "spec.lock")))
    store = LayerStore(folder / "cache")
    write_base = options.pop("write_base", lambda out: out.write(make_tar({"bin/sh": b"shell"})))
    base = store.make("base", "Debian bookworm", write_base)
    image = assemble_plan(plan, (base, make_runtime_layer(plan, store), make_source_layer(plan, project, store)))
    for name, data in outputs.items():
        write(run / "output" / name, data)
    record = make_record(
        tuple(sorted(outputs.items())),
        name=plan.name,
        seed=plan.seed,
        image_digest=image.config_digest,
        inputs=options.pop("inputs", {name: entry.sha256 for name, entry in loaded.inputs.items()}),
    )
    write(run / "run.json", format_record(record).encode())
    contents = choose_contents(
        Sources(
            plan=plan,
            spec=loaded,
            image=image,
            project=project,
            spec_text=(project / "spec.yaml").read_bytes(),
            lock_text=(project / "spec.lock").read_bytes(),
            context=options.pop("context", {"Dockerfile": b"FROM scratch\n"}),
            claim=(run, record),
            evidence=(),
            report=None,
            with_inputs=options.pop("with_inputs", False),
            thin=options.pop("thin", False),
            beside=list_left_out(project, loaded, leave_out=("spec.yaml", "spec.lock")),
            allowed=frozenset(options.pop("allowed", ())),
        )
    )
    out = folder / "tiny.reprobox"
    compression = options.pop("compression", Compression.ZSTD)
    write_bundle(contents, image, store.read_verified, out, compression, key, lambda done, total: None)
    assert not options
    return out


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def make_tar(files):
    """Return a tar of regular files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@dataclass
class Bent:
    """A bundle taken apart, to be changed and put together again."""

    members: dict[str, bytes]
    """In the archive's order, the manifest first."""
    manifest: dict
    extra: list[bytes] = field(default_factory=list)
    """Raw members (header and data) behind the others."""

    @classmethod
    def read(cls, path):
        data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = {entry.name: tar.extractfile(entry).read() for entry in tar}
        return cls(members, json.loads(members[MANIFEST]))

    def describe(self, path):
        """Return what the manifest says of a file."""
        return next(one for one in self.manifest["files"] if one["path"] == path)

    def put(self, path, data):
        """Change or add a file, and what the manifest says of it with it."""
        known = {one["path"]: one for one in self.manifest["files"]}
        known[path] = {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        self.manifest["files"] = [known[name] for name in sorted(known)]
        self.members[path] = data

    def put_source(self, name, data):
        """Change a file of the project's wherever it is described, but not in the image's layer."""
        self.put(f"reprobox/project/{name}", data)
        one = next(one for one in self.manifest["source"] if one["path"] == name)
        one |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}

    def put_layer(self, index, data):
        """Replace a layer and its digest in the manifest, and nowhere else."""
        layer = self.manifest["layers"][index]
        members = {}
        digest = hashlib.sha256(data).hexdigest()
        for name, old in self.members.items():
            if name == f"blobs/{layer['diff_id'].replace(':', '/')}":
                members[f"blobs/sha256/{digest}"] = data
            else:
                members[name] = old
        self.members = members
        layer |= {"diff_id": f"sha256:{digest}", "size": len(data)}

    def drop(self, path):
        """Leave a member out, and say nothing of it."""
        self.manifest["files"] = [one for one in self.manifest["files"] if one["path"] != path]
        self.members.pop(path)

    def edit_config(self, change):
        """Change the image's configuration in every place that names it, as somebody who knows the format would."""
        old = self.manifest["image_digest"].partition(":")[2]
        config = json.loads(self.members[f"blobs/sha256/{old}"])
        change(config)
        data = dump(config)
        new = hashlib.sha256(data).hexdigest()
        oci_old = self.manifest["manifest_digest"].partition(":")[2]
        oci = json.loads(self.members[f"blobs/sha256/{oci_old}"])
        oci["config"] |= {"digest": f"sha256:{new}", "size": len(data)}
        oci_data = dump(oci)
        oci_new = hashlib.sha256(oci_data).hexdigest()
        index = json.loads(self.members["index.json"])
        index["manifests"][0] |= {"digest": f"sha256:{oci_new}", "size": len(oci_data)}
        docker = json.loads(self.members["manifest.json"])
        docker[0]["Config"] = f"blobs/sha256/{new}"
        self.drop(f"blobs/sha256/{old}")
        self.drop(f"blobs/sha256/{oci_old}")
        self.put(f"blobs/sha256/{new}", data)
        self.put(f"blobs/sha256/{oci_new}", oci_data)
        self.put("index.json", dump(index))
        self.put("manifest.json", dump(docker))
        self.manifest |= {"image_digest": f"sha256:{new}", "manifest_digest": f"sha256:{oci_new}"}
        self.edit_record(lambda record: record.update(image_digest=f"sha256:{new}"))

    def edit_record(self, change):
        """Change the record of the claimed run."""
        record = json.loads(self.members[CLAIM_RECORD])
        change(record)
        self.put(CLAIM_RECORD, dump(record))

    def edit_spec(self, text, lock=None):
        """Replace the spec, and the lock where one is given."""
        self.put(SPEC, text)
        if lock is not None:
            self.put(LOCK, lock)

    def tar(self, *, manifest=None):
        """Return the archive's bytes; the manifest is what ``manifest`` says, or what the fields say."""
        heading = dump(self.manifest) if manifest is None else manifest
        members = {MANIFEST: heading, **{name: data for name, data in self.members.items() if name != MANIFEST}}
        return b"".join([*(member(name, data) for name, data in members.items()), *self.extra, bytes(1024)])

    def write(self, path, **options):
        """Write the archive, packed; return its path."""
        path.write_bytes(zstandard.compress(self.tar(**options)))
        return path


def dump(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def member(name, data=b"", *, kind=tarfile.REGTYPE, link="", size=None, pax=None, form=tarfile.GNU_FORMAT):
    """Return header and data of one member of a tar, of any kind and whatever it is called."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(data) if size is None else size
    info.pax_headers = pax or {}
    header = info.tobuf(tarfile.PAX_FORMAT if pax else form, errors="surrogateescape")
    return header + data + bytes(-len(data) % 512)


def raw_header(name, size, kind=b"0"):
    """Return a header whose name is these bytes, with a right checksum."""
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    header[:100] = name.ljust(100, b"\0")[:100]
    header[124:136] = f"{size:011o}\0".encode() if isinstance(size, int) else size
    header[156:157] = kind
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header)


def claimed(outputs):
    """Return outputs as a record lists them."""
    return [vars(OutputFile(name, hashlib.sha256(data).hexdigest(), len(data))) for name, data in outputs.items()]


__all__ = ["HOST", "Bent", "Path", "claimed", "dump", "make_bundle", "make_tar", "member", "raw_header"]
