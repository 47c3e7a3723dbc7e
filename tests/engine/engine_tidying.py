"""What a new connection removes, it removes beside what its user does."""

import threading


def wait_for_tidying():
    """Return when every connection of this process has removed what killed processes had left."""
    for thread in threading.enumerate():
        if thread.name == "tidy the engine":
            thread.join(60)
            assert not thread.is_alive()
