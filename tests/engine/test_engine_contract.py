"""What every engine promises, the fake one included: one suite for all of them."""

import hashlib
import io
import os
import tarfile

import pytest
from engine_daemons import KINDS
from engine_images import make_image, make_tar, run_shell

from reprobox.engines.base import ContainerResult, ContainerSpec, StoreKind
from reprobox.engines.docker import connect
from reprobox.engines.fake import FakeEngine
from reprobox.errors import BuildError, EngineError
from reprobox.image import load_image

TAG = "reprobox-test/contract:1"
FAKES = {"fake-graph": StoreKind.GRAPH_DRIVER, "fake-containerd": StoreKind.CONTAINERD}


def imitate(call):
    """Do in the fake what the scripts below do in a shell."""
    script = call.argv[-1]
    if script == "sleep 60":
        return ContainerResult(137, 1.0, out_of_memory=False, timed_out=True, peak_memory=None)
    if script == "cat mark":
        call.write("stdout", call.files["mark"])
    elif script == "echo out; echo err >&2; exit 3":
        call.write("stdout", b"out\n")
        call.write("stderr", b"err\n")
        return 3
    elif script == 'echo "$A|$LANG"':
        call.write("stdout", f"{call.env['A']}|{call.env['LANG']}\n".encode())
    elif script == "cat":
        call.write("stdout", call.stdin)
    elif script == "cat opt/in > opt/out":
        call.files["opt/out"] = call.files["opt/in"]
    elif script == "echo default":
        call.write("stdout", b"default\n")
    else:
        raise AssertionError(f"the fake cannot imitate {script!r}")
    return 0


@pytest.fixture(scope="module", params=["fake-graph", "fake-containerd", "default", *KINDS, "podman"])
def anyone(request):
    """Every engine in turn."""
    if request.param in FAKES:
        return FakeEngine(imitate, FAKES[request.param])
    if request.param == "default":
        return request.getfixturevalue("engine")
    return request.getfixturevalue("daemons")(request.param)[1]


@pytest.fixture
def image(anyone, layers):
    made = make_image(layers, layers.make("mark", {"mark": b"marked"}))
    yield made
    anyone.remove_image(TAG)


@pytest.fixture
def loaded(anyone, image, layers):
    load_image(anyone, image, TAG, layers)
    return anyone


def step(engine, script, **settings):
    output = []
    given = {"stdin": None, "stdout": None, "env": {}, "timeout": 30, **settings}
    return engine.run_step(TAG, ("/bin/sh", "-c", script), on_output=output.append, **given), b"".join(output)


def export(engine, script, files=None):
    argv = ("/bin/sh", "-c", script)
    chunks = engine.export_step(TAG, argv, files=files, env={}, on_output=lambda data: None, timeout=30)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        return {entry.name.lstrip("/"): tar.extractfile(entry).read() for entry in tar if entry.isreg()}


def test_an_image_has_the_id_that_its_bytes_say(loaded, image):
    found = loaded.find_image(TAG)
    assert found.engine_id == loaded.info().identify(image).engine_id
    assert found.diff_ids == image.diff_ids
    assert loaded.find_image(found.engine_id) == found


def test_an_image_nobody_loaded_is_not_found(anyone):
    assert anyone.find_image("reprobox-test/none:1") is None


def test_loading_twice_sends_nothing_the_second_time(loaded, image, layers):
    layers.sent.clear()
    load_image(loaded, image, TAG, layers)
    assert layers.sent == []


def test_an_engine_that_takes_part_of_an_image_gets_only_what_it_lacks(loaded, layers):
    changed = make_image(layers, layers.make("changed", {"mark": b"changed"}))
    layers.sent.clear()
    load_image(loaded, changed, TAG, layers)
    partial = loaded.info().name == "docker"
    assert layers.sent == (["changed"] if partial else ["busybox", "changed"])
    assert run_shell(loaded, TAG, "cat mark")[1] == b"changed"


def test_a_layer_with_other_bytes_is_refused_and_nothing_stays(anyone, layers):
    class Swapped:
        def verify(self, layers):
            """Find nothing: the bytes change on their way."""

        def read(self, layer):
            yield layer.path.read_bytes()[:-1] + b"x"

    fresh = make_image(layers, layers.make("fresh", {"fresh": os.urandom(8)}))
    with pytest.raises(EngineError):
        load_image(anyone, fresh, TAG, Swapped())
    assert anyone.find_image(TAG) is None


