"""How numbers of bytes are said."""


def format_size(count: float) -> str:
    """Return bytes for people: 12.3 MB, powers of ten as disks and downloads are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
