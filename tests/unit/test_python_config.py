"""pip's configuration in all its places, uv's beside it, and who wins."""

import pytest

from reprobox.errors import UsageError
from reprobox.http import Credential
from reprobox.resolve.pip_settings import read_pip_settings
from reprobox.resolve.python_config import read_python_config


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


class Machine:
    """A made-up machine: a home, an /etc and an environment."""

    def __init__(self, root):
        self.home, self.etc = root / "home", root / "etc"
        self.environ = {"VIRTUAL_ENV": str(root / "venv")}
        self.root = root

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def read(self, **environ):
        return read_python_config({**self.environ, **environ}, self.home, etc=self.etc)

    def read_pip(self, **environ):
        return read_pip_settings({**self.environ, **environ}, self.home, self.etc)


def test_a_machine_without_configuration_leaves_everything_to_uv(machine):
    config = machine.read()
    assert (config.default_index, config.indexes, config.links, config.no_index) == ("", (), (), False)
    assert not config.best_match
    assert dict(config.env) == {"UV_SYSTEM_CERTS": "1"}


PLACES = [
    "etc/xdg/pip/pip.conf",
    "etc/pip.conf",
    "home/.pip/pip.conf",
    "home/.config/pip/pip.conf",
    "venv/pip.conf",
]


@pytest.mark.parametrize("number", range(len(PLACES)))
def test_every_place_of_pips_is_read_and_the_later_one_wins(machine, number):
    for place in PLACES[: number + 1]:
        machine.write(place, f"[global]\nindex-url = https://{PLACES.index(place)}.example/simple\n")
    assert machine.read().default_index == f"https://{number}.example/simple"


def test_pip_config_file_is_the_strongest_file_and_takes_the_users_place(machine):
    machine.write("home/.config/pip/pip.conf", "[global]\nextra-index-url = https://user.example\n")
    machine.write("etc/pip.conf", "[global]\nproxy = http://etc.example:3128\n")
    named = machine.write("named.conf", "[global]\nindex-url = https://named.example\n")
    settings = machine.read_pip(PIP_CONFIG_FILE=str(named))
    assert settings == {"index-url": "https://named.example", "proxy": "http://etc.example:3128"}


def test_pip_config_file_of_dev_null_turns_files_off_but_not_variables(machine):
    machine.write("etc/pip.conf", "[global]\nindex-url = https://etc.example\n")
    settings = machine.read_pip(PIP_CONFIG_FILE="/dev/null", PIP_NO_INDEX="1")
    assert settings["no-index"] == "1"
    assert "index-url" not in settings


def test_variables_win_over_files_and_empty_ones_count_for_nothing(machine):
    machine.write("etc/pip.conf", "[global]\nindex-url = https://etc.example\nfind-links = /etc-links\n")
    settings = machine.read_pip(PIP_INDEX_URL="https://env.example", PIP_FIND_LINKS="")
    assert (settings["index-url"], settings["find-links"]) == ("https://env.example", "/etc-links")


def test_the_install_section_wins_over_global_and_percent_signs_are_plain(machine):
    machine.write(
        "etc/pip.conf", "[global]\nindex-url = https://a.example\n[install]\nindex_url = https://b%20.example\n"
    )
    assert machine.read_pip()["index-url"] == "https://b%20.example"


def test_several_values_on_several_lines(machine):
    machine.write(
        "etc/pip.conf", "[global]\nfind-links =\n    /one\n    ~/two\nextra-index-url = https://a https://b\n"
    )
    config = machine.read()
    assert config.links == ("/one", str(machine.home / "two"))
    assert config.indexes == ("https://a", "https://b")


def test_pips_extra_indexes_mean_what_they_mean_to_pip_unless_uv_says_otherwise(machine):
    assert machine.read(PIP_EXTRA_INDEX_URL="https://a.example").best_match
    assert not machine.read(PIP_EXTRA_INDEX_URL="https://a.example", UV_INDEX_STRATEGY="first-index").best_match
    assert not machine.read(UV_EXTRA_INDEX_URL="https://a.example").best_match


