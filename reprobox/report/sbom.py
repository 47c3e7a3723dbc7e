"""A CycloneDX 1.6 bill of materials: what is installed, and the model, with hashes.

The format: https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from urllib.parse import quote

from reprobox.report.environment_model import DebianPackage, Package
from reprobox.report.json_text import Json, format_json, show_plain
from reprobox.report.model import OutputData, Report
from reprobox.report.values import Role


def format_sbom(report: Report) -> str:
    """Return the bill of materials as JSON."""
    software = report.u_environment.software
    components = [
        *(_describe_python(one) for one in software.packages),
        *(_describe_debian(one) for one in software.debian or ()),
        _describe_model(report),
    ]
    body: Json = {
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "reprobox", "version": report.reprobox}]},
            "component": _describe_image(report),
        },
        "components": components,
    }
    head: Json = {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX"}
    return format_json({**head, "specVersion": "1.6", "serialNumber": _make_serial(body), **body})


def _make_serial(body: Json) -> str:
    """Return a number that is another for other content, and the same for the same."""
    digest = hashlib.sha256(format_json(body).encode("utf-8", "backslashreplace")).hexdigest()
    return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:sha256:{digest}").urn


def _describe_image(report: Report) -> Json:
    image, digest = report.u_environment.image, report.run.image_digest
    return {
        "type": "container" if image.digest else "application",
        "bom-ref": f"image:{digest}",
        "name": show_plain(report.name),
        "version": digest,
        "properties": _list_properties(
            *((("reprobox:base", image.base),) if image.base else ()),
            ("reprobox:image_digest", digest),
            ("reprobox:lock_digest", image.lock_digest),
            ("reprobox:spec_digest", image.spec_digest),
        ),
    }


def _describe_python(one: Package) -> Json:
    purl = f"pkg:pypi/{quote(one.name, safe='')}@{quote(one.version, safe='')}?file_name={quote(one.file, safe='')}"
    return {
        "type": "library",
        "bom-ref": f"{purl}#{one.sha256}",
        "name": one.name,
        "version": one.version,
        "hashes": _list_hashes([one.sha256]),
        "purl": purl,
    }


def _describe_debian(one: DebianPackage) -> Json:
    # purl-spec: the version's colon and plus are percent-encoded.
    name, version, architecture = (quote(text, safe="") for text in (one.name, one.version, one.architecture))
    purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}"
    return {
        "type": "library",
        "bom-ref": f"{purl}#{one.sha256}",
        "name": one.name,
        "version": one.version,
        "hashes": _list_hashes([one.sha256]),
        "purl": purl,
    }


def _describe_model(report: Report) -> Json:
    files = [one for one in report.a_procedure.outputs.files if one.role is Role.MODEL]
    seed = report.e_seed.declared
    described: Json = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{report.run.id}",
        "name": show_plain(report.name),
        "version": report.run.id,
    }
    # One file's hash is the model's; of several each is a part of it.
    if len(files) == 1:
        described["hashes"] = _list_hashes([files[0].sha256])
    elif files:
        described["components"] = [_describe_file(one) for one in files]
    return described | {
        "properties": _list_properties(
            ("reprobox:seed", str(seed.seed)),
            ("reprobox:level", seed.level),
            ("reprobox:run", report.run.id),
            *(("reprobox:model_file", one.path) for one in files),
        )
    }


def _describe_file(one: OutputData) -> Json:
    return {
        "type": "file",
        "bom-ref": f"file:{show_plain(one.path)}",
        "name": show_plain(one.path),
        "hashes": _list_hashes([one.sha256]),
    }


def _list_hashes(digests: Iterable[str]) -> list[Json]:
    return [{"alg": "SHA-256", "content": digest} for digest in digests]


def _list_properties(*pairs: tuple[str, str]) -> list[Json]:
    return [{"name": name, "value": show_plain(value)} for name, value in pairs]
