"""The one file that is handed over: an image archive that any engine loads, with all that proves and explains it."""
