"""Watch warnings, and the error that ends a program, for what frameworks say about their own determinism."""

import sys

from .suspects import USER, find_owner, find_place, name_place, note_at
from .watch_calls import watch_function

_KERNEL = (
    # PyTorch: aten/src/ATen/Context.cpp (alertNotDeterministic), torch/__init__.py
    "does not have a deterministic implementation",
    "this operation is not deterministic",
    "attention defaults to a non-deterministic algorithm",
    # TensorFlow: tensorflow/core/kernels, all under enable_op_determinism
    "deterministic gpu implementation",
    "deterministic implementation of",
    "have a deterministic xla implementation",
    "determinism is not yet supported",
    "when op-determinism is enabled",
    "when determinism is enabled",
    # Chainer: chainer/configuration.py and function.py, warn_nondeterministic
    "potentially non-deterministic code is being executed",
)
_SEED = (
    # TensorFlow: tensorflow/python/framework/random_seed.py, tensorflow/core/util/guarded_philox_random.cc
    "random ops require a seed to be set when determinism is enabled",
    "random ops must have a seed specified",
    # tensorflow/python/ops/stateful_random_ops.py
    '"from_non_deterministic_state" cannot be called',
    '"get_global_generator" cannot be called',
    # tensorflow/python/ops/nn_ops.py, image_ops_impl.py
    "requires a non-zero seed",
    '"seed2" to be non-zero',
)
_MOST_CAUSES = 5


def watch(warnings):
    """Look at each warning that is shown, or recorded by ``catch_warnings``; ignored ones are not seen.

    ``_showwarnmsg`` is what the interpreter itself calls for a warning, from Python and from C:
    https://github.com/python/cpython/blob/v3.13.0/Python/_warnings.c (call_show_warning)
    """
    watch_function(warnings, "_showwarnmsg", _report_warning)


def _report_warning(frame, args, kwargs):
    text = str(args[0].message)
    kind = find_kind(text)
    where = find_place(frame) if kind else None
    if where is not None:
        note_at(kind, where, _one_line(text))


def report_last_error():
    """Note the error that has ended the program, if it is one of those; called when it has."""
    error = getattr(sys, "last_value", None)
    for _ in range(_MOST_CAUSES):
        if error is None:
            return
        kind = find_kind(str(error))
        if kind:
            note_at(kind, _find_line(error.__traceback__), _one_line(str(error)))
            return
        error = error.__cause__ or error.__context__


def find_kind(text):
    """Return the kind of suspect that a framework's message tells of, or ""."""
    text = text.lower()
    if "determini" not in text:
        return ""
    if any(phrase in text for phrase in _SEED):
        return "unseeded-generator"
    return "nondeterministic-kernel" if any(phrase in text for phrase in _KERNEL) else ""


def _find_line(traceback):
    """Return the place of the deepest line of the user's."""
    where = ""
    while traceback is not None:
        if find_owner(traceback.tb_frame) == USER:
            where = name_place(traceback.tb_frame, traceback.tb_lineno)
        traceback = traceback.tb_next
    return where


def _one_line(text):
    return " ".join(text.split())
