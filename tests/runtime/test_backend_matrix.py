"""Each backend, for real: the same twice, another seed differs, workers differ; docs/backends.md has what came out.

``pytest tests/runtime/test_backend_matrix.py --update-backends`` writes the table anew.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from .backend_matrix import CASES, NO_ROW, NOT_RUN, make_not_run_row, read_rows, run_case, write_rows
from .test_shape import _backends

pytestmark = [pytest.mark.network, pytest.mark.long]


@pytest.fixture(scope="module")
def rows(request, runtime_root, tmp_path_factory):
    """Case -> its row to come: two are made at a time, and only those that are asked for."""
    chosen = [item.callspec.params["case"] for item in request.session.items if "case" in _parameters(item)]
    with ThreadPoolExecutor(2) as pool:
        folders = {case: tmp_path_factory.mktemp("matrix") for case in chosen}
        yield {case: pool.submit(run_case, case, runtime_root, folder) for case, folder in folders.items()}


def _parameters(item):
    return item.callspec.params if hasattr(item, "callspec") and item.module.__name__ == __name__ else ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_backend_repeats_and_its_workers_do_not_repeat_each_other(rows, case, request):
    row = rows[case].result()
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[3:6] == ["same", "differs", f"differ ({case.method})"]
    if request.config.getoption("--update-backends", default=False):
        write_rows({case.name: row})
    assert read_rows()[case.name] == row


@pytest.mark.parametrize("backend", NOT_RUN)
def test_what_cannot_be_run_is_said_to_be_so(backend, request):
    if request.config.getoption("--update-backends", default=False):
        write_rows({backend: make_not_run_row(backend)})
    assert read_rows()[backend] == make_not_run_row(backend)


def test_every_backend_has_a_row():
    assert {row.split(" ")[0] for row in read_rows()} == set(_backends()) - set(NO_ROW)
