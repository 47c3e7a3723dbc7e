"""Compare what two runs left by what it means, reading only: nothing in a file is ever executed or unpickled."""

from reprobox.compare.files import compare_files
from reprobox.compare.model import (
    Difference,
    FileComparison,
    NotComparable,
    NumberDifference,
    Remark,
    Result,
    Tolerance,
    make_remark,
)

__all__ = [
    "Difference",
    "FileComparison",
    "NotComparable",
    "NumberDifference",
    "Remark",
    "Result",
    "Tolerance",
    "compare_files",
    "make_remark",
]
