"""Finding the engine: every way to name one, and one clear error for each way it can be out of reach."""

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from engine_daemons import Daemon
from engine_images import make_image, run_shell
from engine_packages import REPOSITORY, install_packages
from test_engine_runs import IMAGE

from reprobox.engines.docker import connect
from reprobox.errors import EngineError
from reprobox.image import load_image


def make_certificates(folder):
    """Make an authority, a server's and a client's certificate, with the openssl program."""
    if shutil.which("openssl") is None:
        install_packages("openssl")

    def openssl(*argv):
        subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True, timeout=60)

    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca",
            "-keyout", "ca-key.pem", "-out", "ca.pem")  # fmt: skip
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}-key.pem", "-out", f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
                "-CAcreateserial", "-extfile", "names", "-out", f"{name}.pem")  # fmt: skip
    for name in ("key", "cert"):
        source = "client-key.pem" if name == "key" else "client.pem"
        (folder / f"{name}.pem").write_bytes((folder / source).read_bytes())
    return folder


@pytest.fixture(scope="module")
def certificates(tmp_path_factory, layers):
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tls_host(certificates):
    """An engine behind TLS that wants a client's certificate: "tcp://127.0.0.1:PORT"."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    files = {"tlscacert": "ca.pem", "tlscert": "server.pem", "tlskey": "server-key.pem"}
    options = [f"--{option}={certificates / name}" for option, name in files.items()]
    daemon = Daemon("docker-26.1-graph", "--tlsverify", *options, "--host", host)
    daemon.start()
    yield host
    daemon.stop()


def test_a_remote_engine_behind_tls_loads_runs_and_takes_input(tls_host, certificates, layers):
    engine = connect({"DOCKER_HOST": tls_host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)})
    assert not engine.info().local
    load_image(engine, make_image(layers), IMAGE, layers)
    assert run_shell(engine, IMAGE, "echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n")
    data, out = os.urandom(5 << 20), io.BytesIO()
    code = engine.run_step(
        IMAGE, ("cat",), stdin=io.BytesIO(data), on_output=lambda data: None, stdout=out, env={}, timeout=60
    )
    assert (code, out.getvalue()) == (0, data)


def test_a_docker_context_names_the_engine_and_its_certificates(tls_host, certificates, tmp_path):
    key = hashlib.sha256(b"far").hexdigest()
    meta, tls = tmp_path / "contexts/meta" / key, tmp_path / "contexts/tls" / key / "docker"
    meta.mkdir(parents=True)
    tls.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": tls_host}}}))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(certificates / name, tls)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    assert connect({"DOCKER_CONFIG": str(tmp_path)}).info().version.startswith("26.1")
    assert connect({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"}).info().version.startswith("26.1")


def test_mounts_on_a_remote_engine_are_refused_with_a_reason(tls_host, certificates, tmp_path):
    from reprobox.engines.base import ContainerSpec, Mount

    engine = connect({"DOCKER_HOST": tls_host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)})
    with pytest.raises(EngineError, match="another machine"):
        engine.run_container(ContainerSpec(IMAGE, mounts=(Mount(tmp_path, "/input"),)), lambda stream, data: None)


def test_the_wrong_authority_is_a_tls_error(tls_host, tmp_path):
    other = make_certificates(tmp_path)
    with pytest.raises(EngineError, match="TLS") as caught:
        connect({"DOCKER_HOST": tls_host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(other)})
    assert "DOCKER_CERT_PATH" in caught.value.hint


def test_no_certificate_where_one_is_wanted_is_one_clear_error(tls_host, tmp_path):
    with pytest.raises(EngineError, match=r"127\.0\.0\.1") as caught:
        connect({"DOCKER_HOST": tls_host})
    assert caught.value.hint


def test_no_engine_on_the_socket_says_how_to_get_one(tmp_path):
    with pytest.raises(EngineError, match="not running") as caught:
        connect({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert "install" in caught.value.hint
    assert caught.value.exit_code == 5


def test_a_socket_that_nobody_listens_on_is_an_engine_that_is_not_running(tmp_path):
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(EngineError, match="nothing listens there"):
        connect({"DOCKER_HOST": f"unix://{path}"})


def test_no_engine_on_the_port_is_an_engine_that_is_not_running():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(EngineError, match="not running"):
        connect({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})


def test_a_socket_of_others_says_which_group_to_join(engine, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    script = (
        "import os, sys\n"
        "from reprobox.engines.docker import connect\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: connect({'DOCKER_HOST': sys.argv[1]})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    folder = Path(tempfile.mkdtemp(prefix="rbx-"))
    folder.chmod(0o755)
    path = folder / "engine.sock"
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            path.chmod(0o600)
            server.listen()
            argv = [sys.executable, "-c", script, f"unix://{path}"]
            done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True)
    finally:
        shutil.rmtree(folder)
    assert done.stdout.startswith("EngineError")
    assert "does not let this user in" in done.stdout
    assert "usermod -aG docker" in done.stdout


def answer_once(body, status="200 OK"):
    """Serve one HTTP answer to everyone who asks; return the address and how to stop."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)

    threading.Thread(target=serve, daemon=True).start()
    return server, f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"ApiVersion": "1.12", "Version": "1.0"}', "200 OK", "too old"),
        (b'{"ApiVersion": "1.40", "Version": "19.03"}', "200 OK", "too old: it speaks API 1.40"),
        (b"{}", "200 OK", "cannot be used"),
        (b"<html>", "200 OK", "cannot be used"),
        (b"no", "503 Service Unavailable", "cannot be used"),
    ],
)
def test_what_is_no_usable_engine_is_one_clear_error(body, status, message):
    server, host = answer_once(body, status)
    with server, pytest.raises(EngineError, match=message) as caught:
        connect({"DOCKER_HOST": host})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DOCKER_HOST": "ssh://someone@engine.example"}, "ssh"),
        ({"DOCKER_HOST": "nonsense://x"}, "cannot be used"),
        ({"DOCKER_HOST": "tcp://"}, "cannot be used|not running"),
        ({"DOCKER_CONTEXT": "none", "HOME": "/nonexistent"}, "the Docker context 'none' does not exist"),
    ],
)
def test_an_address_that_cannot_be_used_is_one_clear_error(environ, message):
    with pytest.raises(EngineError, match=message) as caught:
        connect(environ)
    assert caught.value.hint


def test_a_broken_docker_configuration_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EngineError, match=r"config\.json cannot be read"):
        connect({"DOCKER_CONFIG": str(tmp_path)})
