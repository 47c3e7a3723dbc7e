"""What a bundle holds, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from reprobox.bundle.model import CLAIM_OUTPUT, INPUTS, PROJECT, REPORT, BundledFile, Manifest
from reprobox.bundle.packing import Compression
from reprobox.bundle.read import Heading
from reprobox.export import Exported
from reprobox.json_values import JsonObject
from reprobox.reporting import format_count
from reprobox.sizes import format_size
from reprobox.streams import escape_unprintable


def describe_export(exported: Exported) -> str:
    """Return the summary of an export."""
    manifest = exported.contents.manifest
    lines = [
        *(f"  left out  {escape_unprintable(one.path)}: {one.reason}" for one in manifest.left_out),
        f"bundle   {exported.path}",
        f"digest   {exported.digest}",
        f"size     {format_size(exported.size)}",
        f"image    {manifest.image_digest}",
        f"result   run {manifest.claim}, {format_count(len(_below(manifest, CLAIM_OUTPUT)), 'output')}",
        f"next     reprobox judge {exported.path.name}" + _say_how_to_load(manifest, exported.path),
    ]
    return "\n".join(lines)


def _say_how_to_load(manifest: Manifest, path: Path) -> str:
    return "" if manifest.thin else f", or without reprobox: docker load -i {path.name}"


def export_to_json(exported: Exported) -> JsonObject:
    """Return what ``export --json`` prints."""
    manifest = exported.contents.manifest
    return {
        "bundle": str(exported.path),
        "digest": exported.digest,
        "size": exported.size,
        "image_digest": manifest.image_digest,
        "claim": manifest.claim,
        "left_out": [asdict(one) for one in manifest.left_out],
    }


def describe_bundle(path: Path, heading: Heading, compression: Compression, signed: str, *, checked: bool) -> str:
    """Return what ``inspect`` prints; every text of the sender's is made harmless for a terminal."""
    manifest, shown = heading.manifest, escape_unprintable(str(path))
    lines = [
        f"entry    {manifest.name}, seed {manifest.seed}, level {escape_unprintable(manifest.level)}",
        f"bundle   {heading.digest}, packed with {compression.value}",
        f"signed   {escape_unprintable(signed)}",
        f"image    {manifest.image_digest}" + (", thin: some layers are left out" if manifest.thin else ""),
        *(
            f"  {format_size(one.size):>9}  {'held' if one.held else 'left out'}  {escape_unprintable(one.what)}"
            for one in manifest.layers
        ),
        f"spec     {manifest.spec_digest}",
        f"lock     {manifest.lock_digest}",
        f"source   {format_count(len(_below(manifest, PROJECT)), 'file')}",
        f"report   {format_count(len(_below(manifest, REPORT)), 'file')}",
        f"result   run {escape_unprintable(manifest.claim)}",
        *(
            f"  {format_size(one.size):>9}  {one.path.removeprefix(CLAIM_OUTPUT)}  sha256:{one.sha256[:16]}…"
            for one in _below(manifest, CLAIM_OUTPUT)
        ),
        *(f"input    {one.name}  sha256:{one.sha256}" + (", held" if one.held else "") for one in manifest.inputs),
        *(f"left out {escape_unprintable(one.path)}: {escape_unprintable(one.reason)}" for one in manifest.left_out),
        "checked  every byte" if checked else f"checked  the manifest; every byte: reprobox inspect --check {shown}",
    ]
    return "\n".join(lines)


def bundle_to_json(heading: Heading, compression: Compression, signed: str, *, checked: bool) -> JsonObject:
    """Return what ``inspect --json`` prints."""
    return {
        "digest": heading.digest,
        "compression": compression.value,
        "signer": signed,
        "checked": checked,
        "inputs_held": len(_below(heading.manifest, INPUTS)),
        "manifest": asdict(heading.manifest),
    }


def _below(manifest: Manifest, prefix: str) -> list[BundledFile]:
    return [file for file in manifest.files if file.path.startswith(prefix)]
