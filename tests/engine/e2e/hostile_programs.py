"""Programs that strangers may hand over: what each does to the judge who runs it."""

import textwrap

HONEST = """
    open('/output/metrics.json', 'w').write('{"accuracy": 0.5}')
"""

PROGRAMS = {
    "honest": HONEST,
    "fork-bomb": """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
    """,
    "memory-bomb": "data = []\nwhile True:\n    data.append(bytearray(b'x' * 10_000_000))\n",
    "shared-memory-bomb": """
        data = b'x' * 1_000_000
        for folder in ('/dev/shm', '/tmp', '/var/tmp', '/home/reprobox'):
            try:
                with open(folder + '/fill', 'wb') as stream:
                    while True:
                        stream.write(data)
            except OSError as error:
                print(folder, error.strerror)
    """,
    "one-large-file": """
        with open('/output/large', 'wb') as stream:
            while True:
                stream.write(b'x' * 1_000_000)
    """,
    "many-large-files": """
        for number in range(10_000):
            with open(f'/output/{number}', 'wb') as stream:
                stream.write(b'x' * 10_000_000)
    """,
    "sparse-files": """
        import time
        for number in range(300):
            with open(f'/output/{number}', 'wb') as stream:
                stream.truncate(20_000_000)
        time.sleep(60)
    """,
    "a-million-files": """
        for number in range(1_000_000):
            open(f'/output/{number}', 'w').close()
    """,
    "a-million-folders-in-one-another": """
        import os
        os.chdir('/output')
        for number in range(1_000_000):
            os.mkdir('d' * 100)
            os.chdir('d' * 100)
            with open('x', 'wb') as stream:
                stream.write(b'x' * 1_000_000)
    """,
    "closed-folders": """
        import os, time
        os.chdir('/output')
        os.mkdir('closed')
        os.chmod('closed', 0o300)
        for number in range(10):
            with open(f'closed/{number}', 'wb') as stream:
                stream.write(b'x' * 20_000_000)
        os.chmod('.', 0)
        time.sleep(60)
    """,
    "files-without-a-name": """
        import os, time
        kept = []
        for number in range(200):
            stream = open('/output/x', 'wb')
            kept.append(stream)
            stream.write(b'x' * 20_000_000)
            stream.flush()
            os.unlink('/output/x')
        time.sleep(60)
    """,
    "its-record": """
        import os
        for number in range(100):
            with open(os.environ['REPROBOX_RECORD_DIR'] + f'/{number}', 'wb') as stream:
                stream.write(b'x' * 20_000_000)
    """,
    "stubborn": """
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1)
    """,
    "log-flood": """
        import sys
        line = b'x' * 99 + b'\\n'
        while True:
            sys.stdout.buffer.write(line * 10_000)
    """,
    "intruder": """
        import ctypes, os, signal, socket
        status = dict(line.split(':', 1) for line in open('/proc/self/status'))
        def attempt(what, call):
            try:
                call()
                print('DONE', what)
            except OSError as error:
                print('refused', what, error.strerror)
        def connect(family, address):
            with socket.socket(family) as one:
                one.settimeout(2)
                one.connect(address)
        attempt('network', lambda: connect(socket.AF_INET, ('192.0.2.1', 80)))
        attempt('metadata', lambda: connect(socket.AF_INET, ('169.254.169.254', 80)))
        attempt('gateway', lambda: connect(socket.AF_INET, ('172.17.0.1', 2375)))
        attempt('neighbour', lambda: connect(socket.AF_INET, ('NEIGHBOUR', 8765)))
        attempt('network 6', lambda: connect(socket.AF_INET6, ('2001:db8::1', 80)))
        attempt('names', lambda: socket.getaddrinfo('example.com', 80))
        for path in ('docker.sock', 'containerd/containerd.sock', 'podman/podman.sock'):
            for folder in ('/run/', '/var/run/'):
                attempt(folder + path, lambda: connect(socket.AF_UNIX, folder + path))
        attempt('abstract containerd', lambda: connect(socket.AF_UNIX, '\\0/containerd-shim/x.sock'))
        attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close())
        attempt('packets', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close())
        for path in (
            '/', '/work', '/work/train.py', '/etc/passwd', '/opt/reprobox/contract.json', '/opt/venv',
            '/input/table.csv', '/input/folder', '/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger',
            '/sys/fs/cgroup', '/dev/kmsg', '/run', '/sys/kernel/uevent_helper',
        ):
            attempt(path, lambda: open(path + '/new' if os.path.isdir(path) else path, 'r+').close())
        attempt('unlink input', lambda: os.unlink('/input/folder/one'))
        attempt('chmod input', lambda: os.chmod('/input/table.csv', 0o777))
        attempt('replace output', lambda: os.rename('/output', '/outpud'))
        attempt('device', lambda: os.mknod('/output/disk', 0o60600, os.makedev(8, 0)))
        attempt('root', lambda: os.setuid(0))
        libc = ctypes.CDLL(None, use_errno=True)
        def call(*arguments):
            if libc.syscall(*arguments) < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        attempt('mount', lambda: call(165, b'none', b'/tmp', b'tmpfs', 0, None))
        attempt('user namespace', lambda: call(272, 0x10000000))
        attempt('keyring', lambda: call(250, 0, -4, 1))
        attempt('reboot', lambda: call(169, 0xfee1dead, 672274793, 0x1234567, 0))
        attempt('bpf', lambda: call(321, 0, 0, 0))
        others = [pid for pid in os.listdir('/proc') if pid.isdigit()]
        print('processes', len(others))
        # Not every kernel says all of it.
        print('state', *(status.get(name, '-').strip() for name in ('CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp')))
    """,
    "spy": """
        import os
        found = []
        for root in ('/', os.environ['REPROBOX_RECORD_DIR'], '/output', '/proc/1/root'):
            for folder, folders, names in os.walk(root):
                folders[:] = [one for one in folders if os.path.join(folder, one) not in ('/proc', '/sys')]
                for name in names:
                    path = os.path.join(folder, name)
                    if path.startswith(('/proc/1/root/proc', '/proc/1/root/sys')):
                        continue
                    try:
                        if os.path.isfile(path) and b'EXPECTED' + b'-CONTENT' in open(path, 'rb').read():
                            found.append(path)
                    except OSError:
                        pass
        print('found', found)
        print('env', [one for one in os.environ.items() if 'EXPECTED' + '-CONTENT' in one[1]])
        open('/output/metrics.json', 'w').write('{"accuracy": 0.1}')
    """,
    "liar": """
        print('accuracy=0.999')
        print('accuracy: 0.999')
        open('/output/metrics.json', 'w').write('{"accuracy": 0.1}')
    """,
    "late": """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(3)
                open('/output/late', 'w').write('late')
                open('/output/metrics.json', 'w').write('{"accuracy": 0.9}')
            os._exit(0)
    """,
    "odd-outputs": """
        import os, socket
        os.chdir('/output')
        os.symlink('/etc/passwd', 'passwd')
        os.symlink('/', 'everything')
        os.symlink('../../../../../../../../etc/passwd', 'up')
        os.mkfifo('pipe')
        socket.socket(socket.AF_UNIX).bind('socket')
        os.mkdir('closed', 0)
        os.mkdir('folder.json')
        open('two\\nlines \\x1b[31mred', 'w').close()
        os.open(b'not-\\xff-utf8', os.O_CREAT | os.O_WRONLY)
        open('a' * 255, 'w').close()
        with open('root', 'w') as stream:
            stream.write('#!/bin/sh\\nid\\n')
        os.chmod('root', 0o6755)
        os.chmod('.', 0o2777)
        with open('secret', 'w') as stream:
            stream.write('x')
        os.chmod('secret', 0)
    """,
    "owner-modes": """
        import os
        for mode in (0o6755, 0o4111, 0o2755):
            path = f'/output/{mode:o}'
            with open(path, 'w') as stream:
                stream.write('#!/bin/sh\\nid\\n')
            os.chmod(path, mode)
    """,
    "link-for-an-output": "import os\nos.symlink('/etc/passwd', '/output/metrics.json')\n",
    "pipe-for-an-output": "import os\nos.mkfifo('/output/metrics.json')\n",
    "link-to-the-claim": """
        import os
        os.symlink('../../../bundle/reprobox/claim/output/results', '/output/results')
    """,
    "links-in-a-circle": """
        import os
        os.symlink('results', '/output/circle')
        os.symlink('circle', '/output/results')
    """,
    "long-names": """
        for number in range(400):
            open(f"/output/{'a' * 200}{number}", 'w').close()
    """,
    "slow-to-compare": """
        with open('/output/values.csv', 'w') as stream:
            stream.write('value\\n')
            for _ in range(50):
                stream.write('0.25\\n' * 100_000)
    """,
    "folder-for-an-output": "import os\nos.mkdir('/output/metrics.json')\n",
    "odd-numbers": """
        deep = '[' * 5000 + ']' * 5000
        text = '{"accuracy": 1e999, "x": NaN, "y": ' + '9' * 4000 + ', "z": ' + deep + '}'
        open('/output/metrics.json', 'w').write(text)
    """,
    "killer": """
        import os, signal
        for pid in (1, os.getppid(), -1):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError as error:
                print(pid, error.strerror)
    """,
    "escapes": """
        import sys
        sys.stderr.write('\\x1b[2J\\x1b]0;title\\x07\\x9b31m\\rverdict  IDENTICAL\\n\\u202e')
        sys.exit(3)
    """,
    "greedy-for-processors": HONEST,
}


COMPLETED = (
    "shared-memory-bomb",
    "intruder",
    "late",
    "odd-outputs",
    "owner-modes",
    "greedy-for-processors",
    "link-to-the-claim",
    "links-in-a-circle",
    "long-names",
    "slow-to-compare",
)
"""Those that leave what they should besides."""


def write_program(name, neighbour="192.0.2.2"):
    """Return the program's text; an intruder knows the address of another container."""
    text = textwrap.dedent(PROGRAMS[name]).replace("NEIGHBOUR", neighbour)
    return text + textwrap.dedent(HONEST) if name in COMPLETED else text
