"""A wheel of a source archive: built once on the same layers, compared with a second build, and described."""

import pytest
from made_wheels import wheel_bytes

from reprobox.engines.fake import FakeEngine
from reprobox.errors import BuildError
from reprobox.layers.files import make_files_layer
from reprobox.layers.store import DamagedLayer, LayerStore
from reprobox.layers.tar import make_file
from reprobox.lock import Sdist
from reprobox.steps.runner import STEP_ENV, StepRunner
from reprobox.steps.sources import build_wheel, find_built_wheel

SDIST = Sdist("thing", "1.0", "Thing-1.0.tar.gz", "e" * 64, 7)


class Site:
    """A store, an engine whose programs answer with ``answers``, one after the other, and one layer to build on."""

    def __init__(self, folder):
        self.store = LayerStore(folder / "cache")
        self.answers, self.calls, self.warnings = [], [], []
        self.steps = StepRunner(FakeEngine(self._program), self.store)
        self.archive = folder / "archive"
        self.archive.write_bytes(b"sources")
        self.lower = (self.layer("lower"),)

    def layer(self, name):
        return make_files_layer([(make_file(name, 1), b"x")], name, name, self.store)

    def build(self, lower=None):
        return build_wheel(SDIST, self.archive, lower or self.lower, self.steps, self.warnings.append)

    def _program(self, call):
        self.calls.append(call)
        answer = self.answers[(len(self.calls) - 1) % len(self.answers)]
        if isinstance(answer, int):
            call.write("stderr", b"no compiler\n")
            return answer
        call.write("stdout", answer)
        return 0


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    with made.steps:
        yield made


def test_the_wheel_is_named_by_its_own_tags(site):
    site.answers = [wheel_bytes({"thing.py": "x = 1\n"})]
    wheel, path = site.build()
    assert (wheel.name, wheel.version, wheel.filename) == ("thing", "1.0", "thing-1.0-py3-none-any.whl")
    assert path.read_bytes() == site.answers[0]
    assert wheel.size == len(site.answers[0])


def test_the_program_gets_the_archive_and_a_fixed_environment(site):
    site.answers = [wheel_bytes({})]
    site.build()
    assert [call.stdin for call in site.calls] == [b"sources", b"sources"]
    assert site.calls[0].argv[-1] == "Thing-1.0.tar.gz"
    assert STEP_ENV.items() <= site.calls[0].env.items()


def test_it_is_built_once_on_the_same_layers_and_anew_on_others(site):
    site.answers = [wheel_bytes({})]
    assert find_built_wheel(SDIST, site.lower, site.store) is None
    built = site.build()
    assert find_built_wheel(SDIST, site.lower, site.store) == built == site.build()
    assert len(site.calls) == 2
    site.build((*site.lower, site.layer("another")))
    assert len(site.calls) == 4


def test_two_builds_with_other_files_are_warned_of(site):
    site.answers = [wheel_bytes({"when.py": "1\n", "same.py": ""}), wheel_bytes({"when.py": "2\n", "same.py": ""})]
    site.build()
    (warning,) = site.warnings
    assert "build thing 1.0 from source: built twice, it has different files" in warning
    assert "when.py" in warning
    assert "same.py" not in warning


def test_two_builds_that_differ_in_order_alone_are_the_same(site):
    one, other = ({"a.py": "1", "b.py": "2"}, {"b.py": "2", "a.py": "1"})
    record = {"thing-1.0.dist-info/RECORD": "a.py,,\n"}
    site.answers = [wheel_bytes({**one, **record}), wheel_bytes({**other, **record})]
    assert site.answers[0] != site.answers[1]
    site.build()
    assert site.warnings == []


def test_a_build_that_fails_shows_what_it_said(site):
    site.answers = [1]
    with pytest.raises(BuildError, match=r"build thing 1\.0 from source: exit code 1\nno compiler") as caught:
        site.build()
    assert "compilers and headers among `system`" in caught.value.hint
    assert find_built_wheel(SDIST, site.lower, site.store) is None


@pytest.mark.parametrize("answer", [b"", b"not a zip"])
def test_what_is_no_wheel_is_refused(site, answer):
    site.answers = [answer]
    with pytest.raises(BuildError, match=r"build thing 1\.0 from source"):
        site.build()


def test_a_wheel_that_was_damaged_in_the_cache_is_thrown_out(site):
    site.answers = [wheel_bytes({})]
    _, path = site.build()
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DamagedLayer):
        find_built_wheel(SDIST, site.lower, site.store)
    assert find_built_wheel(SDIST, site.lower, site.store) is None
