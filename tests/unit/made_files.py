"""Small files of many formats, made of bytes alone where a library would be needed."""

import gzip
import io
import json
import pickle
import struct
import zipfile

import numpy as np

EARLY, LATE = (1999, 1, 1, 0, 0, 0), (2020, 2, 2, 0, 0, 0)


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def archive(members, when=EARLY, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as written:
        for name, data in members.items():
            written.writestr(zipfile.ZipInfo(name, when), data)
    return out.getvalue()


def npz(when=EARLY, **arrays):
    return archive({f"{name}.npy": npy(array) for name, array in arrays.items()}, when)


def safetensors(metadata=None, **arrays):
    header, data = {"__metadata__": metadata or {}}, b""
    names = {"float32": "F32", "int64": "I64"}
    for name, array in arrays.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": names[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    return safetensors_with(json.dumps(header).encode(), data)


def safetensors_with(header, data):
    """Return a file with a header of one's own."""
    return struct.pack("<Q", len(header)) + header + data


def gz(data, when):
    return gzip.compress(data, mtime=when)


class Storage:
    """What ``torch.save`` keeps outside its pickle."""

    def __init__(self, key, count, kind="FloatStorage"):
        self.pid = ("storage", Named("torch", kind), key, "cpu", count)


class Named:
    """Pickled as a name to import that is there nowhere."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Made:
    """Pickled as the call of a named function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class _Pickler(pickle._Pickler):
    """Writes names and storages as torch does, without torch."""

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Storage) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Named):
            self.write(b"c" + obj.module.encode() + b"\n" + obj.name.encode() + b"\n")
        elif isinstance(obj, Made) and id(obj) in self.memo:
            self.write(self.get(self.memo[id(obj)][0]))
        elif isinstance(obj, Made):
            self.save(obj.function)
            self.save(obj.arguments)
            self.write(b"R")
            self.memoize(obj)
        else:
            super().save(obj, save_persistent_id)


def pickled(value, protocol=2):
    """Pickle a value in which names and calls may stand."""
    out = io.BytesIO()
    _Pickler(out, protocol).dump(value)
    return out.getvalue()


def torch_archive(when=EARLY, strides=None, beside=None, kind="FloatStorage", **arrays):
    """Return what ``torch.save`` writes for a dict of tensors, with other files beside them."""
    tensors, members = {}, {}
    for index, (name, array) in enumerate(arrays.items()):
        shape = array.shape
        stride = (strides or {}).get(name) or tuple(step // array.itemsize for step in array.strides)
        rebuild = Named("torch._utils", "_rebuild_tensor_v2")
        tensors[name] = Made(rebuild, Storage(str(index), array.size, kind), 0, shape, stride, False, {})
        members[f"archive/data/{index}"] = array.tobytes()
    members |= {f"archive/{name}": data for name, data in (beside or {}).items()}
    data = {"archive/data.pkl": pickled(tensors), "archive/version": b"3\n", **members}
    return archive(data, when, zipfile.ZIP_STORED)


def legacy_torch(addresses, **arrays):
    """Return what ``torch.save`` wrote before zip archives: pickles in a row, then the storages by their addresses."""
    tensors, storages = {}, {}
    for address, (name, array) in zip(addresses, arrays.items(), strict=True):
        storage = Storage(str(address), array.size)
        storage.pid = (*storage.pid, None)
        stride = tuple(step // array.itemsize for step in array.strides)
        rebuild = Named("torch._utils", "_rebuild_tensor_v2")
        tensors[name] = Made(rebuild, storage, 0, array.shape, stride, False, {})
        storages[str(address)] = struct.pack("<q", array.size) + array.tobytes()
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, tensors, sorted(storages)]
    return b"".join(map(pickled, head)) + b"".join(data for _, data in sorted(storages.items()))


def joblib_file(**arrays):
    """Return what joblib writes for a dict of arrays: their bytes stand between the opcodes."""
    out = io.BytesIO()
    out.write(b"\x80\x04}(")
    for name, array in arrays.items():
        _write_array(out, name, array)
    out.write(b"u.")
    return out.getvalue()


def _write_array(out, name, array):
    state = {
        "subclass": Named("numpy", "ndarray"),
        "shape": array.shape,
        "order": "C",
        "dtype": array.dtype,
        "allow_mmap": True,
        "numpy_array_alignment_bytes": 16,
    }
    out.write(_opcodes(name) + b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81" + _opcodes(state) + b"b")
    padding = 16 - (out.tell() + 1) % 16
    out.write(bytes([padding]) + b"\xff" * padding + array.tobytes())


def _opcodes(value):
    """Return the opcodes that push ``value``; without a memo, so that they can stand anywhere."""
    out = io.BytesIO()
    pickler = _Pickler(out, 2)
    pickler.memoize = lambda obj: None
    pickler.dump(value)
    return out.getvalue()[2:-1]
