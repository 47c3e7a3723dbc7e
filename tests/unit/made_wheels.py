"""Small wheels made on the spot, right ones and wrong ones."""

import base64
import csv
import hashlib
import io
import zipfile

from reprobox.lock import PythonTarget, Wheel

PYTHON = PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")
SITE = "opt/venv/lib/python3.11/site-packages"


def metadata(name="thing", version="1.0"):
    return {
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\ntext\n",
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }


def record_of(files, name="thing", version="1.0"):
    out = io.StringIO(newline="")
    rows = [(path, _hash_of(_bytes(data)), len(_bytes(data))) for path, data in files.items()]
    csv.writer(out, lineterminator="\n").writerows([*rows, (f"{name}-{version}.dist-info/RECORD", "", "")])
    return out.getvalue()


def zip_of(files, executable=(), infos=None):
    """Return the bytes of a zip; ``infos`` replaces the ZipInfo of some names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            info = (infos or {}).get(path) or zipfile.ZipInfo(path)
            info.compress_type = zipfile.ZIP_DEFLATED
            if path not in (infos or {}):
                info.external_attr = (0o100755 if path in executable else 0o100644) << 16
            archive.writestr(info, _bytes(data))
    return out.getvalue()


def wheel_bytes(files, name="thing", version="1.0", **options):
    files = {**files, **metadata(name, version)}
    record = f"{name}-{version}.dist-info/RECORD"
    return zip_of({**files, record: files.get(record) or record_of(files, name, version)}, **options)


def save_wheel(folder, data, name="thing", version="1.0", tag="py3-none-any", size=None):
    filename = f"{name}-{version}-{tag}.whl"
    path = folder / filename
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return Wheel(name.lower().replace("_", "-"), version, filename, digest, size or len(data)), path


def make_wheel(folder, files, name="thing", version="1.0", tag="py3-none-any", **options):
    return save_wheel(folder, wheel_bytes(files, name, version, **options), name, version, tag)


def _bytes(data):
    return data.encode() if isinstance(data, str) else data


def _hash_of(data):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


class UpperCompiler:
    """Stands for the image's interpreter: its bytecode is the source in capitals."""

    def __init__(self, identity="capitals"):
        self.identity = identity
        self.calls = []

    def begin(self, sources, on_made):
        if sources:
            self.calls.append(sorted(sources))
        for path, data in sources.items():
            on_made(path, None if b"does not compile" in data else data.upper())
        return lambda: None
