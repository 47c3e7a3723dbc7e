"""Bytecode and the venv, from the Python of a real base in a real container."""

import io

import pytest
from test_debian_base import Resolved

from reprobox.layers.bytecode import ContainerCompiler
from reprobox.layers.files import VENV_DIFFERENCES, venv_entries
from reprobox.layers.read_tar import read_entries
from reprobox.steps.debian import make_base_layer
from reprobox.steps.runner import StepRunner

pytestmark = pytest.mark.network
SOURCES = {
    **{
        f"/opt/venv/lib/m{number}.py": f"def j(k='.'):\n    return k in {{'x', 'y{number}'}}\n".encode()
        for number in range(40)
    },
    "/opt/venv/lib/bad.py": b"def (:\n",
    "/opt/venv/lib/warns.py": b"x = '\\d'\n",
    "/opt/venv/lib/large.py": b"x = [\n" + b"    'a line of some length',\n" * 50_000 + b"]\n",
}


@pytest.fixture(
    scope="module", params=["3.11", *(pytest.param(one, marks=pytest.mark.long) for one in ("3.9", "3.13"))]
)
def resolved(request):
    return Resolved(request.param)


@pytest.fixture(scope="module")
def image(engine, resolved, base_store):
    with StepRunner(engine, base_store) as steps:
        yield steps.load([make_base_layer(resolved.base, resolved.debs, steps)])


def test_container_compiles_to_the_same_bytes_in_any_company(engine, image, resolved):
    with ContainerCompiler(engine, image, resolved.python.executable, "test") as compiler:
        made, again = {}, {}
        compiler.begin(SOURCES, made.__setitem__)()
        assert [path for path, data in made.items() if data is None] == ["/opt/venv/lib/bad.py"]
        paths = sorted(SOURCES)
        for part in (paths[20:], paths[:20]):
            compiler.begin({path: SOURCES[path] for path in part}, again.__setitem__)()
    assert again == made


def test_venv_is_what_the_base_s_python_makes(engine, image, resolved):
    out, said = io.BytesIO(), []
    script = f"{resolved.python.executable} -m venv --without-pip /opt/venv && tar -C / -cf - opt/venv"
    code = engine.run_step(
        image, ["/bin/sh", "-c", script], stdin=None, on_output=said.append, stdout=out, env={}, timeout=120
    )
    assert code == 0, said
    theirs = {
        entry.path: (entry, data.read() if data else None)
        for entry, data in read_entries(io.BytesIO(out.getvalue()))
        if entry.path.removeprefix("opt/venv/") not in VENV_DIFFERENCES
    }
    ours = {entry.path: (entry, data) for entry, data in venv_entries(resolved.python) if entry.path != "opt"}
    assert ours == theirs
