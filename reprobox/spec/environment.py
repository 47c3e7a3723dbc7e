"""Reader of the environment variables that a spec adds to the image."""

from __future__ import annotations

import re

from reprobox.spec.values import Value, read_text, shorten
from reprobox.spec.yaml_nodes import ScalarNode

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_BREAKS_OUT = {
    '"': "a double quote",
    "'": "a single quote",
    "\\": "a backslash",
    "`": "a backquote",
    "$": "a dollar sign",
}
_SECRET = re.compile(
    r"(.*_)?(API_?KEY|PASSWORD|PASSWD|SECRET|SECRET_KEY|SECRET_ACCESS_KEY|PRIVATE_KEY|ACCESS_TOKEN|AUTH_TOKEN)"
    r"|(HF|HUGGINGFACE|HUGGING_FACE_HUB|GITHUB|GITLAB|NPM|PYPI|AWS_SESSION)_TOKEN",
    re.IGNORECASE,
)

OWNED = {
    "PYTHONHASHSEED": "set determinism.hash_seed instead",
    "CUBLAS_WORKSPACE_CONFIG": "set determinism.cublas_workspace instead",
    "OMP_NUM_THREADS": "set determinism.threads instead",
    "MKL_NUM_THREADS": "set determinism.threads instead",
    "OPENBLAS_NUM_THREADS": "set determinism.threads instead",
    "BLIS_NUM_THREADS": "set determinism.threads instead",
    "NUMEXPR_NUM_THREADS": "set determinism.threads instead",
    "VECLIB_MAXIMUM_THREADS": "set determinism.threads instead",
    "NUMBA_NUM_THREADS": "set determinism.threads instead",
    "TF_NUM_INTRAOP_THREADS": "set determinism.threads instead",
    "TF_NUM_INTEROP_THREADS": "set determinism.threads instead",
    "TF_DETERMINISTIC_OPS": "set determinism.deterministic_kernels instead",
    "TF_CUDNN_DETERMINISTIC": "set determinism.deterministic_kernels instead",
    "TF_CUDNN_USE_FRONTEND": "set determinism.deterministic_kernels instead",
    "TORCHINDUCTOR_DETERMINISTIC": "set determinism.deterministic_kernels instead",
    "NVIDIA_TF32_OVERRIDE": "set determinism.tf32 instead",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "set determinism.tf32 instead",
    "CHAINER_SEED": "set seed instead",
    "CUPY_SEED": "set seed instead",
    "PL_GLOBAL_SEED": "set seed instead",
    "PATH": "write the whole path of a program in the command",
    "VIRTUAL_ENV": "",
    "PYTHONHOME": "",
    "PYTHONSTARTUP": "",
    "PYTHONNOUSERSITE": "",
    "PYTHONUSERBASE": "",
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": "",
    "LD_PRELOAD": "",
    "LD_AUDIT": "",
    "HOME": "",
    "SOURCE_DATE_EPOCH": "",
}
"""Variables that reprobox sets itself -> what to write instead."""


def read_variable(name: str, value: Value) -> str | None:
    """Return a variable's value: a text of one line that means the same in a shell, a Dockerfile and JSON."""
    if not re.fullmatch(NAME, name):
        hint = "use A-Z, a-z, 0-9 and _, not starting with a digit"
        value.report_key(f"{shorten(name)} cannot be the name of a variable", hint)
        return None
    if name in OWNED or name.upper().startswith("REPROBOX"):
        value.report_key("is a variable that reprobox sets itself", OWNED.get(name, "") or "remove the line")
        return None
    if _SECRET.fullmatch(name):
        hint = "remove it; have the program read it from a file that is not part of the project"
        value.report_key("looks like a secret, which everybody who has the image could read", hint)
        return None
    return _read_value(value)


def _read_value(value: Value) -> str | None:
    if value.empty:
        return ""
    if isinstance(value.node, ScalarNode) and not value.node.text.strip(" "):
        return value.node.text
    text = read_text(value, "the value of a variable", verbatim=True)
    if text is None:
        return None
    for character, what in _BREAKS_OUT.items():
        if character in text:
            hint = "variables are not expanded; write the value itself" if character == "$" else "remove it"
            value.report(f"contains {what}, which could end or change the value in a Dockerfile", hint)
            return None
    return text
