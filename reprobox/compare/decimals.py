"""Numbers as they are written, where a float is too short for them."""

from __future__ import annotations

import math
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation, localcontext

from reprobox.compare.model import NumberDifference, Tolerance
from reprobox.compare.parts import Mark

_CONTEXT = Context(prec=50, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def overflows(text: str) -> bool:
    """Whether a written number is larger than any float; one that is spelt as infinity is not."""
    return "inf" not in text.lower() and math.isinf(float(text))


def parse_decimal(text: str) -> Decimal | None:
    """Return a written number exactly; ``None`` where its exponent is beyond everything."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def read_number(text: str) -> float | Decimal | Mark:
    """Return a float where it is what is written; else all the digits, or only the text of what no float comes near."""
    exact = parse_decimal(text)
    if exact is None or overflows(text):
        return Mark("the number", text)
    number = float(text)
    return number if exact == Decimal(repr(number)) else exact


def measure_decimals(one: Decimal, other: Decimal, tolerance: Tolerance) -> NumberDifference:
    """Say how far apart two finite numbers are that differ, however little."""
    with localcontext(_CONTEXT):
        absolute, scale = abs(one - other), abs(one)
        allowed = Decimal(tolerance.absolute) + Decimal(tolerance.relative) * scale
        relative = float(absolute / scale) if scale else math.inf
        return NumberDifference(1, 1, int(absolute > allowed), float(absolute), relative, None, "")
