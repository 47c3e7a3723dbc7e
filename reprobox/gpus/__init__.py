"""NVIDIA's GPUs: which a run gets, and whether this machine, its driver and its engine can give them."""
