"""Container engines: small protocols, and the one file that talks to Docker."""
