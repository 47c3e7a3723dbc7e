"""Reproducible training images and seeded runs."""

__version__ = "0.1.0"
