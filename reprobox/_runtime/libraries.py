"""Which compiled libraries a process computed with, as it ends, by the build that each is.

One version of a package is compiled by many, with other compilers and against other libraries of C++, and of linear
algebra; by that alone its numbers may be others.
"""

import os

_MAPS = "/proc/self/maps"
# How the names begin: C's and C++'s own libraries, OpenMP and threads, linear algebra, what frameworks keep theirs in.
_NAMES = (
    ("libc.so", "libc-", "libm.so", "libm-", "libmvec", "libstdc++", "libc++", "libpython")
    + ("libgomp", "libomp", "libiomp5", "libtbb")
    + ("libopenblas", "libscipy_openblas", "libblas", "libcblas", "liblapack", "libmkl_", "libblis", "libflexiblas")
    + ("_multiarray_umath", "libtorch_cpu", "libtorch_cuda", "libtensorflow", "_pywrap_tensorflow_internal")
    + ("libjax_common", "xla_extension", "libxgboost", "lib_lightgbm", "_catboost", "libmxnet", "libpaddle")
)
_PACKAGES = ("/site-packages/", "/dist-packages/")
_MOST = 60
_PT_NOTE, _NT_GNU_BUILD_ID = 4, 3
_MOST_NOTES = 1 << 16
_LONGEST_COMMENT = 200


def describe_libraries():
    """Return name -> file name, build and compiler of those that are mapped; {} where the system does not say."""
    found = {}
    for path in _list_paths()[:_MOST]:
        name, said = _name(path), _describe(path)
        found[name] = "%s; %s" % (found[name], said) if name in found else said
    return found


def _list_paths():
    """Return the paths of the libraries that count, each once, in order."""
    paths = set()
    try:
        with open(_MAPS, errors="surrogateescape") as stream:
            for line in stream:
                place = line.find("/")
                if place >= 0 and line.rpartition("/")[2].startswith(_NAMES):
                    paths.add(line[place:].rstrip("\n"))
    except OSError:
        pass
    return sorted(path for path in paths if ".so" in path)


def _name(path):
    """Return the name without versions, and the package that brought it: each may bring its own of the same name."""
    short = os.path.basename(path).partition(".so")[0].partition(".cpython")[0].partition("-")[0]
    for folder in _PACKAGES:
        _, inside, rest = path.rpartition(folder)
        if inside and "/" in rest:
            return "%s of %s" % (short, rest.partition("/")[0])
    return short


def _describe(path):
    name = os.path.basename(path)
    try:
        with open(path, "rb") as stream:
            build, compiler = read_build(stream)
            size = os.fstat(stream.fileno()).st_size
    except (OSError, ValueError, OverflowError):
        return name
    # Those who pack wheels may strip the build's own identity.
    said = "%s, build %s" % (name, build[:16]) if build else "%s, %d bytes" % (name, size)
    return "%s, %s" % (said, compiler) if compiler else said


def read_build(stream):
    """Return the build ID and the compilers that an ELF file names, each "" where it names none.

    https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html; of 64 bits, lowest byte first.
    """
    head = stream.read(64)
    if head[:6] != b"\x7fELF\x02\x01":
        return "", ""
    build = ""
    for entry in _read_table(stream, _number(head, 32, 8), _number(head, 54, 2), _number(head, 56, 2)):
        if _number(entry, 0, 4) == _PT_NOTE and not build:
            stream.seek(_number(entry, 8, 8))
            build = _find_build(stream.read(min(_number(entry, 32, 8), _MOST_NOTES)))
    return build, _read_compilers(stream, head)


def _read_compilers(stream, head):
    sections = _read_table(stream, _number(head, 40, 8), _number(head, 58, 2), _number(head, 60, 2))
    names = _number(head, 62, 2)
    if names >= len(sections):
        return ""
    stream.seek(_number(sections[names], 24, 8))
    texts = stream.read(min(_number(sections[names], 32, 8), _MOST_NOTES))
    for section in sections:
        start = _number(section, 0, 4)
        if texts[start : start + 9] == b".comment\0":
            stream.seek(_number(section, 24, 8))
            said = stream.read(min(_number(section, 32, 8), _MOST_NOTES)).decode("ascii", "replace").split("\0")
            return ", ".join(sorted(set(filter(None, said))))[:_LONGEST_COMMENT]
    return ""


def _read_table(stream, offset, size, count):
    if not offset or not 40 <= size <= 128:
        return []
    stream.seek(offset)
    data = stream.read(size * count)
    return [data[place : place + size] for place in range(0, len(data) - size + 1, size)]


def _find_build(notes):
    """Walk through notes: three numbers, a name and a value, both filled up to four bytes."""
    place = 0
    while place + 12 <= len(notes):
        name, value, kind = (_number(notes, place + step, 4) for step in (0, 4, 8))
        start = place + 12 + (name + 3) // 4 * 4
        if kind == _NT_GNU_BUILD_ID and notes[place + 12 : place + 15] == b"GNU":
            return notes[start : start + min(value, 32)].hex()
        place = start + (value + 3) // 4 * 4
    return ""


def _number(data, place, size):
    return int.from_bytes(data[place : place + size], "little")
