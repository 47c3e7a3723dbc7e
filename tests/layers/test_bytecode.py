"""The program that compiles inside the image, run here by every Python that can be had."""

import ast
import marshal
import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from reprobox.errors import BuildError
from reprobox.layers.bytecode import ContainerCompiler, read_worker
from reprobox.layers.model import EPOCH
from tests.layers.process_runner import ProcessRunner
from tests.runtime.pythons import find_pythons

PYTHONS = {version: str(path) for version, path in find_pythons().items()}


@pytest.fixture(params=sorted(PYTHONS))
def python(request):
    return PYTHONS[request.param]


def compile_with(python, sources, **env):
    with ContainerCompiler(ProcessRunner(**env), "image", python, "test") as compiler:
        return call(compiler, sources)


def call(compiler, sources):
    """Return the bytecode of what compiles, by path."""
    made = {}
    compiler.begin(sources, made.__setitem__)()
    assert made.keys() == sources.keys()
    return {path: data for path, data in made.items() if data is not None}


def measure_head(python):
    """Return how many bytes there are before the code."""
    return 12 if python == PYTHONS.get("3.6") else 16


SOURCES = {
    "/opt/venv/lib/one.py": b"def f(x):\n    return x in {'get_attr', 'placeholder', 'other'}\n",
    "/opt/venv/lib/two.py": b"placeholder = ('get_attr', 1.5, b'x', None, ...)\nclass A:\n    z: int = 1\n",
    "/opt/venv/lib/one_letter.py": b"def j(k='.', *, q=''):\n    return {'j': j, 'k': k, '': q, '\\xff': 0}\n",
    "/opt/venv/lib/letters.py": b"import os as j\nk = lambda q: q.j['j', '.', '', '\\xff']\n",
    "/opt/venv/lib/empty.py": b"",
    "/opt/venv/lib/warns.py": b"x = '\\d'\nassert (x, 1)\n",
    "/opt/venv/lib/unicode_\xe9.py": "café = '…' * 3\n".encode(),
    "/opt/venv/lib/latin.py": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
    "/opt/venv/lib/big.py": b"".join(
        b"def f%d(a, b=%d):\n    return {'a': a, 'f%d': [b]}\n" % (n, n, n) for n in range(700)
    ),
}
BROKEN = {
    "/opt/venv/lib/syntax.py": b"def (:\n",
    "/opt/venv/lib/nul.py": b"x = '\0'\n",
    "/opt/venv/lib/encoding.py": b"x = '\xff'\n",
    "/opt/venv/lib/deep.py": b"(" * 500 + b")" * 500,
}


