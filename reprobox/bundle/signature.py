"""Signatures by SSH keys, made and checked by ``ssh-keygen -Y``.

https://man.openbsd.org/ssh-keygen#Y
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from reprobox.errors import BundleError, UsageError
from reprobox.process import Finished, run_program

NAMESPACE = "reprobox-bundle"
"""A signature for anything else is none for a bundle."""
_TIMEOUT = 60
_PROGRAM = "ssh-keygen"


def sign(data: bytes, key: Path) -> bytes:
    """Return the armored signature of ``data``; ``key`` is a private key's file, or a public one's of an agent."""
    if not key.is_file():
        raise UsageError(f"{key} is no key file", hint="name a private key, or the public one of a key in your agent")
    with tempfile.TemporaryDirectory(prefix="reprobox-sign-") as folder:
        path = Path(folder, "manifest")
        path.write_bytes(data)
        done = _run("-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, str(path))
        signature = path.with_name("manifest.sig")
        if done.code or not signature.is_file():
            raise UsageError(f"{key} did not sign: {done.stderr.strip()[:300]}", hint="see `ssh-keygen -Y sign`")
        return signature.read_bytes()


def check_signature(data: bytes, signature: bytes, allowed: Path) -> str:
    """Return who signed ``data``, by the file of allowed signers; raise ``BundleError`` when nobody in it did."""
    if not allowed.is_file():
        raise UsageError(f"{allowed} is no file of allowed signers", hint="see ssh-keygen(1), ALLOWED SIGNERS")
    if not signature:
        raise BundleError("the bundle is not signed", hint="ask for one that `reprobox export --sign KEY` made")
    with tempfile.TemporaryDirectory(prefix="reprobox-sign-") as folder:
        path = Path(folder, "signature")
        path.write_bytes(signature)
        signers = _run("-Y", "find-principals", "-s", str(path), "-f", str(allowed)).stdout.split("\n")
        for signer in filter(None, signers):
            done = _run_on(data, "-Y", "verify", "-f", str(allowed), "-I", signer, "-n", NAMESPACE, "-s", str(path))
            if done == 0:
                return signer
    raise BundleError(
        f"the bundle's signature is of nobody in {allowed}, or not of this bundle",
        hint="ask the sender which key was used, and for its public part by another way",
    )


def _run(*arguments: str) -> Finished:
    try:
        return run_program([_PROGRAM, *arguments], timeout=_TIMEOUT, env={"SSH_ASKPASS_REQUIRE": None})
    except FileNotFoundError as exc:
        raise UsageError("ssh-keygen is not installed", hint="install OpenSSH's client (openssh-client)") from exc
    except subprocess.TimeoutExpired as exc:
        raise UsageError("ssh-keygen did not end", hint="use a key without a passphrase, or one in an agent") from exc


def _run_on(data: bytes, *arguments: str) -> int:
    return run_program([_PROGRAM, *arguments], timeout=_TIMEOUT, stdin=data.decode("utf-8", "surrogateescape")).code
