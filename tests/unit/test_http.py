"""Credentials go to their own server and are never shown."""

import pytest
import requests

from reprobox.errors import FetchError, UsageError
from reprobox.http import (
    Credential,
    HttpConfig,
    add_credentials,
    check_urls,
    find_auth,
    hide_secrets,
    open_session,
    split_credentials,
)

CONFIG = HttpConfig(credentials=(Credential("i.example:8443", "me", "p@ss"), Credential("j.example", "you", "word")))


@pytest.mark.parametrize(
    ("url", "bare", "login"),
    [
        ("https://i.example/x", "https://i.example/x", None),
        ("https://me:p%40ss@i.example/x?y#z", "https://i.example/x?y#z", ("me", "p@ss")),
        ("https://token@i.example/x", "https://i.example/x", ("token", "")),
        ("https://a@b:c@i.example/x", "https://i.example/x", ("a@b", "c")),
    ],
)
def test_a_url_is_parted_from_its_credentials(url, bare, login):
    assert split_credentials(url) == (bare, login)


def test_what_is_printed_has_no_password_and_no_signature():
    assert hide_secrets("https://me:pw@i.example/x?X-Signature=abc#f") == "https://i.example/x"


@pytest.mark.parametrize(
    ("url", "auth"),
    [
        ("https://i.example:8443/x", ("me", "p@ss")),
        ("https://i.example/x", None),
        ("https://I.EXAMPLE:8443/x", ("me", "p@ss")),
        ("https://j.example:9000/x", ("you", "word")),
        ("https://j.example.evil.example/x", None),
        ("https://other:own@j.example/x", ("other", "own")),
    ],
)
def test_credentials_are_for_their_own_server(url, auth):
    assert find_auth(url, CONFIG)[1] == auth


def test_credentials_are_written_into_a_url_quoted():
    assert add_credentials("https://i.example:8443/x", CONFIG) == "https://me:p%40ss@i.example:8443/x"
    assert add_credentials("https://k.example/x", CONFIG) == "https://k.example/x"


def test_a_trusted_host_is_that_host_and_no_longer_one_that_begins_like_it():
    with open_session(HttpConfig(trusted_hosts=("i.example", "j.example:8443"))) as session:
        checked = session.get_adapter("https://elsewhere.example/")
        assert session.get_adapter("https://i.example/x") is not checked
        assert session.get_adapter("https://i.example:9000/x") is not checked
        assert session.get_adapter("https://j.example:8443/x") is not checked
        assert session.get_adapter("https://j.example/x") is checked
        assert session.get_adapter("https://i.example.evil.example/x") is checked


def test_nothing_secret_is_in_a_configurations_text():
    text = repr(HttpConfig(proxy="http://me:pw@proxy.example", credentials=CONFIG.credentials))
    assert "pw" not in text
    assert "p@ss" not in text


@pytest.mark.parametrize(
    "url",
    ["http://[bad", "https://x:abc/s", "https://x:0/s", "https://x:70000/s", "https://a..b/s", f"https://{'a' * 64}/s"],
)
def test_a_url_where_no_server_can_be_is_told_by_its_setting_without_its_password(url):
    with pytest.raises(UsageError, match=r"^UV_INDEX: ") as caught:
        check_urls(("https://good.example/s", url.replace("//", "//me:secret@")), "UV_INDEX")
    assert "secret" not in str(caught.value)


def test_urls_and_paths_that_can_be_pass():
    check_urls(("https://[::1]:8443/s", "https://me:p@a.example./", "./x:y/[z]", "/x", "localhost:9", "file:///x"), "x")


def test_what_is_no_url_fails_as_a_request_does_and_can_be_told():
    with pytest.raises(requests.RequestException):
        find_auth("http://[bad", CONFIG)
    assert hide_secrets("http://me:secret@[bad") == "a URL whose host cannot be one"


def test_of_two_certificate_files_the_bad_one_is_blamed(tmp_path):
    good, bad = str(tmp_path), tmp_path / "client.pem"
    bad.write_text("no certificate")
    with pytest.raises(FetchError, match=r"client\.pem: not a readable certificate") as caught:
        open_session(HttpConfig(ca_file=good, client_cert=str(bad)))
    assert "PIP_CLIENT_CERT" in caught.value.hint
    with pytest.raises(FetchError, match=r"client\.pem: not a readable certificate") as caught:
        open_session(HttpConfig(ca_file=str(bad)))
    assert "SSL_CERT_FILE" in caught.value.hint
