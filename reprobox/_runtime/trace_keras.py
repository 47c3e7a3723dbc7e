"""Keras without a change to the user's program: the weights and the loss after every batch of ``fit``."""

import sys

from .trace_values import hash_bytes

KERAS_MODULES = {
    "keras.src.models.model": "keras.src.callbacks.callback",
    "keras.src.engine.training": "keras.src.callbacks",
    "keras.engine.training": "keras.callbacks",
    "tensorflow.python.keras.engine.training": "tensorflow.python.keras.callbacks",
}
"""The module that defines ``Model`` -> the one that defines ``Callback``: Keras 3; 2.13 to 2.15; 2.0 to 2.12;
TensorFlow's own, 1.15 to 2.5."""
_CALLBACKS_POSITION = 5
"""Of ``callbacks`` among the arguments of ``fit``, in every version: x, y, batch_size, epochs, verbose come before."""


def watch_keras(tracer, name, module):
    """Note every training batch of every model from now on."""
    _expect_complaints()
    model_type = module.Model
    if not hasattr(model_type.fit, "reprobox_original"):
        model_type.fit = _wrap_fit(tracer, KERAS_MODULES[name], model_type.fit)
    if not hasattr(model_type.train_on_batch, "reprobox_original"):
        model_type.train_on_batch = _wrap_train_on_batch(tracer, model_type.train_on_batch)


def _expect_complaints():
    """Keras 2.0 to 2.3 warn of a callback that takes longer than a small model's batch, and warnings may be errors."""
    warnings = sys.modules.get("warnings")
    if warnings is not None:
        warnings.filterwarnings("ignore", message=r"Method \(?on_\w+\)? ?.*is slow compared")


def _wrap_fit(tracer, callbacks_module, original):
    def fit(self, *args, **kwargs):
        try:
            args, kwargs = _add_callback(_make_callback(tracer, callbacks_module), args, kwargs)
        except Exception as error:
            tracer.warn("Model.fit", error)
        return original(self, *args, **kwargs)

    fit.__doc__ = original.__doc__
    fit.__wrapped__ = fit.reprobox_original = original
    return fit


def _wrap_train_on_batch(tracer, original):
    def train_on_batch(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        _note_model(tracer, "step", "train_on_batch", self, _name_results(result))
        return result

    train_on_batch.__doc__ = original.__doc__
    train_on_batch.__wrapped__ = train_on_batch.reprobox_original = original
    return train_on_batch


def _name_results(result):
    """Return what ``train_on_batch`` gave by name: the loss, or a list or dict of it and the metrics."""
    if isinstance(result, dict):
        return result
    if isinstance(result, (list, tuple)):
        return {"loss" if index == 0 else "metric[%d]" % index: value for index, value in enumerate(result)}
    return {"loss": result}


def _add_callback(callback, args, kwargs):
    """Return the arguments of ``fit`` with one more callback at the end; the user's own list stays as it is."""
    if len(args) > _CALLBACKS_POSITION:
        given = args[_CALLBACKS_POSITION]
        joined = _join(given, callback)
        return args[:_CALLBACKS_POSITION] + (joined,) + args[_CALLBACKS_POSITION + 1 :], kwargs
    return args, dict(kwargs, callbacks=_join(kwargs.get("callbacks"), callback))


def _join(given, callback):
    if given is None:
        return [callback]
    if isinstance(given, (list, tuple)):
        return list(given) + [callback]
    if hasattr(given, "append") and hasattr(given, "callbacks"):
        given.append(callback)
        return given
    return [given, callback]


def _make_callback(tracer, callbacks_module):
    __import__(callbacks_module)

    # Of this name tf.keras thinks that it is one of its own, and does not complain of the time it takes.
    class Callback(sys.modules[callbacks_module].Callback):
        """``on_train_batch_end``, where there is one, calls ``on_batch_end``."""

        def on_train_begin(self, logs=None):
            _note_model(tracer, "init", "fit", self.model, {})

        def on_batch_end(self, batch, logs=None):
            _note_model(tracer, "step", "fit", self.model, logs or {})

    return Callback()


def _note_model(tracer, kind, source, model, logs):
    try:
        step = tracer.count(kind, source)
        if not step:
            return
        if kind == "step" and hasattr(model, "jax_state_sync"):
            # On JAX the weights are elsewhere while fit is under way.
            model.jax_state_sync()
        values = [(key, float(logs[key])) for key in logs if key not in ("batch", "size")]
        values += [("param:" + name, value) for name, value in _list_weights(model)]
        tracer.note(kind, source, step, values, _read_generators(model))
    except Exception as error:
        tracer.warn("Keras's training step", error)


def _list_weights(model):
    weights = model.weights
    paths = [getattr(one, "path", None) or getattr(one, "name", "") for one in weights]
    # Names repeat, in Keras 2 above all.
    for index, (path, value) in enumerate(zip(paths, model.get_weights())):
        yield ("%d %s" % (index, path) if paths.count(path) > 1 else str(path)), value


def _read_generators(model):
    """Return the state of Keras 3's own generators in the model: dropout layers and the like have one each."""
    variables = getattr(model, "non_trainable_variables", None)
    states = [one for one in variables or () if "seed_generator" in str(getattr(one, "path", ""))]
    if not states:
        return {}
    return {"keras": hash_bytes(*[one.numpy().tobytes() for one in states])}
