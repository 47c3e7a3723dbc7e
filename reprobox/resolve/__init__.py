"""Spec to lock: what a spec asks for, found and pinned."""
