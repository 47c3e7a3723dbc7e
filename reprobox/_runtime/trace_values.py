"""Describe arrays of any framework by type, shape, hash, range, sum and a sample of their values.

The hash is BLAKE2b, cut to 64 bits: it is in every interpreter, and arrays that differ do not agree by chance, as they
may under a checksum of 32 bits in a trace of millions of lines.
"""

import sys
from _blake2 import blake2b

from .jsontext import format_json

_SAMPLE = 64
"""Values of an array that are kept as they are, evenly spaced; all of a smaller one."""
_MOST_LEAVES = 256
"""Arrays of one nest."""
_DEEPEST = 8
_LONGEST_TEXT = 200


def hash_bytes(*parts):
    """Return the hash of some buffers as 16 hexadecimal digits."""
    state = blake2b(digest_size=8)
    for part in parts:
        state.update(part)
    return state.hexdigest()


def flatten_value(name, value):
    """Return the pairs of name and array that a nest of lists, tuples and dicts holds."""
    found = []
    _flatten(name, value, found, 0)
    return found


def _flatten(name, value, found, depth):
    if len(found) >= _MOST_LEAVES:
        if len(found) == _MOST_LEAVES:
            found.append((name, "%d arrays of one value are traced, no more" % _MOST_LEAVES))
    elif depth < _DEEPEST and isinstance(value, dict):
        for key in value:
            _flatten("%s.%s" % (name, key), value[key], found, depth + 1)
    elif depth < _DEEPEST and isinstance(value, (list, tuple)) and not _is_plain(value) and not _is_row(value):
        for index, item in enumerate(value):
            _flatten("%s[%d]" % (name, index), item, found, depth + 1)
    elif hasattr(value, "tocsr"):
        # SciPy's sparse ones, which NumPy would take for objects.
        value = value.tocsr()
        for part in ("data", "indices", "indptr"):
            found.append(("%s.%s" % (name, part), getattr(value, part)))
    else:
        found.append((name, value))


