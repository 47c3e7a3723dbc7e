"""Put a function of ours in front of a function of somebody else's, once, and so that nobody minds."""

_NAMES = ("__module__", "__name__", "__qualname__", "__doc__", "__text_signature__")


def wrap(owner, name, make):
    """Replace ``owner.name`` by ``make(original)``; do nothing where there is none, or where it has been done.

    The replacement has the original's name, so that it pickles by reference as the original did.
    """
    original = getattr(owner, name, None)
    if original is None or is_wrapped(original):
        return
    wrapper = make(original)
    for attribute in _NAMES:
        value = getattr(original, attribute, None)
        if isinstance(value, str):
            try:
                setattr(wrapper, attribute, value)
            except (AttributeError, TypeError):
                pass
    wrapper.__wrapped__ = original
    wrapper.reprobox_original = original
    setattr(owner, name, wrapper)


def wrap_everywhere(owners, name, make):
    """Do the same for a function that several modules hold: one replacement for all of them."""
    first = owners[0]
    wrap(first, name, make)
    wrapper = getattr(first, name, None)
    for owner in owners[1:]:
        if is_wrapped(wrapper) and getattr(owner, name, None) == wrapper.reprobox_original:
            setattr(owner, name, wrapper)


def is_wrapped(function):
    """Whether this is a replacement already."""
    return getattr(function, "reprobox_original", None) is not None
