"""Say when certain modules have been imported, and never import one of them."""

import sys


class Finder(object):
    """A meta-path finder that lets the others find a module and learns when its code has run.

    After virtualenv's ``_virtualenv.py:_Finder``
    (https://github.com/pypa/virtualenv/blob/20.29.0/src/virtualenv/create/via_global_ref/_virtualenv.py), which patches
    the loader; here the loader is wrapped and put back, so that any kind of loader will do and none stays changed.
    """

    def __init__(self, names, on_import):
        self._names = frozenset(names)
        self._on_import = on_import

    def find_spec(self, fullname, path=None, target=None):
        """Return the spec that the next finders have for a watched module, its loader wrapped; else None."""
        if fullname not in self._names:
            return None
        spec = self._find_elsewhere(fullname, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader, fullname, self._on_import)
        return spec

    def _find_elsewhere(self, fullname, path, target):
        for finder in list(sys.meta_path):
            find_spec = None if finder is self else getattr(finder, "find_spec", None)
            spec = find_spec(fullname, path, target) if find_spec else None
            if spec is not None:
                return spec
        return None


class _Loader(object):
    """Run the real loader, give the module back to it, then report the import."""

    def __init__(self, loader, name, on_import):
        self._loader = loader
        self._name = name
        self._on_import = on_import

    def __getattr__(self, attribute):
        return getattr(self._loader, attribute)

    def create_module(self, spec):
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create else None

    def exec_module(self, module):
        # Before the module's code runs: it may look at its own loader, for resources or for its source.
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        # A package may have put another object in its place, as TensorFlow 1 does.
        self._on_import(self._name, sys.modules.get(self._name, module))