def test_bytecode_runs_and_names_the_final_path(python):
    made = compile_with(python, SOURCES)
    assert made.keys() == SOURCES.keys()
    script = "import marshal, sys; code = marshal.loads(sys.stdin.buffer.read()); print(code.co_filename); exec(code)"
    data = made["/opt/venv/lib/one.py"]
    done = subprocess.run([python, "-c", script], input=data[measure_head(python) :], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "/opt/venv/lib/one.py"


def test_python_itself_takes_it_as_unchecked_hash_bytecode_or_by_the_time_of_a_layer_s_files(python, tmp_path):
    made = compile_with(python, {"/m.py": b"x = 41\n"})
    cached = subprocess.run(
        [python, "-c", "import importlib.util as u; print(u.cache_from_source('m.py'))"], capture_output=True, text=True
    ).stdout.strip()
    again = b"x = 99\n"  # of the same size
    (tmp_path / "m.py").write_bytes(again)
    os.utime(tmp_path / "m.py", (EPOCH, EPOCH))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / cached).write_bytes(made["/m.py"])
    done = subprocess.run([python, "-c", "import m; print(m.x)"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "41\n"


def test_one_process_answers_call_after_call_with_the_same_bytes(python):
    together = compile_with(python, {**SOURCES, **BROKEN})
    with ContainerCompiler(ProcessRunner(), "image", python, "test") as compiler:
        parts = [call(compiler, {path: source}) for path, source in {**SOURCES, **BROKEN}.items()]
        assert call(compiler, {}) == {}
    assert {path: data for part in parts for path, data in part.items()} == together


def test_batches_that_are_begun_at_once_get_each_their_own(python):
    expected = compile_with(python, SOURCES)
    with ContainerCompiler(ProcessRunner(), "image", python, "test") as compiler:
        made = [{}, {}, {}]
        parts = [dict(list(SOURCES.items())[start::2]) for start in range(2)]
        # The last of them asks for a path again, with another source, which is nothing to the first.
        parts.append({"/opt/venv/lib/one.py": b"x = 'another'\n"})
        waits = [compiler.begin(part, into.__setitem__) for part, into in zip(parts, made, strict=True)]
        for wait in reversed(waits):
            wait()
    assert {**made[1], **made[0]} == expected
    assert made[2]["/opt/venv/lib/one.py"] != expected["/opt/venv/lib/one.py"]


def test_a_failure_reaches_every_batch():
    with ContainerCompiler(ProcessRunner(), "image", shutil.which("false"), "test") as compiler:
        waits = [compiler.begin({path: source}, lambda path, data: None) for path, source in SOURCES.items()]
        for wait in waits:
            with pytest.raises(BuildError, match="could not compile"):
                wait()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux lists a process's children there")
def test_a_compiling_process_that_is_killed_ends_it_all_with_one_error():
    many = {f"/m{number}.py": SOURCES["/opt/venv/lib/big.py"] for number in range(400)}
    runner = ProcessRunner()
    killed = []

    def kill_one(path, data):
        if not killed:
            killed.append(min(find_children(runner.pid)))
            os.kill(killed[0], signal.SIGKILL)

    with (
        pytest.raises(BuildError, match=r"(?s)could not compile 400 modules.*a compiling process ended with status 9"),
        ContainerCompiler(runner, "image", sys.executable, "test") as compiler,
    ):
        compiler.begin(many, kill_one)()


def find_children(parent):
    """Return the processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


def test_a_stop_between_two_sources_reaches_whoever_waits(python):
    class StoppedError(Exception):
        pass

    def stop(path, data):
        raise StoppedError

    with pytest.raises(StoppedError), ContainerCompiler(ProcessRunner(), "image", python, "test") as compiler:
        compiler.begin(SOURCES, stop)()


def test_a_source_that_cannot_be_read_is_what_the_caller_hears_of(python):
    class Damaged(dict):
        def __getitem__(self, path):
            if path.endswith("warns.py"):
                raise BuildError("the wheel is damaged")
            return super().__getitem__(path)

        def items(self):
            return ((path, self[path]) for path in self)

    with (
        pytest.raises(BuildError, match="the wheel is damaged"),
        ContainerCompiler(ProcessRunner(), "image", python, "test") as compiler,
    ):
        compiler.begin(Damaged(SOURCES), lambda path, data: None)()


def test_what_does_not_compile_is_left_out(python):
    made = compile_with(python, {**SOURCES, **BROKEN})
    assert made.keys() == SOURCES.keys()


def test_bytes_do_not_depend_on_order_company_or_environment(python):
    expected = dict(compile_with(python, SOURCES))
    for seed in range(3):
        shuffled = list(SOURCES.items())
        random.Random(seed).shuffle(shuffled)
        env = {"PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
        assert compile_with(python, dict(shuffled), **env) == expected
    for path, source in SOURCES.items():
        assert compile_with(python, {path: source}) == {path: expected[path]}


def test_bytes_are_the_same_on_one_core_and_on_many(python):
    expected = compile_with(python, SOURCES)
    if not shutil.which("taskset"):
        pytest.skip("no taskset here to take cores away")
    run = ProcessRunner()
    alone = ContainerCompiler(run, "image", python, "test")
    original = run.run_step
    run.run_step = lambda image, argv, **more: original(image, ["taskset", "1", *argv], **more)
    assert call(alone, SOURCES) == expected


def test_code_means_what_py_compile_makes_of_it(python, tmp_path):
    """Only the sharing of equal constants may differ; Python's own depends on what it compiled before."""
    folder = tmp_path / "opt"
    folder.mkdir()
    (folder / "m.py").write_bytes(SOURCES["/opt/venv/lib/two.py"])
    os.utime(folder / "m.py", (EPOCH, EPOCH))
    mode = "" if python == PYTHONS.get("3.6") else ", invalidation_mode=p.PycInvalidationMode.UNCHECKED_HASH"
    code = f"import py_compile as p; p.compile('opt/m.py'{mode})"
    subprocess.run([python, "-c", code], cwd=tmp_path, check=True)
    theirs = next(folder.rglob("*.pyc")).read_bytes()
    ours = compile_with(python, {"opt/m.py": SOURCES["/opt/venv/lib/two.py"]})["opt/m.py"]
    head = measure_head(python)
    assert ours[:head] == theirs[:head]
    script = f"import marshal, sys; a, b = (open(p, 'rb').read()[{head}:] for p in sys.argv[1:]); "
    script += "a, b = marshal.loads(a), marshal.loads(b); assert a.co_code == b.co_code and a.co_names == b.co_names; "
    script += "assert a.co_consts == b.co_consts or len(a.co_consts) == len(b.co_consts)"
    (tmp_path / "ours.pyc").write_bytes(ours)
    subprocess.run([python, "-c", script, str(tmp_path / "ours.pyc"), str(next(folder.rglob("*.pyc")))], check=True)


def test_folder_compiled_in_place_has_the_same_bytes(python, tmp_path):
    """What plain ``docker build`` of the rendered context does."""
    for path, source in {**SOURCES, **BROKEN}.items():
        (tmp_path / Path(path).name).write_bytes(source)
    worker = tmp_path / "worker"
    worker.write_text(read_worker())
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run([python, "-s", "-S", "-B", str(worker), str(tmp_path)], check=True, env=env)
    made = compile_with(python, {f"{tmp_path}/{Path(path).name}": source for path, source in SOURCES.items()})
    found = {path.name.split(".")[0]: path.read_bytes() for path in tmp_path.glob("__pycache__/*.pyc")}
    assert found == {Path(path).stem: data for path, data in made.items()}


def test_nothing_to_compile_starts_nothing():
    assert call(ContainerCompiler(None, "image", "python3", "test"), {}) == {}


def test_one_that_was_started_and_got_nothing_ends():
    ended = []

    class Watched(ProcessRunner):
        def run_step(self, image, argv, **more):
            ended.append(super().run_step(image, argv, **more))
            return ended[0]

    with ContainerCompiler(Watched(), "image", sys.executable, "test") as compiler:
        compiler.start()
    assert ended == [0]


def test_interpreter_that_fails_is_named_with_what_it_said():
    with pytest.raises(BuildError, match=r"(?s)false.*could not compile 1 modules \(exit code 1\)"):
        compile_with(shutil.which("false"), {"/m.py": b""})


@pytest.mark.parametrize("output", [b"", b"\0\0\0\0\0\0\0\0", b"\0\0\0\5\0\0\0\0/m.p", b"noise" * 9])
def test_interpreter_that_answers_wrongly_is_refused(output):
    class Liar:
        def run_step(self, image, argv, *, stdin, on_output, stdout, env, timeout):
            stdout.write(output)
            return 0

    with pytest.raises(BuildError, match="could not compile"):
        call(ContainerCompiler(Liar(), "image", "python3", "test"), {"/m.py": b""})


def test_worker_is_python_3_6_and_identity_follows_it():
    ast.parse(read_worker(), feature_version=(3, 6))
    assert marshal.version >= 4
    one = ContainerCompiler(ProcessRunner(), "image", "python3", "3.11.2")
    two = ContainerCompiler(ProcessRunner(), "image", "python3", "3.11.3")
    assert one.identity.startswith("3.11.2 ")
    assert one.identity != two.identity
