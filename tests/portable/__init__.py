"""Programs on processors that this machine has not."""
