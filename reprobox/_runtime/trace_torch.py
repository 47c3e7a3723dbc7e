"""PyTorch without a change to the program: batches, losses, gradients and parameters, at every optimizer step."""

import sys
from _weakref import ref

_MOST_LOSSES = 16
_MOST_PLACES = 200000
"""Parameters and modules whose names are remembered; what comes later goes by numbers."""


def watch_torch(tracer, torch):
    """Note every optimizer step from now on, and what the program calls ``backward`` on before it."""
    watch = _Steps(tracer)
    module = sys.modules["torch.optim.optimizer"]
    if hasattr(module, "register_optimizer_step_post_hook"):
        module.register_optimizer_step_pre_hook(watch.before_step)
        module.register_optimizer_step_post_hook(watch.after_step)
    else:
        _wrap_optimizers(module.Optimizer, watch)
    _wrap_backward(torch.Tensor, watch)
    _watch_names(watch)
    if "torch.utils.data.dataloader" in sys.modules:
        watch_loaders(tracer, sys.modules["torch.utils.data.dataloader"])


def watch_loaders(tracer, module):
    """Note every batch that a ``DataLoader`` hands out."""
    # The names before 1.2 and after.
    for name in ("_DataLoaderIter", "_BaseDataLoaderIter"):
        owner = getattr(module, name, None)
        if owner is not None and not hasattr(owner.__next__, "reprobox_original"):
            owner.__next__ = _wrap_next(tracer, owner.__next__)


def _wrap_next(tracer, original):
    def next_batch(self):
        batch = original(self)
        tracer.note_value("batch", "DataLoader", batch)
        return batch

    next_batch.reprobox_original = original
    return next_batch


class _Steps(object):
    """What belongs to the next optimizer step, and the names of parameters."""

    def __init__(self, tracer):
        self._tracer = tracer
        self._losses = []
        self._places = {}
        self._names = {}
        self._sources = {}
        self._used = {}

    def add_loss(self, tensor):
        """Keep a loss until the step that follows from it."""
        try:
            if len(self._losses) < _MOST_LOSSES and tensor.numel() == 1:
                # A copy: what was computed from may be overwritten until then.
                self._losses.append(tensor.detach().clone())
        except Exception as error:
            self._tracer.warn("loss", error)

    def before_step(self, optimizer, args=(), kwargs=None):
        """Note what the parameters are at first."""
        try:
            known = self._sources.get(id(optimizer))
            if known is None or known[0]() is not optimizer:
                source = self._name_source(optimizer)
                step = self._tracer.count("init", source)
                values = [("param:" + name, one) for name, one in self._list_parameters(optimizer)]
                self._tracer.note("init", source, step, values)
        except Exception as error:
            self._tracer.warn("optimizer", error)

    def after_step(self, optimizer, args=(), kwargs=None):
        """Note losses, gradients and parameters, in the order in which they come about."""
        try:
            losses, self._losses = self._losses, []
            source = self._name_source(optimizer)
            step = self._tracer.count("step", source)
            if step:
                named = list(self._list_parameters(optimizer))
                values = [("loss" if index == 0 else "loss[%d]" % index, one) for index, one in enumerate(losses)]
                values += [("grad:" + name, one.grad) for name, one in named if one.grad is not None]
                values += [("param:" + name, one) for name, one in named]
                self._tracer.note("step", source, step, values)
        except Exception as error:
            self._tracer.warn("optimizer step", error)

    def place(self, module, name, inner):
        """Remember which module holds a parameter or another module, under which name."""
        try:
            if inner is not None and len(self._places) < _MOST_PLACES:
                self._places[id(inner)] = (ref(module), name)
        except Exception as error:
            self._tracer.warn("module", error)

    def _name_source(self, optimizer):
        """Return the optimizer's class and, from its second instance on, a number: the same in every run."""
        known = self._sources.get(id(optimizer))
        if known is not None and known[0]() is optimizer:
            return known[1]
        name = type(optimizer).__name__
        self._used[name] = self._used.get(name, 0) + 1
        source = name if self._used[name] == 1 else "%s#%d" % (name, self._used[name])
        self._sources[id(optimizer)] = (ref(optimizer), source)
        return source

    def _list_parameters(self, optimizer):
        for group_number, group in enumerate(optimizer.param_groups):
            for number, parameter in enumerate(group["params"]):
                known = self._names.get(id(parameter))
                if known is None or known[0]() is not parameter:
                    name = self._find_name(parameter) or "%d.%d" % (group_number, number)
                    known = self._names[id(parameter)] = (ref(parameter), name)
                yield known[1], parameter

    def _find_name(self, parameter):
        """Return the dotted name from the outermost module down, as ``named_parameters`` has it; "" where unknown."""
        parts, item, attribute = [], parameter, "_parameters"
        while id(item) in self._places and len(parts) < 100:
            weak, name = self._places[id(item)]
            owner = weak()
            # The number may have been another object's before.
            if owner is None or getattr(owner, attribute).get(name) is not item:
                break
            parts.insert(0, name)
            item, attribute = owner, "_modules"
        return ".".join(parts)


def _watch_names(watch):
    # Since 2.0; before, parameters go by their number.
    module = sys.modules["torch.nn.modules.module"]
    if hasattr(module, "register_module_parameter_registration_hook"):
        module.register_module_parameter_registration_hook(watch.place)
        module.register_module_module_registration_hook(watch.place)


def _wrap_backward(tensor_type, watch):
    original = tensor_type.backward

    def backward(self, *args, **kwargs):
        watch.add_loss(self)
        return original(self, *args, **kwargs)

    backward.__doc__ = original.__doc__
    backward.__wrapped__ = original
    tensor_type.backward = backward


def _wrap_optimizers(optimizer_type, watch):
    """Before 2.0 there is no hook: wrap the ``step`` of each class of which an optimizer is made."""
    original = optimizer_type.__init__

    def initialise(self, *args, **kwargs):
        original(self, *args, **kwargs)
        for owner in type(self).__mro__:
            if "step" in vars(owner):
                _wrap_step(owner, watch)
                break

    initialise.__wrapped__ = original
    optimizer_type.__init__ = initialise


def _wrap_step(owner, watch):
    original = owner.step
    if hasattr(original, "reprobox_original"):
        return

    def step(self, *args, **kwargs):
        watch.before_step(self)
        result = original(self, *args, **kwargs)
        watch.after_step(self)
        return result

    step.__doc__ = original.__doc__
    step.__wrapped__ = step.reprobox_original = original
    owner.step = step
