"""The image itself: config, manifest, archive, and loading it into an engine."""

from reprobox.image.archive import archive_chunks, archive_size, closing_members, write_member
from reprobox.image.assemble import Image, assemble_image
from reprobox.image.load import LayerReader, OnProgress, load_image

__all__ = [
    "Image",
    "LayerReader",
    "OnProgress",
    "archive_chunks",
    "archive_size",
    "assemble_image",
    "closing_members",
    "load_image",
    "write_member",
]
