"""Whether the processor at hand can do what the image's libraries are pinned to."""

_NEEDED = {
    "avx2": ("avx2", "fma"),
    "avx2-intel": ("avx2", "fma"),
    "baseline": ("sse4_1", "sse4_2", "popcnt"),
}
"""Target -> the features, as the kernel spells them."""


def check_processor(target, cpuinfo):
    """Return a warning for each reason why this processor need not give the target's bits.

    ``cpuinfo`` is the text of ``/proc/cpuinfo``, its first processor at least.
    """
    if target not in _NEEDED:
        return []
    fields = _read_fields(cpuinfo)
    model = fields.get("model name", "this processor")
    features = fields.get("flags", "").split()
    lacking = [name for name in _NEEDED[target] if name not in features]
    warnings = []
    if lacking:
        warnings.append(
            "%s lacks %s, which the image is pinned to (cpu: %s): its results will differ, or its libraries fail"
            % (model, ", ".join(lacking), target)
        )
    if target == "avx2-intel" and fields.get("vendor_id") != "GenuineIntel":
        warnings.append("%s is not one of Intel's, and the image is made for those: results will differ" % model)
    return warnings


def read_cpuinfo():
    """Return the beginning of ``/proc/cpuinfo``; empty where it cannot be read."""
    try:
        with open("/proc/cpuinfo") as file:
            return file.read(8192)
    except OSError:
        return ""


def _read_fields(cpuinfo):
    """Return the first processor's fields."""
    fields = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields
