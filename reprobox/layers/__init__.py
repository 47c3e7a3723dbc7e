"""Canonical layer tars: the same files make the same bytes, on every machine."""
