"""Credentials go to their own server and are never shown."""

import pytest

from reprobox.http import (
    Credential,
    HttpConfig,
    add_credentials,
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
