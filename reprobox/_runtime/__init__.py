"""What runs inside the container: the entrypoint's logic and the seeding of every Python process.

Another country: standard library only, Python 3.6 syntax, nothing imported from the host side. It is
``/opt/reprobox/reprobox_runtime`` in the image. Only built-in modules, and those that every interpreter has
loaded before ``site``, may be imported here: anything else would cost start-up time, and would hide a module of the
same name in the user's own folder.

The two functions here, which ``docs/divergence.md`` has, and the module ``contributions`` are all that a user's program
may call.
"""


def log_metric(name, value, step=None):
    """Note the value of a metric, at a step or for the run; never raises."""
    try:
        from .helper import write_metric

        write_metric(name, value, step)
    except Exception:
        pass


def mark(name, array):
    """Fingerprint an array, or any nest of them, in a traced run, so that two runs can be compared; never raises."""
    try:
        from .helper import trace_value

        trace_value(name, array)
    except Exception:
        pass
