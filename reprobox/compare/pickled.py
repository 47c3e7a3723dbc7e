"""Make a document of a pickle: a plain one, one of joblib's, an old checkpoint of PyTorch."""

from __future__ import annotations

from reprobox.compare.opened import Opened
from reprobox.compare.parts import Data, Document
from reprobox.compare.pickle_walk import list_parts
from reprobox.compare.pickled_arrays import Arrays
from reprobox.compare.pickles import read_pickle
from reprobox.compare.torch_files import LEGACY_MAGIC, read_legacy_torch


def read_pickled(file: Opened) -> Document:
    """Read a plain pickle, a file of joblib's, or a checkpoint of PyTorch before 1.6."""
    value, end = read_pickle(file)
    if value == LEGACY_MAGIC:
        return read_legacy_torch(file)
    found = list_parts(value, Arrays(file).find, file)
    if end < file.size:
        found["<behind the first pickle>"] = Data(file.size - end, lambda: file.pieces(end))
    return found