@pytest.mark.parametrize("own", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uvs_own_default_index_wins_over_pips(machine, own):
    assert machine.read(PIP_INDEX_URL="https://pip.example", **{own: "https://uv.example"}).default_index == ""


@pytest.mark.parametrize(
    "text",
    [
        'index-url = "https://uv.example"',
        '[pip]\nindex-url = "https://uv.example"',
        '[[index]]\nurl = "https://uv.example"\ndefault = true',
    ],
)
def test_a_default_index_in_uv_toml_wins_over_pips(machine, text):
    machine.write("home/.config/uv/uv.toml", text)
    assert machine.read(PIP_INDEX_URL="https://pip.example").default_index == ""


def test_an_index_in_uv_toml_that_is_not_the_default_leaves_pips_default(machine):
    machine.write("home/.config/uv/uv.toml", '[[index]]\nurl = "https://uv.example"\n')
    assert machine.read(PIP_INDEX_URL="https://pip.example").default_index == "https://pip.example"


def test_indexes_and_links_of_both_are_added_uvs_first(machine):
    config = machine.read(
        UV_INDEX="named=https://uv.example",
        UV_FIND_LINKS="/uv-links",
        PIP_EXTRA_INDEX_URL="https://pip.example",
        PIP_FIND_LINKS="/pip-links",
    )
    assert config.indexes == ("named=https://uv.example", "https://pip.example")
    assert config.links == ("/uv-links", "/pip-links")


def test_certificates_proxy_trusted_hosts_and_timeout_reach_uv(machine):
    ca = machine.write("ca.pem", "")
    env = dict(
        machine.read(
            PIP_CERT=str(ca),
            PIP_PROXY="http://proxy.example:3128",
            PIP_TRUSTED_HOST="pip.example",
            UV_INSECURE_HOST="uv.example",
            PIP_DEFAULT_TIMEOUT="180",
            PIP_CLIENT_CERT="/client.pem",
        ).env
    )
    assert env == {
        "SSL_CERT_FILE": str(ca),
        "SSL_CLIENT_CERT": "/client.pem",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "HTTP_PROXY": "http://proxy.example:3128",
        "UV_INSECURE_HOST": "uv.example pip.example",
        "UV_HTTP_TIMEOUT": "180",
        "UV_SYSTEM_CERTS": "1",
    }


def test_the_environments_own_proxy_and_certificates_win_over_pips(machine):
    config = machine.read(
        HTTPS_PROXY="http://env.example", PIP_PROXY="http://pip.example", SSL_CERT_FILE="/env.pem", PIP_CERT="/pip.pem"
    )
    assert "HTTPS_PROXY" not in dict(config.env)
    assert config.http.proxy == ""
    assert config.http.ca_file == "/env.pem"


def test_credentials_are_known_by_host_and_never_shown(machine):
    machine.write("home/.config/uv/uv.toml", '[[index]]\nname = "my-own"\nurl = "https://named.example/simple"\n')
    config = machine.read(
        PIP_INDEX_URL="https://me:pip%40secret@pip.example:8443/simple",
        UV_INDEX="https://me:uvsecret@uv.example/simple",
        UV_INDEX_MY_OWN_USERNAME="me",
        UV_INDEX_MY_OWN_PASSWORD="namedsecret",
    )
    assert set(config.http.credentials) == {
        Credential("pip.example:8443", "me", "pip@secret"),
        Credential("uv.example", "me", "uvsecret"),
        Credential("named.example", "me", "namedsecret"),
    }
    assert "secret" not in repr(config)


@pytest.mark.parametrize("text", ["[global", "\xff\xfe", "index-url = x", "[global]\nindex-url"])
def test_a_pip_conf_that_cannot_be_read_counts_as_absent(machine, text):
    machine.write("etc/pip.conf", text)
    assert machine.read().default_index == ""


@pytest.mark.parametrize("text", ["index = 3", "[[[", "pip = 1", "[[index]]\nurl = 3", 'index = ["x"]'])
def test_a_uv_toml_that_makes_no_sense_is_left_to_uv(machine, text):
    machine.write("home/.config/uv/uv.toml", text)
    assert machine.read(PIP_INDEX_URL="https://pip.example").default_index == "https://pip.example"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("PIP_INDEX_URL", "index-url of pip's configuration, or PIP_INDEX_URL: "),
        ("PIP_EXTRA_INDEX_URL", "extra-index-url of pip's configuration, or PIP_EXTRA_INDEX_URL: "),
        ("PIP_FIND_LINKS", "find-links of pip's configuration, or PIP_FIND_LINKS: "),
        ("PIP_PROXY", "proxy of pip's configuration, or PIP_PROXY: "),
        ("UV_INDEX", "UV_INDEX: "),
        ("UV_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL: "),
        ("UV_DEFAULT_INDEX", "UV_DEFAULT_INDEX: "),
        ("UV_FIND_LINKS", "UV_FIND_LINKS: "),
    ],
)
def test_a_url_that_cannot_be_one_is_told_by_its_setting(machine, name, told):
    with pytest.raises(UsageError) as caught:
        machine.read(**{name: "http://[bad"})
    assert caught.value.message.startswith(told)


def test_a_url_that_cannot_be_one_in_uv_toml_is_told(machine):
    machine.write("home/.config/uv/uv.toml", '[[index]]\nname = "x"\nurl = "https://x:port/s"')
    with pytest.raises(UsageError, match="uv's configuration files"):
        machine.read(UV_INDEX_X_USERNAME="me")


def test_uv_config_file_that_is_not_there_is_told(machine):
    with pytest.raises(UsageError, match="UV_CONFIG_FILE: there is no file /nonexist"):
        machine.read(UV_CONFIG_FILE="/nonexist")


@pytest.mark.parametrize("text", ["tool = 3", "tool = {uv = 3}", f"x = {'[' * 5000}", f"x = {'9' * 5000}"])
def test_an_odd_pyproject_says_nothing(machine, text):
    machine.write("project/pyproject.toml", text)
    environ = {**machine.environ, "UV_CONFIG_FILE": ""}
    assert read_python_config(environ, machine.home, machine.root / "project", etc=machine.etc).indexes == ()
