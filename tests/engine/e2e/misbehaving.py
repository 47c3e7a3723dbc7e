"""Programs that go wrong, each in a way of its own."""

SCRIPTS = {
    "steady.py": "import time\nprint('up', flush=True)\ntime.sleep(120)\n",
    "careful.py": """
        import time
        try:
            print('up', flush=True)
            time.sleep(120)
        except KeyboardInterrupt:
            open('/output/checkpoint', 'w').write('saved')
            print('saved', flush=True)
    """,
    "stubborn.py": """
        import signal, time
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        print('up', flush=True)
        time.sleep(120)
    """,
    "flood.py": """
        import sys
        line = b'x' * 99 + b'\\n'
        for _ in range(int(sys.argv[1]) if sys.argv[1:] else 2000):
            sys.stdout.buffer.write(line * 1000)
        print('the end')
    """,
    "litter.py": """
        import os
        os.chdir('/output')
        for number in range(10_000):
            with open(f'{number:05}', 'w') as stream:
                stream.write(str(number))
        os.symlink('/etc', 'etc')
        os.symlink('/etc/passwd', 'passwd')
        os.symlink('/output', 'loop')
        os.mkfifo('pipe')
        os.mkdir('closed', 0)
        for depth in range(1501):
            os.mkdir('deep/' + 'd/' * depth)
        open('deep/' + 'd/' * 1500 + 'bottom', 'w').close()
        os.open(b'not-\\xff-utf8', os.O_CREAT | os.O_WRONLY)
        open('two\\nlines \\x1b[31mred', 'w').close()
    """,
    "vandal.py": r"""
        import glob, json, os
        folder = os.environ['REPROBOX_RECORD_DIR']
        for path in glob.glob(folder + '/*'):
            os.unlink(path)
        try:
            os.rmdir(folder)
        except OSError as error:
            print('kept:', error.strerror)
        def leave(name, text):
            with open(os.path.join(folder, name), 'w') as stream:
                stream.write(text)
        leave('a.json', 'garbage')
        leave('b.json', '{"x": "' + 'y' * 50_000_000 + '"}')
        leave('c.json', '{"warnings": ["\\ud800 \\u001b[31mred\\u0007"], "\\udfff": 1}')
        leave('d.json', '{"x": ' + '[' * 800 + ']' * 800 + '}')
        leave('e.json', '{"x": ' + '[' * 100_000 + ']' * 100_000 + '}')
        leave('f.json', '{"max_rss": 1' + '0' * 4000 + '}')
        leave('g.json', '{"max_rss": NaN, "x": Infinity}')
        leave('h.json', '{"max_rss": -5, "warnings": {"a": [1]}}')
        os.mkfifo(folder + '/i.json')
        os.symlink('/etc/passwd', folder + '/j.json')
        os.mkdir(folder + '/k.json')
        for number in range(3000):
            leave(f'many-{number}.json', '{"x": "' + 'z' * 200_000 + '"}' if number % 10 == 0 else '{}')
    """,
    "greedy.py": "data = []\nwhile True:\n    data.append(bytearray(b'x' * 10_000_000))\n",
    "curious.py": """
        import os, socket
        status = dict(line.split(':', 1) for line in open('/proc/self/status'))
        print('uid', os.getuid(), 'gid', os.getgid(), 'groups', os.getgroups())
        print('caps', *(status[name].strip() for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')))
        print('links', sorted(os.listdir('/sys/class/net')))
        for name in ('/input/data', '/input/table.csv', '/work/script.py', '/opt/venv/new', '/etc/passwd'):
            try:
                open(name + '/new' if os.path.isdir(name) else name, 'a').close()
                print('wrote', name)
            except OSError as error:
                print('refused', name, error.strerror)
        try:
            socket.create_connection(('192.0.2.1', 80), timeout=5)
        except OSError as error:
            print('network', error.strerror)
    """,
}


def write_files(folder, files):
    for name, text in files.items():
        lines = text.split("\n")
        cut = len(lines[1]) - len(lines[1].lstrip()) if text.startswith("\n") else 0
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line[cut:] for line in lines))
