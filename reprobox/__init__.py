"""Reproducible training images, seeded runs and the proof that they agree."""

__version__ = "0.1.0"
