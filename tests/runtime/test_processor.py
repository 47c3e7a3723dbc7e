"""An image that is pinned to an instruction set says so where a processor cannot do it."""

from .conftest import make_contract

CHECK = """
from reprobox_runtime.processor import check_processor
for features in ("sse4_1 sse4_2 popcnt", "sse4_1 sse4_2 popcnt avx avx2 fma avx512f"):
    for maker in ("GenuineIntel", "AuthenticAMD"):
        text = "vendor_id\\t: %s\\nmodel name\\t: A9\\nflags\\t\\t: fpu %s\\n\\nprocessor\\t: 1\\n" % (maker, features)
        print([check_processor(target, text) for target in (None, "avx2", "avx2-intel", "baseline")])
print(len(check_processor("baseline", "")), len(check_processor("avx2-intel", "Features\\t: neon\\n")))
"""
LACKS = "A9 lacks avx2, fma, which the image is pinned to (cpu: {}): its results will differ, or its libraries fail"
OTHER = "A9 is not one of Intel's, and the image is made for those: results will differ"


def test_a_processor_that_lacks_what_the_image_is_pinned_to_is_warned_of(box):
    old = [[], [LACKS.format("avx2")], [LACKS.format("avx2-intel")], []]
    old_amd = [[], [LACKS.format("avx2")], [LACKS.format("avx2-intel"), OTHER], []]
    lines = [repr(one) for one in (old, old_amd, [[], [], [], []], [[], [], [OTHER], []])]
    assert box.script(CHECK) == [*lines, "1 2"]


def test_the_entrypoint_looks(newest_box):
    """Whichever of the two this machine is: the record's warnings are those that the check gives for it."""
    newest_box.contract = make_contract(switches={"cpu": "avx2-intel"})
    code = "from reprobox_runtime.processor import *; print('|'.join(check_processor('avx2-intel', read_cpuinfo())))"
    expected = newest_box.python_code(
        f"import sys; sys.path.insert(0, {str(newest_box.root)!r}); {code}"
    ).stdout.strip()
    done = newest_box.enter("true")
    assert done.returncode == 0
    (record,) = newest_box.records(role="entrypoint")
    assert "|".join(warning for warning in record["warnings"] if "image" in warning) == expected
