"""What the text of a program tells about orders and seeds, without running it."""

from textwrap import dedent

import pytest

from reprobox.static_suspects import find_clock_seeds, find_hash_orders, is_order_settled, read_sources
from reprobox.static_threads import find_shared_sums

SET_LEAKS = [
    "for name in {'a', 'b'}:\n    train(name)",
    "words = set(text.split())\nindex = {word: number for number, word in enumerate(words)}",
    "labels = list(set(labels))",
    "labels = list(set(y))\nmodel.fit(labels)",
    "vocabulary = ','.join(set(words))",
    "rows = [load(name) for name in set(names) - {'x'}]",
    "first = next(iter({word.lower() for word in words}))",
    "seen = set()\nseen.add('a')\nother = set(names)\nx = [*other]",
    "names = frozenset(columns)\nfor name in names:\n    add_column(name)",
    "batch = random.sample(list(set(names)), 3)",
    "left = set(a)\nx = left.pop()",
    "bucket = hash(user) % 10",
    "best = max(set(votes), key=votes.count)",
    "words = sorted(set(text), key=len)",
    "words = sorted(set(text), key=lambda word: counts[word])",
    "def f(words):\n    for word in set(words):\n        yield word",
    "x = (name for name in {'a'} ^ other)\nuse(x)",
    "def f(a, b):\n    both = set(a) & set(b)\n    return [x for x in both]",
    "for key in set(a).union(b):\n    use(key)",
]

SET_CLEAN = [
    "for name in sorted({'a', 'b'}):\n    train(name)",
    "labels = sorted(set(labels))",
    "labels = sorted(list(set(labels)))",
    "labels = list(set(labels))\nlabels.sort()",
    "n = len(set(labels))",
    "ok = 'a' in {'a', 'b'}",
    "for n in {1, 2, 3}:\n    train(n)",
    "for n in set(range(9)):\n    train(n)",
    "numbers = list(set(int(x) for x in words))",
    "numbers = list({len(x) for x in words})",
    "s = {'a', 'b'}\nif x in s:\n    pass",
    "both = {x.lower() for x in set(words)}",
    "total = sum(len(x) for x in set(words))",
    "assert all(check(x) for x in set(words))",
    "for name in set(names):\n    assert name in known",
    "seen = set()\nseen.add(1)",
    "words = sorted(set(text), key=str.lower)",
    "pairs = sorted({(1, -2), (1 + 1, 3)})\nfor pair in {(1, -2), (2 * 3, int(x))}:\n    use(pair)",
    "for n in set(map(int, words)):\n    use(n)",
    "for n in frozenset([1, 2]):\n    use(n)",
    "class A:\n    def __hash__(self):\n        return hash(self.name)",
    "a, b = b, a",
    "left = {}\nfor x in left:\n    use(x)",
]


@pytest.mark.parametrize("code", SET_LEAKS)
def test_an_order_of_a_set_that_gets_out_is_found(code):
    assert [one.kind for one in find_hash_orders({"train.py": code})] == ["hash-order"]


@pytest.mark.parametrize("code", SET_CLEAN)
def test_a_set_whose_order_makes_no_difference_is_none(code):
    assert find_hash_orders({"train.py": code}) == ()


def test_a_set_is_found_at_its_line():
    (found,) = find_hash_orders({"a/train.py": "x = 1\n\nfor word in set(words):\n    use(word)\n"})
    assert (found.where, found.count) == ("a/train.py:3", 1)


LISTINGS = {
    "sorted(os.listdir('.'))": True,
    "os.listdir('.')": True,
    "use(os.listdir('.'))": False,
    "x = os.listdir('.')[0]": False,
    "x = len(glob.glob('*'))": True,
    "x = 'a' in os.listdir('.')": True,
    "if not os.listdir('.'):\n    pass": True,
    "x = [load(f) for f in sorted(glob.glob('*'))]": True,
    "x = [load(f) for f in glob.glob('*')]": False,
    "x = sorted(f for f in os.listdir('.') if f.endswith('.png'))": True,
    "x = os.listdir('.')\nx.sort()": True,
    "x = os.listdir('.')\nfor f in sorted(x):\n    use(f)": True,
    "x = os.listdir('.')\nfor f in x:\n    use(f)": False,
    "x = list(Path('.').iterdir())\nprint(len(x))": True,
    "x = {f: 1 for f in os.listdir('.')}": False,
    "x = {f for f in os.listdir('.')}": True,
    "x = next(os.walk('.'))[1]": False,
    "x = sorted(next(os.walk('.'))[1])": True,
    "for f in Path('.').glob('*.tmp'):\n    f.unlink()": True,
    "for f in os.listdir('.'):\n    os.remove(f)": True,
    "for f in os.listdir('.'):\n    train(f)": False,
    "for f in os.listdir('.'):\n    x.append(f)\nx.sort()": True,
    "for f in os.listdir('.'):\n    x.append(f)\nuse(x)": False,
    "for r, d, f in os.walk('.'):\n    d.sort()\n    for n in sorted(f):\n        use(n)": True,
    "for r, d, f in os.walk('.'):\n    d[:] = sorted(d)\n    for n in sorted(f):\n        use(n)": True,
    "for r, d, f in os.walk('.'):\n    for n in sorted(f):\n        use(n)": False,
    "with os.scandir('.') as it:\n    x = sorted(e.name for e in it)": True,
    "with os.scandir('.') as it:\n    x = [e.name for e in it]": False,
    "if names := os.listdir('.'):\n    use(names)": False,
    "if names := os.listdir('.'):\n    print(len(names))": True,
    "x = 1 if os.listdir('.') else 2": True,
    "x = os.listdir('.') if folder else []\nuse(x)": False,
    "x = os.listdir('.').copy()": False,
    "x = os.listdir('.') + other\nx.sort()": True,
    "for i, f in enumerate(os.listdir('.')):\n    shutil.copy(f, str(i))": False,
    "for f in os.listdir('.'):\n    if check(f):\n        os.remove(f)\n    else:\n        n += 1": True,
    "for f in os.listdir('.'):\n    x += [f]\nx = sorted(x)": True,
    "for f in os.listdir('.'):\n    if f == 'x':\n        break": False,
    "x = sorted(glob.glob('*'), key=lambda path: int(path.stem))": True,
    "x = sorted(glob.glob('*'), key=len)": False,
    "x: list[str] = os.listdir('.')\nx[:] = sorted(x)": True,
    "x = lambda: os.listdir('.')": False,
    "for f in natsorted(files):\n    use(f)": True,
    "for f in files:\n    use(f)": False,
}


