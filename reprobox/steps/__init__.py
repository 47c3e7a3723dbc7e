"""Layers that a container has to make: Debian packages with their scripts, and the spec's own build steps."""
