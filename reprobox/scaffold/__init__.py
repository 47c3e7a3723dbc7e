"""Propose a first spec for a project, from nothing but a look at its files."""

from reprobox.scaffold.propose import propose_spec

__all__ = ["propose_spec"]
