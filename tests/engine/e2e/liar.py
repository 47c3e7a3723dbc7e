"""Bundles as a competent liar hands them over: changed, and consistent again down to the last digest."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from reprobox.bundle.compression import pack, unpack
from reprobox.bundle.packing import Compression

MANIFEST = "reprobox/manifest.json"
RECORD = "reprobox/claim/run.json"
OUTPUT = "reprobox/claim/output/"


def read_members(path):
    """Return name and bytes of every member, in order."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(unpack(Path(path))))) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def write_members(members, path):
    """Write an archive of members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    Path(path).write_bytes(b"".join(pack([stream.getvalue()], Compression.ZSTD)))
    return Path(path)


def claim_other_outputs(bundle, outputs, target):
    """Write a bundle that claims these outputs: path -> bytes; its record and its manifest say so too."""
    members = read_members(bundle)
    record = json.loads(members[RECORD])
    for file in record["outputs"]:
        if file["path"] in outputs:
            data = outputs[file["path"]]
            file |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            members[OUTPUT + file["path"]] = data
    members[RECORD] = json.dumps(record).encode()
    manifest = json.loads(members[MANIFEST])
    for file in manifest["files"]:
        data = members[file["path"]]
        file |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    members[MANIFEST] = json.dumps(manifest).encode()
    return write_members(members, target)
