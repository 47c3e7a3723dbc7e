"""What stands for an engine where a step is to run on this machine."""

import os
import subprocess
import threading


class ProcessRunner:
    """Runs a step as a process of this machine: the second implementation of the contract that containers keep."""

    def __init__(self, **env):
        self.env = env
        self.pid = None
        """The process of the step that runs, or ran last."""

    def run_step(self, image, argv, *, stdin, on_output, stdout, env, timeout):
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **env, **self.env},
        ) as process:
            self.pid = process.pid
            feeder = threading.Thread(target=self._feed, args=(stdin, process.stdin), daemon=True)
            listener = threading.Thread(target=lambda: on_output(process.stderr.read()))
            feeder.start()
            listener.start()
            while data := process.stdout.read1(70_001):
                stdout.write(data)
            feeder.join(timeout=1)  # it may wait for more, which nobody wants any longer
            listener.join()
            return process.wait(timeout)

    def _feed(self, source, target):
        try:
            with target:
                while data := source.read(70_001):
                    target.write(data)
                    target.flush()
        except (BrokenPipeError, ValueError):
            pass