def test_an_archive_that_is_cut_short_is_refused(anyone):
    with pytest.raises(EngineError, match="loading the image"):
        anyone.load_archive([b"not a tar" * 1000])


def test_names_come_and_go_and_the_image_goes_with_the_last(loaded, image):
    other = "reprobox-test/contract:2"
    loaded.tag_image(TAG, other)
    loaded.remove_image(TAG)
    assert loaded.find_image(TAG) is None
    assert loaded.find_image(other).diff_ids == image.diff_ids
    loaded.remove_image(other)
    loaded.remove_image(other)
    assert loaded.find_image(loaded.info().identify(image).engine_id) is None


def test_a_name_for_nothing_is_refused(anyone):
    with pytest.raises(EngineError, match="tagging"):
        anyone.tag_image("reprobox-test/none:1", TAG)


def test_what_is_saved_holds_the_config_and_the_layers(loaded, image):
    with tarfile.open(fileobj=io.BytesIO(b"".join(loaded.save_image(TAG)))) as tar:
        digests = {hashlib.sha256(tar.extractfile(entry).read()).hexdigest() for entry in tar if entry.isreg()}
    assert {one.partition(":")[2] for one in (image.config_digest, *image.diff_ids)} <= digests


def test_output_and_exit_code_come_back(loaded):
    assert run_shell(loaded, TAG, "echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n")


def test_the_image_s_command_and_environment_hold_until_overridden(loaded):
    output = []
    loaded.run_container(ContainerSpec(TAG), lambda stream, data: output.append(data))
    assert output == [b"default\n"]
    script = 'echo "$A|$LANG"'
    assert run_shell(loaded, TAG, script, env={"A": "b"})[1] == 'b|C.UTF-8"<&>é\n'.encode()
    assert run_shell(loaded, TAG, script, env={"A": "b", "LANG": "c"})[1] == b"b|c\n"


def test_a_run_over_its_time_says_so(loaded):
    ended = loaded.run_container(
        ContainerSpec(TAG, argv=("/bin/sh", "-c", "sleep 60"), timeout=1), lambda stream, data: None
    )
    assert ended.timed_out
    assert ended.exit_code in (137, 143)


def test_a_container_of_an_image_that_is_not_there_is_one_clear_error(anyone):
    with pytest.raises(EngineError, match="no image reprobox-test/none:1"):
        anyone.run_container(ContainerSpec("reprobox-test/none:1"), lambda stream, data: None)


def test_a_step_streams_in_and_out(loaded):
    data, out = os.urandom(3 << 20), io.BytesIO()
    assert step(loaded, "cat", stdin=io.BytesIO(data), stdout=out) == (0, b"")
    assert out.getvalue() == data
    assert step(loaded, "cat", stdin=io.BytesIO(b"seen")) == (0, b"seen")


def test_a_step_keeps_messages_and_results_apart(loaded):
    out = io.BytesIO()
    assert step(loaded, "echo out; echo err >&2; exit 3", stdout=out) == (3, b"err\n")
    assert out.getvalue() == b"out\n"


def test_a_step_over_its_time_is_one_clear_error(loaded):
    with pytest.raises(BuildError, match="stopped after 1 seconds"):
        step(loaded, "sleep 60", timeout=1)


def test_an_exported_step_holds_the_image_s_files_those_put_in_and_those_made(loaded):
    found = export(loaded, "cat opt/in > opt/out", [make_tar({"opt/in": b"given"})])
    assert (found["mark"], found["opt/in"], found["opt/out"]) == (b"marked", b"given", b"given")


def test_an_exported_step_that_fails_gives_nothing(loaded):
    with pytest.raises(BuildError, match="exit code 3"):
        export(loaded, "echo out; echo err >&2; exit 3")


def test_an_engine_describes_itself(anyone):
    info = anyone.info()
    assert info.name in ("docker", "podman")
    assert info.architecture == os.uname().machine
    assert min(info.cpus, info.memory) > 0


def test_the_default_engine_is_the_one_the_environment_names(engine):
    assert connect(os.environ).info() == engine.info()
