"""Programs that leak, each in one way, with the kind of suspect that each must be called; and one with all of them."""

import textwrap

_LEAKS = {
    "os.urandom": ("os-entropy", "import os\nx = os.urandom(4)"),
    "secrets": ("os-entropy", "import secrets\nx = secrets.token_hex(4)"),
    "SystemRandom": ("os-entropy", "import random\nx = random.SystemRandom().random()"),
    "SystemRandom.shuffle": ("os-entropy", "import random\nrandom.SystemRandom().shuffle([1, 2, 3])"),
    "uuid4": ("os-entropy", "import uuid\nx = uuid.uuid4()"),
    "time": ("clock-seed", "import random, time\nrandom.seed(int(time.time()))"),
    "time in nanoseconds": ("clock-seed", "import random, time\nrandom.seed(int(time.time() * 1e9))"),
    "listdir": ("listing-order", "import os\nx = os.listdir('.')"),
    "scandir": ("listing-order", "import os\nx = [entry.name for entry in os.scandir('.')]"),
    "walk": ("listing-order", "import os\nx = [names for _, _, names in os.walk('.')]"),
    "glob": ("listing-order", "import glob\nx = glob.glob('*.py')"),
    "recursive glob": ("listing-order", "import glob\nx = glob.glob('**/*.py', recursive=True)"),
    "iterdir": ("listing-order", "import pathlib\nx = list(pathlib.Path('.').iterdir())"),
    "Path.glob": ("listing-order", "import pathlib\nx = list(pathlib.Path('.').glob('*'))"),
    "Path.rglob": ("listing-order", "import pathlib\nx = list(pathlib.Path('.').rglob('*'))"),
    "unseeded Random": ("unseeded-generator", "import random\nx = random.Random()"),
    "another seed": ("reseeded", "import random\nrandom.seed(123)"),
    "connection": ("network", "import socket\nsocket.socket().connect_ex(('192.0.2.1', 9))"),
    "host's name": ("network", "import socket\ntry: socket.getaddrinfo('example.invalid', 80)\nexcept OSError: pass"),
    "host's name by keyword": (
        "network",
        "import socket\ntry: socket.getaddrinfo(host='example.invalid', port=80)\nexcept OSError: pass",
    ),
    "threads of BLAS": ("thread-count", "import os\nos.environ['OMP_NUM_THREADS'] = '4'"),
    "deleted variable": ("switch-flipped", "import os\ndel os.environ['TF_DETERMINISTIC_OPS']"),
    "warning": (
        "nondeterministic-kernel",
        "import warnings\nwarnings.warn('put_ does not have a deterministic implementation, but you set')",
    ),
    "recorded warning": (
        "nondeterministic-kernel",
        """\
        import warnings
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            warnings.warn("Deterministic behavior was enabled, but this operation is not deterministic")
        """,
    ),
    "as_completed": (
        "completion-order",
        """\
        import concurrent.futures
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            tasks = [pool.submit(int) for _ in range(4)]
            x = [task.result() for task in concurrent.futures.as_completed(tasks)]
        """,
    ),
    "wait": (
        "completion-order",
        """\
        import concurrent.futures as futures
        with futures.ThreadPoolExecutor(2) as pool:
            tasks = [pool.submit(int)]
            futures.wait(tasks, return_when=futures.FIRST_COMPLETED)
        """,
    ),
    "imap_unordered": (
        "completion-order",
        """\
        from multiprocessing.pool import ThreadPool
        with ThreadPool(2) as pool:
            tasks = [1, 2]
            x = list(pool.imap_unordered(abs, tasks))
        """,
    ),
    "asyncio.as_completed": (
        "completion-order",
        """\
        import asyncio
        async def main():
            tasks = [asyncio.ensure_future(asyncio.sleep(0)) for _ in range(2)]
            for task in asyncio.as_completed(tasks):
                await task
        asyncio.new_event_loop().run_until_complete(main())
        """,
    ),
    "threads": (
        "completion-order",
        """\
        import threading, time
        threads = [threading.Thread(target=int) for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        """,
    ),
}
"""What leaks -> the kind of suspect, and a program that does it; its line is the second one."""
_LINES = {
    "recorded warning": 4,
    "as_completed": 4,
    "wait": 4,
    "imap_unordered": 4,
    "asyncio.as_completed": 4,
    "threads": 4,
}
"""What leaks -> its line, where it is another one."""


def plant_leaks(name: str) -> tuple[str, list[tuple[str, str]]]:
    """Return one program that leaks in every way, and (kind, place) of each; ``name`` is what the program is called."""
    expected = []
    code = ""
    for leak, (kind, text) in _LEAKS.items():
        start = code.count("\n")
        code += textwrap.dedent(text).rstrip() + "\n"
        expected.append((kind, f"{name}:{start + _LINES.get(leak, 2)}"))
    return code, sorted(expected)