def describe_values(values):
    """Return (JSON texts of the arrays that could be described, [(name, error) of the others])."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return _describe_all(values, None)
    # A sum over infinities would warn, and warnings may be errors in the user's program.
    with numpy.errstate(all="ignore"):
        return _describe_all(values, numpy)


def _describe_all(values, numpy):
    torch = sys.modules.get("torch")
    tensor_type = getattr(torch, "Tensor", ())
    texts, failures = [], []
    for name, value in values:
        try:
            if tensor_type and isinstance(value, tensor_type):
                texts.append(_describe_tensor(name, value, torch, numpy))
            else:
                texts.append(_describe_other(name, value, numpy))
        except Exception as error:
            failures.append((name, error))
    return texts, failures


def _format(name, dtype, shape, content_hash, numbers, sample):
    text = '{"name": %s, "dtype": "%s", "shape": [%s], "hash": "%s", "sample": "%s"' % (
        format_json(name),
        dtype,
        ", ".join(map(str, shape)),
        content_hash,
        sample,
    )
    if numbers is None:
        return text + "}"
    return '%s, "min": %s, "max": %s, "sum": %s}' % ((text,) + tuple(map(_format_number, numbers)))


def _format_number(number):
    number = float(number)
    # JSON has no infinity and no NaN.
    return float.__repr__(number) if number - number == 0 else "null"


def _describe_tensor(name, tensor, torch, numpy):
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.coalesce().values()
    shape, dtype = tuple(tensor.shape), str(tensor.dtype)[6:]
    if tensor.device.type != "cpu":
        tensor = tensor.cpu()
    if tensor.is_complex() and hasattr(tensor, "resolve_conj"):
        tensor = tensor.resolve_conj()
    flat = tensor.reshape(-1).contiguous()
    if numpy is None:
        return _describe_without_numpy(name, dtype, shape, flat, torch)
    if dtype == "bfloat16":
        # NumPy has no such type: its bits.
        return _describe_flat(name, dtype, shape, flat.view(torch.int16).numpy(), numpy, counted=False)
    return _describe_flat(name, dtype, shape, flat.numpy(), numpy)


def _describe_without_numpy(name, dtype, shape, flat, torch):
    size = flat.element_size()
    content = bytearray(flat.numel() * size)
    if content:
        torch.frombuffer(content, dtype=torch.uint8).copy_(flat.view(torch.uint8))
    return _describe_bytes(name, dtype, shape, content, size)


def _describe_flat(name, dtype, shape, flat, numpy, counted=True):
    """Describe a contiguous NumPy array of one dimension; without ``counted`` its numbers mean nothing."""
    numbers = None
    # Of a small one the sample says as much.
    if counted and flat.size > _SAMPLE and flat.dtype.kind in "fiu":
        numbers = (numpy.minimum.reduce(flat), numpy.maximum.reduce(flat), numpy.add.reduce(flat, dtype="d"))
    sample = flat[:: -(-flat.size // _SAMPLE) or 1].tobytes()
    # As bytes: not every type lends its memory as it is, dates and bfloat16 among them.
    content_hash = hash_bytes(flat.view("u1") if flat.size else b"")
    return _format(name, dtype, shape, content_hash, numbers, _to_hex(sample))


def _to_hex(content):
    return bytes(content).hex()


def _describe_bytes(name, dtype, shape, content, size):
    view = memoryview(content)
    step = (-(-len(content) // size // _SAMPLE) or 1) * size
    sample = b"".join(view[start : start + size] for start in range(0, len(content), step))
    return _format(name, dtype, shape, hash_bytes(view), None, _to_hex(sample))


def _describe_other(name, value, numpy):
    if _is_plain(value):
        return _describe_plain(name, value)
    value = _fetch_array(value)
    if numpy is not None:
        array = numpy.asarray(value)
        if not array.dtype.hasobject:
            flat = numpy.ascontiguousarray(array).reshape(-1)
            native = array.dtype.isnative
            return _describe_flat(name, array.dtype.name if native else array.dtype.str, array.shape, flat, numpy)
        value = array.tolist()
        if _is_plain(value):
            return _describe_plain(name, value)
    view = memoryview(value)
    return _describe_bytes(name, view.format, view.shape, view.tobytes(), view.itemsize)


def _fetch_array(value):
    """Return what NumPy can read of frameworks whose arrays it cannot read as they are."""
    # TensorFlow, Keras and Paddle; MXNet; CuPy; Chainer.
    for method in ("numpy", "asnumpy", "get"):
        if callable(getattr(value, method, None)) and not isinstance(value, dict):
            return getattr(value, method)()
    return value


_PLAIN = (bool, int, float, str, bytes, type(None))


def _is_plain(value):
    """Whether a value is Python's own, down to its leaves: such a one's ``repr`` says all of it."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN


def _is_row(value):
    """Whether a list holds nothing but NumPy's numbers: one array, not as many as there are."""
    generic = getattr(sys.modules.get("numpy"), "generic", None)
    return generic is not None and all(isinstance(item, generic) for item in value)


def _describe_plain(name, value):
    numbers = _pack_numbers(value)
    if numbers is not None:
        dtype, content = numbers
        shape = (len(value),) if isinstance(value, (list, tuple)) else ()
        return _describe_bytes(name, dtype, shape, content, 8)
    text = repr(value)
    described = _format(name, type(value).__name__, (), hash_bytes(text.encode("utf-8", "surrogatepass")), None, "")
    return '%s, "text": %s}' % (described[:-1], format_json(text[:_LONGEST_TEXT]))


def _pack_numbers(value):
    """Return (type, bytes) of a number or a list of numbers of one type; None for anything else."""
    from _struct import error, pack

    items = list(value) if isinstance(value, (list, tuple)) else [value]
    types = set(map(type, items))
    if types == {float}:
        return "float64", pack("<%dd" % len(items), *items)
    if types == {int}:
        try:
            return "int64", pack("<%dq" % len(items), *items)
        except error:
            pass
    return None
