"""The report that a contest asks for: what was measured, what was declared, and which of the two."""
