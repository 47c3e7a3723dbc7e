"""Golden files: what is written must be what was written before, byte for byte.

``pytest tests/golden --update-golden`` writes them anew; read the diff before it is committed. A changed golden image,
layer or lock means that every image changes: raise ``LAYER_FORMAT`` with it.
"""

import pytest
from made_up import FOLDER


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture
def check_golden(request):
    """Return a function that compares a text with the golden file of that name."""
    update = request.config.getoption("--update-golden", default=False)

    def check(name, text):
        path = FOLDER / name
        if update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")
        assert text == path.read_bytes().decode()

    return check
