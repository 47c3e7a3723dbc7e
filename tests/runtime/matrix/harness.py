"""What every script of the matrix does with its backend: draw here, draw in two workers, print it all.

``draw`` takes its randomness from the run's seed; ``bare`` asks the backend without saying any seed.
"""

import json
import multiprocessing
import sys


def main(draw, bare=None):
    """Print one line of JSON; the first argument, if any, is how workers are started."""
    result = {"main": draw(), "bare": bare() if bare else None, "workers": []}
    for method in sys.argv[1:]:
        result["workers"] = [_draw_in_worker(draw, method) for _ in range(2)]
    print(json.dumps(result))


def _draw_in_worker(draw, method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    worker = context.Process(target=_work, args=(draw, queue))
    worker.start()
    numbers = queue.get(timeout=120)
    worker.join()
    return numbers


def _work(draw, queue):
    queue.put(draw())
