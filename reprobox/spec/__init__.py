"""What a person wrote: the spec, read from YAML with the position of every value."""