@pytest.mark.parametrize(("code", "settled"), LISTINGS.items())
def test_a_listing_is_settled_where_its_order_makes_no_difference(code, settled):
    assert is_order_settled(code, 1) is settled


def test_a_listing_in_a_function_that_returns_it_is_not_settled():
    code = """\
        def list_images(folder):
            return os.listdir(folder)

        def list_sorted(folder):
            names = os.listdir(folder)
            return sorted(names)
    """
    assert [is_order_settled(dedent(code), line) for line in (2, 5)] == [False, True]


@pytest.mark.parametrize(
    "code",
    [
        "random.seed(time.time())",
        "np.random.default_rng(int(time.time() * 1000) % 2**32)",
        "rng = random.Random(os.getpid())",
        "seed = int(datetime.now().timestamp())\ntorch.manual_seed(seed)",
        "model = Forest(random_state=time.time_ns() % 1000)",
    ],
)
def test_a_seed_made_of_the_time_is_found(code):
    assert [one.kind for one in find_clock_seeds({"train.py": code})] == ["clock-seed"]


@pytest.mark.parametrize(
    "code", ["random.seed(1)", "started = time.time()", "seed = 3\ntorch.manual_seed(seed)", "print(time.time(), 1)"]
)
def test_a_time_that_seeds_nothing_is_none(code):
    assert find_clock_seeds({"train.py": code}) == ()


ADD = "total = 0.0\ndef work(x):\n    global total\n    total += x * 0.1\n"
SHARED_SUMS = {
    "with ThreadPoolExecutor(4) as pool:\n    list(pool.map(work, rows))": [4],
    "pool = concurrent.futures.ThreadPoolExecutor()\nfor x in rows:\n    pool.submit(work, x)": [4],
    "with ThreadPool(2) as pool:\n    pool.imap_unordered(work, rows)": [4],
    "threads = [threading.Thread(target=work, args=(x,)) for x in rows]": [4],
    "for x in rows:\n    Thread(target=work, args=(x,)).start()": [4],
    # Each is waited for, there is but one, or there are no threads.
    "for x in rows:\n    t = Thread(target=work, args=(x,))\n    t.start()\n    t.join()": [],
    "Thread(target=work, args=(1,)).start()": [],
    "series.map(work)\nlist(map(work, rows))": [],
    "with Pool(4) as pool:\n    pool.map(work, rows)": [],
    "with ThreadPoolExecutor(4) as pool:\n    total = sum(pool.map(other, rows))": [],
}


@pytest.mark.parametrize(("code", "lines"), SHARED_SUMS.items())
def test_threads_that_add_to_one_value_are_found_where_they_do(code, lines):
    found = find_shared_sums({"train.py": f"{ADD}{code}\n"})
    assert [(one.kind, one.where) for one in found] == [("completion-order", f"train.py:{line}") for line in lines]


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("self.loss += step(x)", 1),
        ("self.loss -= step(x)", 1),
        ("self.done += 1", 0),
        ("self.done += len(x)", 0),
        ("loss = 0.0; loss += step(x)", 0),
        ("self.parts[x] += step(x)", 0),
    ],
)
def test_what_a_method_adds_up_for_all_threads_is_found_and_a_count_is_none(statement, count):
    code = f"""\
        class Trainer:
            def work(self, x):
                {statement}
            def run(self, rows):
                with ThreadPoolExecutor(2) as pool:
                    list(pool.map(self.work, rows))
    """
    assert len(find_shared_sums({"train.py": dedent(code)})) == count


@pytest.mark.parametrize("code", ["print 'Python 2'", "(" * 5000, "\0", "x = '\\d'"])
def test_text_that_is_no_python_of_today_says_nothing(code):
    assert find_hash_orders({"train.py": code}) == ()
    assert is_order_settled(code, 1) is False


def test_only_python_that_can_be_read_is(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_bytes(b"\xff\xfe")
    (tmp_path / "c.txt").write_text("text")
    assert read_sources(tmp_path, ["a.py", "b.py", "c.txt", "gone.py"]) == {"a.py": "x = 1\n"}
