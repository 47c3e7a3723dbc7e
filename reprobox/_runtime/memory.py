"""How much memory a process and its children held at most."""

import os
import sys


def read_peak_memory():
    """Return {"max_rss": bytes, "max_rss_children": bytes}, or {} where the system does not say."""
    try:
        resource = _load_resource()
        return {
            "max_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "max_rss_children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        }
    except Exception:
        return {}


def _load_resource():
    """Return the standard ``resource`` module, even where the user's folder has a ``resource.py``."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    if "resource" in sys.builtin_module_names:
        import resource

        return resource
    folder = os.path.dirname(os.__file__)
    spec = PathFinder.find_spec("resource", [os.path.join(folder, "lib-dynload"), folder])
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
