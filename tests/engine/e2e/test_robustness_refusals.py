"""Where there is no engine, and where values try to break out of what is made from them."""

import json
import subprocess

import docker
import pytest
from program import call_program
from trees import read_tree

NOWHERE = {"DOCKER_HOST": "unix:///nonexistent/engine.sock"}
ODD_NAMES = (
    "a b.py",
    "-dash.py",
    "ünïcode ☃.txt",
    "dollar$HOME`id`.txt",
    "quote\"'.txt",
    "#hash.txt",
    "star*[a].txt",
    "-folder/-rf",
    "!bang.txt",
    "%s{{ x }}.txt",
    "trailing .txt ",
)


@pytest.mark.parametrize("command", [["build"], ["run"], ["run", "--", "true"]])
@pytest.mark.network
def test_without_an_engine_there_is_one_clear_error(make_project, command):
    folder = make_project("robust-nowhere")
    call_program("lock", folder, env=NOWHERE)
    done = call_program(command[0], "--json", folder, *command[1:], env=NOWHERE, check=False)
    assert (done.code, done.json["error"]["exit_code"]) == (5, 5)
    assert "is not running" in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / ".reprobox").exists()


@pytest.mark.network
def test_locking_and_rendering_need_no_engine(make_project, tmp_path):
    folder = make_project("robust-nowhere", "packages: [six==1.17.0]")
    call_program("lock", folder, env=NOWHERE)
    call_program("render", folder, "-o", tmp_path / "context", env=NOWHERE)
    assert (tmp_path / "context" / "Dockerfile").exists()


def test_doctor_says_what_is_missing():
    done = call_program("doctor", "--json", env=NOWHERE, check=False)
    assert done.code == 5
    assert (done.json["ok"], done.json["engine"]) == (False, None)
    failed = [finding for finding in done.json["findings"] if finding["status"] == "failed"]
    assert [finding["name"] for finding in failed] == ["engine"]
    assert failed[0]["hint"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        'env: {A: "x\\nRUN id"}',
        'env: {A: "x\\" B=\\"y"}',
        "env: {A: '$HOME'}",
        "env: {'A B': x}",
        'env: {"A\\nB": x}',
        "env: {'A=B': x}",
        'name: "x\\nRUN id"',
        "system: ['hello; id']",
        "system: [-oAPT::x]",
        "packages: ['six --index-url=http://127.0.0.1/']",
        "packages: ['-r /etc/passwd']",
        "base: {image: 'x\\nRUN id'}",
        "outputs: [../../etc]",
        "inputs: {../x: 0000000000000000000000000000000000000000000000000000000000000000}",
    ],
)
def test_a_value_that_would_break_out_is_refused_with_its_place(make_project, line):
    folder = make_project("robust-hostile", line)
    if line.startswith("name"):
        spec = folder / "spec.yaml"
        spec.write_text(spec.read_text().replace("name: robust-hostile\n", ""))
    done = call_program("build", "--json", folder, env=NOWHERE, check=False)
    assert "Traceback" not in done.stderr
    assert done.code == 3, done.stderr
    where = 4 if line.startswith("name") else 5
    assert {problem["line"] for problem in done.json["error"]["problems"]} == {where}, done.stderr
    assert not (folder / "spec.lock").exists()


@pytest.mark.long
@pytest.mark.network
def test_odd_file_names_survive_both_ways_into_an_image(make_project, fresh_lock, tmp_path):
    lines = ("import os", "for path, _, names in os.walk('.'):", "    for name in names:")
    script = "\n".join((*lines, "        print(ascii(path + '/' + name))"))
    folder = make_project("robust-names", script=script)
    for name in ODD_NAMES:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (folder / "-link").symlink_to("a b.py")
    built = fresh_lock(folder)
    listed = call_program("run", folder).stdout
    client = docker.APIClient(timeout=600)
    ours = source_of(read_tree(client, built["tag"]))
    assert {f"work/{name}" for name in (*ODD_NAMES, "-link")} <= ours.keys()
    assert all(ascii(f"./{name}") in listed for name in ODD_NAMES)
    context = tmp_path / "a folder with ünïcode"
    call_program("render", folder, "-o", context)
    tag = "reprobox-test-names:classic"
    lines = [*client.build(path=str(context), tag=tag, rm=True, forcerm=True, decode=True, network_mode="none")]
    assert not [line["error"] for line in lines if "error" in line], lines[-3:]
    try:
        assert source_of(read_tree(client, tag)) == ours
    finally:
        client.remove_image(tag, force=True)
        client.remove_image(built["tag"], force=True)


def source_of(tree):
    return {path: entry for path, entry in tree.items() if path.startswith("work/")}


@pytest.mark.network
def test_a_quoted_value_reaches_the_program_as_it_is_written(make_project, fresh_lock):
    values = {"SPACES": "a  b ", "HASH": "# no comment", "PERCENT": "%d {{ x }} {% y %}", "UNICODE": "ü☃", "EMPTY": ""}
    script = "import json, os\nprint(json.dumps(dict(os.environ)))\n"
    folder = make_project("robust-env", f"env: {json.dumps(values, ensure_ascii=False)}", script=script)
    built = fresh_lock(folder)
    seen = json.loads(call_program("run", folder).stdout)
    assert {name: seen.get(name) for name in values} == values
    subprocess.run(["docker", "rmi", "-f", built["tag"]], check=False, capture_output=True)


@pytest.mark.network
def test_debian_packages_and_packages_of_all_kinds_that_are_nowhere_are_told_at_once(make_project):
    lines = (
        "system: [hello, libgl]",
        "packages: {requirements: need.txt, list: [six==77.0, tqdm==99.0], from_source: [tqdm]}",
    )
    folder = make_project("robust-nowhere", *lines)
    (folder / "need.txt").write_text("wheel\npyyaml==77\n")
    done = call_program("lock", "--json", folder, env=NOWHERE, check=False)
    found = [(one["line"], one["column"], one["key"]) for one in done.json["error"]["problems"]]
    assert found == [
        (5, 17, "system[1]"),
        (6, 26, "packages.requirements"),
        (6, 43, "packages.list[0]"),
        (6, 54, "packages.list[1]"),
    ]
    assert f"{folder}/need.txt:2: there is no pyyaml 77" in done.stderr
    assert done.code == 3
    assert not (folder / "spec.lock").exists()
