"""Every mistake a spec can hold: where it is shown, what is said, and what to do next."""

from pathlib import Path

import pytest

from reprobox.errors import SpecError
from reprobox.spec.load import parse_spec

SHA = "ab" * 32
HEAD = {"reprobox": "1", "name": "digits", "seed": "32", "command": "python train.py"}


def write(lines: str, *without: str) -> str:
    """A spec of ``lines`` first and whatever every spec needs after it."""
    top = {line.partition(":")[0] for line in lines.splitlines() if line[:1].strip()}
    drop = {*top, *without} | ({"command"} if "stages" in top else set())
    return lines + "".join(f"{key}: {value}\n" for key, value in HEAD.items() if key not in drop)


def problems_of(lines: str, *without: str, project: Path | None = None) -> list[tuple[str, str, str, str]]:
    with pytest.raises(SpecError) as caught:
        parse_spec(write(lines, *without), "spec.yaml", project)
    return [(f"{p.line}:{p.column}", p.key, p.message, p.hint) for p in caught.value.problems]


LIST = "write one value, without brackets or dashes"
MISTAKES = [
    # keys
    ("seeed: 1\n", "1:1", "seeed", "unknown key", "did you mean 'seed'?", "seed"),
    ("entrypoint: x\n", "1:1", "entrypoint", "unknown key", "did you mean 'command'?", "command"),
    ("requirements: x\n", "1:1", "requirements", "unknown key",
     "write 'packages: {requirements: requirements.txt}'"),
    ("memory: 8g\n", "1:1", "memory", "unknown key", "write it under resources"),
    ("resources: {ram: 8g}\n", "1:13", "resources.ram", "unknown key", "the keys are cpus, memory, shm, timeout"),
    ("resources: {gpu: 1}\n", "1:13", "resources.gpu", "unknown key", "`reprobox run --gpu` gives a run the GPU"),
    ("determinism: {thread: 1}\n", "1:15", "determinism.thread", "unknown key", "did you mean 'threads'?"),
    ("env: {}\n", "1:1", "name", "is missing", "add 'name: …', the name of the image", "name"),
    ("env: {}\n", "1:1", "seed", "is missing", "add 'seed: …', an integer such as 32", "seed"),
    ("env: {}\n", "1:1", "reprobox", "is missing", "add 'reprobox: 1' as the first line", "reprobox"),
    ("env: {}\n", "1:1", "command", "is missing", "add 'command: python train.py', or stages", "command"),
    ("command: a\nstages: {train: b}\n", "2:1", "stages", "command and stages are both given", "keep one of the two"),
    # reprobox, name
    ("reprobox: 2\n", "1:11", "reprobox", "this spec was made for a newer reprobox (format 2)", "upgrade reprobox"),
    ("reprobox: one\n", "1:11", "reprobox", "expected 1, the version of the spec's format, found 'one'",
     "write 'reprobox: 1'"),
    ("name: My Model\n", "1:7", "name",
     "'My Model' cannot be an image's name: use a-z and 0-9, with single '-', '_' or '.' between them",
     "did you mean 'my-model'?"),
    ("name: 7\n", "1:7", "name", "expected a name such as digits-cnn, found 7", "if you mean the text, quote it: '7'"),
    ("name:\n", "1:6", "name", "expected a name such as digits-cnn, found nothing",
     "write a value, or remove the line"),
    ("name: [a]\n", "1:7", "name", "expected a name such as digits-cnn, found a list", LIST),
    (f"name: {'a' * 64}\n", "1:7", "name", "is 64 characters long", "use at most 63"),
    ('name: "x\\nRUN true"\n', "1:7", "name", "contains a line break", "write it on one line"),
    # seed
    ("seed: 0\npackages: [Theano==1.0.5]\n", "1:7", "seed", "0 is too small for theano, which would refuse it",
     "a seed from 1 to 2147462578 is safe for every backend"),
    ("seed: -1\n", "1:7", "seed", "-1 is out of range", "use an integer from 1 to 2147462578, safe for every backend"),
    ("seed: 4294967296\n", "1:7", "seed", "4294967296 is out of range",
     "use an integer from 1 to 2147462578, safe for every backend"),
    (f"seed: {'9' * 5000}\n", "1:7", "seed", f"{'9' * 57}... is out of range",
     "use an integer from 1 to 2147462578, safe for every backend"),
    ("seed: 1e3\n", "1:7", "seed", "'1e3' is not a plain integer", "write 1000"),
    ("seed: 0x10\n", "1:7", "seed", "'0x10' is not a plain integer", "write 16"),
    ("seed: 1_000\n", "1:7", "seed", "'1_000' is not a plain integer", "write 1000"),
    ("seed: 010\n", "1:7", "seed", "'010' is not a plain integer", "write 10 (or 8 if you meant octal)"),
    ("seed: 32.0\n", "1:7", "seed", "'32.0' is not a plain integer", "write 32"),
    ("seed: 32.5\n", "1:7", "seed", "'32.5' is not a plain integer", "it must be a whole number"),
    ("seed: 1e400\n", "1:7", "seed", "'1e400' is not a plain integer", "write decimal digits only"),
    ("seed: 1:30\n", "1:7", "seed", "'1:30' is not a plain integer", "write decimal digits only"),
    ("seed: ٣٢\n", "1:7", "seed", "'٣٢' is not a plain integer", "write 32"),
    ("seed: true\n", "1:7", "seed", "'true' is not a plain integer", "write decimal digits only"),
    ('seed: "32"\n', "1:7", "seed", "expected an integer, found the text '32'", "remove the quotes: 32"),
    ("seed: 3000000000\nframeworks: {lightgbm: 4.6.0, tensorflow: 2.21.0, torch: 2.13.0}\n", "1:7", "seed",
     "3000000000 is too large for lightgbm, tensorflow, which would refuse or shorten it",
     "a seed from 1 to 2147462578 is safe for every backend"),
    ("seed: 3000000000\npackages: [tf_keras]\n", "1:7", "seed",
     "3000000000 is too large for tf-keras, which would refuse or shorten it",
     "a seed from 1 to 2147462578 is safe for every backend"),
    ("seed: 2147462579\npackages: [Theano==1.0.5]\n", "1:7", "seed",
     "2147462579 is too large for theano, which would refuse or shorten it",
     "a seed from 1 to 2147462578 is safe for every backend"),
    # python, base
    ("python: 3.11.2\n", "1:9", "python", "'3.11.2' is more than major.minor", "write 3.11; the lock pins the rest"),
    ("python: 2.7\n", "1:9", "python", "there is no Python 2.7 to build on", "use 3.6 to 3.15"),
    ("python: 3.10\n", "1:9", "python", "no Debian release has Python 3.10",
     "use 3.9, 3.11, 3.13, or a base that has it: 'base: {image: python:3.10-slim}'"),
    ("python: 3.13\nbase: debian:12\n", "1:9", "python", "Debian 12 has Python 3.11, not 3.13",
     "write 'python: 3.11', or leave one of the two out"),
    ("base: ubuntu:22.04\n", "1:7", "base", "'ubuntu:22.04' is not a base",
     "for a registry's image write 'base: {image: ubuntu:22.04}'; for Debian debian:11, debian:12 or debian:13"),
    ("base: {debian: 12, image: x}\n", "1:1", "base", "has debian and image",
     "write exactly one of debian, image and archive"),
    ("base: {}\n", "1:1", "base", "is empty", "write exactly one of debian, image and archive"),
    ("base: {debian: bokworm}\n", "1:16", "base.debian", "'bokworm' is not a Debian release that reprobox knows",
     "did you mean 'bookworm'?"),
    ("base: [debian]\n", "1:7", "base", "expected debian:12, or a mapping with image or archive, found a list", LIST),
    ("determinism: {threads: [1]}\n", "1:24", "determinism.threads", "expected an integer, found a list", LIST),
    ("determinism: {tf32: }\n", "1:20", "determinism.tf32", "expected true or false, found nothing",
     "write a value, or remove the line"),
    ("base: {debian: 9}\n", "1:16", "base.debian", "'9' is not a Debian release that reprobox knows",
     "use 11, 12 or 13"),
    ("base: {image: 'a b'}\n", "1:15", "base.image", "'a b' is not the name of an image",
     "write name:tag or name@sha256:…"),
    ("base: {archive: rootfs.tar}\n", "1:1", "base.sha256", "is missing",
     "an archive needs it; sha256sum prints it"),
    (f"base: {{debian: 12, sha256: {SHA}}}\n", "1:20", "base.sha256", "does not go with debian",
     "remove it; the lock pins every package"),
    # frameworks, packages
    ("frameworks: {torhc: 2.13.0}\n", "1:14", "frameworks.torhc", "is not a framework that reprobox knows",
     "did you mean 'torch'?"),
    ("frameworks: {pytorch: 2.13.0}\n", "1:14", "frameworks.pytorch", "is not a framework that reprobox knows",
     "did you mean 'torch'?"),
    ("frameworks: {requests: 2.0}\n", "1:14", "frameworks.requests", "is not a framework that reprobox knows",
     "put it under packages"),
    ("frameworks: {torch: '>=2'}\n", "1:21", "frameworks.torch", "'>=2' is not an exact version",
     "a framework has one exact version, such as 2.13.0; ranges go under packages"),
    ("frameworks: {torch: ==2.13.0}\n", "1:21", "frameworks.torch", "'==2.13.0' is not an exact version",
     "write the version alone: 2.13.0"),
    ("frameworks: {torch: latest}\n", "1:21", "frameworks.torch", "'latest' is not an exact version",
     "write the version's number, such as 2.13.0"),
    ("frameworks: {torch: }\n", "1:20", "frameworks.torch", "expected an exact version such as 2.13.0, found nothing",
     "write a value, or remove the line"),
    ("frameworks: [torch]\n", "1:13", "frameworks", "expected a mapping, found a list",
     "write 'key: value', one a line, indented"),
    ("packages: [numpy=2.3]\n", "1:12", "packages[0]", "'numpy=2.3' is not a package", "did you mean 'numpy==2.3'?"),
    ("packages: [numpy 2.3]\n", "1:12", "packages[0]", "'numpy 2.3' is not a package", "did you mean 'numpy==2.3'?"),
    ("packages: [numpy scipy]\n", "1:12", "packages[0]", "'numpy scipy' is not a package", "write one package an item"),
    ("packages: requirements.txt\n", "1:11", "packages", "'requirements.txt' is a file, not a package",
     "write 'packages: {requirements: requirements.txt}'"),
    ("packages: [-r requirements.txt]\n", "1:12", "packages[0]", "'-r requirements.txt' is a file, not a package",
     "write 'packages: {requirements: requirements.txt}'"),
    ("packages: [-e .]\n", "1:12", "packages[0]", "'-e .' is not a package",
     "the project's own files are in the image already; list only packages from an index"),
    ("packages: [--pre]\n", "1:12", "packages[0]", "'--pre' is not a package",
     "options of pip have no place here; indexes go under indexes"),
    ("packages: [git+https://x.example/y]\n", "1:12", "packages[0]", "'git+https://x.example/y' is not a package",
     "packages come from an index: write name==version"),
    ("packages: ['x @ https://x.example/x.whl']\n", "1:12", "packages[0]", "'x @ https://x.example/x.whl' is a URL",
     "put a wheel's folder under indexes, and its name and version here"),
    ("packages: ['x===1\"$id']\n", "1:12", "packages[0]", "'x===1\"$id' contains '==='",
     "write name, name==1.2.3 or name>=1.2,<2"),
    ("frameworks: {torch: 1.0poſt1}\n", "1:21", "frameworks.torch", "'1.0poſt1' is not an exact version",
     "write the version's number, such as 2.13.0"),
    ("base: {image: 'a:b:c'}\n", "1:15", "base.image", "'a:b:c' is not the name of an image",
     "write name:tag or name@sha256:…"),
    ("base: {image: -v}\n", "1:15", "base.image", "'-v' is not the name of an image",
     "write name:tag or name@sha256:…"),
    ("packages: ['x; python_version<\"3\"']\n", "1:12", "packages[0]", "'x; python_version<\"3\"' has a marker",
     "an image has one Python and one platform: remove the part from ';'"),
    ("packages: [a, b, A]\n", "1:18", "packages[2]", "A is listed twice; the first is on line 1",
     "remove one of the two"),
    ("frameworks: {torch: 2.13.0}\npackages: [torch]\n", "2:12", "packages[0]",
     "torch is listed twice; the first is under frameworks", "remove one of the two"),
    ("packages: {numpy: 2.3.5}\n", "1:12", "packages.numpy", "unknown key",
     "the keys are requirements, list, from_source"),
    ("packages: {source: [x]}\n", "1:12", "packages.source", "unknown key", "did you mean 'from_source'?"),
    ("packages: {from_source: [x]}\n", "1:26", "packages.from_source[0]", "x has no exact version",
     "write 'x==…' under list, or give it under frameworks"),
    ("packages: {list: [x>=1], from_source: [X]}\n", "1:40", "packages.from_source[0]", "X has no exact version",
     "write 'X==…' under list, or give it under frameworks"),
    ("packages: {list: [x==1.*], from_source: [x]}\n", "1:42", "packages.from_source[0]", "x has no exact version",
     "write 'x==…' under list, or give it under frameworks"),
    ("packages: {list: [x==1], from_source: [x, X]}\n", "1:43", "packages.from_source[1]", "X is listed twice",
     "remove one of the two"),
    ("packages: {from_source: [x==1]}\n", "1:26", "packages.from_source[0]", "'x==1' is not a package's name",
     "write the name alone; its version stands elsewhere"),
    ("packages: {requirements: setup.py}\n", "1:26", "packages.requirements",
     "'setup.py' is no kind of requirements file", "use a .txt or .in file, pyproject.toml or uv.lock"),
    ("packages: 3\n", "1:11", "packages", "expected a package such as numpy or numpy==2.3.5, found 3",
     "if you mean the text, quote it: '3'"),
    # indexes
    ("indexes: https://me:secret@pkg.example/simple\n", "1:10", "indexes",
     "the URL has a user name or password in it, which the lock would show to everybody",
     "write the URL without it, and put it into the machine's netrc file or pip's or uv's configuration"),
    ("indexes: ['https://pkg.example/simple?token=x']\n", "1:11", "indexes[0]",
     "'https://pkg.example/simple?token=x' has a '?' or '#' part, which the lock would show to everybody",
     "remove it"),
    ("indexes: pkg.example\n", "1:10", "indexes", "'pkg.example' is not the URL of an index",
     "write https://…, http://… or file:///…"),
    ("indexes: ['https://x:abc/s']\n", "1:11", "indexes[0]", "'https://x:abc/s' is not the URL of an index",
     "write https://…, http://… or file:///…"),
    ("indexes: ['https://a..b/s']\n", "1:11", "indexes[0]", "'https://a..b/s' is not the URL of an index",
     "write https://…, http://… or file:///…"),
    ("indexes: ['https://[x']\n", "1:11", "indexes[0]", "'https://[x' is not the URL of an index",
     "write https://…, http://… or file:///…"),
    ("indexes: [https://a.example, https://a.example]\n", "1:30", "indexes[1]",
     "is listed twice; the first is on line 1", "remove one of the two"),
    # system, run
    ("system: [libgomp1=12]\n", "1:10", "system[0]", "'libgomp1=12' is not the name of a Debian package",
     "write the name only, libgomp1; the lock pins its version"),
    ("system: [Git]\n", "1:10", "system[0]", "'Git' is not the name of a Debian package", "did you mean 'git'?"),
    ("system: ['git; true']\n", "1:10", "system[0]", "'git; true' is not the name of a Debian package",
     "write one package an item; names have a-z, 0-9, '+', '-' and '.'"),
    ("system: [git, git]\n", "1:15", "system[1]", "is listed twice; the first is on line 1",
     "remove one of the two"),
    ("system: {git: 1}\n", "1:9", "system", "expected a list, found a mapping", "start each item with '- '"),
    ('run: ["a\\nUSER root"]\n', "1:7", "run[0]", "contains a line break", "write it on one line"),
    ("run: |\n  a\n  b\n", "1:6", "run", "contains a line break", "write it on one line"),
    ("run: ['a \\']\n", "1:7", "run[0]", "ends with a backslash, which would swallow what follows",
     "write the step on one line"),
    ("run: [cat <<EOF]\n", "1:7", "run[0]", "contains a here-document (<<), which does not fit on one line",
     "put the text into a project file"),
    ("run: [--network=host curl x]\n", "1:7", "run[0]", "starts with '--network=host', which is not a program",
     "write a shell command"),
    ("run: ['echo \"x']\n", "1:7", "run[0]", "has a quote that is not closed", "close it on the same line"),
    ("run: ['[\"a\"]']\n", "1:7", "run[0]", "looks like a JSON list, which a Dockerfile runs without a shell",
     "write a shell line"),
    # cuda, cudnn
    ("cuda: cu124\n", "1:7", "cuda", "'cu124' is not a CUDA version", "did you mean 12.4?"),
    ("cuda: 12\n", "1:7", "cuda", "'12' is not a CUDA version", "write 12.4 or 12.4.1, or auto"),
    ("cuda: 12.4\ncudnn: v9\n", "2:8", "cudnn", "'v9' is not a cuDNN version", "write 9, 9.1 or 8.9.7"),
    ("cudnn: 9\n", "1:1", "cudnn", "is given without cuda", "add 'cuda: …' with the version it goes with"),
    # determinism
    ("determinism: bitwsie\n", "1:14", "determinism",
     "expected one of off, seeded, bitwise, portable, found 'bitwsie'", "did you mean 'bitwise'?"),
    ("determinism: false\n", "1:14", "determinism",
     "expected one of off, seeded, bitwise, portable, found 'false'", "write off"),
    ("determinism: [off]\n", "1:14", "determinism", "expected a mapping, found a list",
     "its keys are level, hash_seed, threads, deterministic_kernels, cudnn_benchmark, tf32, cublas_workspace, "
     "fill_uninitialized_memory, cpu"),
    ("determinism: {threads: 0}\n", "1:24", "determinism.threads", "0 is out of range",
     "use an integer from 1 to 1024"),
    ("determinism: {tf32: maybe}\n", "1:21", "determinism.tf32", "expected true or false, found 'maybe'",
     "write true or false"),
    ("determinism: {hash_seed: random}\n", "1:26", "determinism.hash_seed", "'random' is not a plain integer",
     "write decimal digits only"),
    ("determinism: {cublas_workspace: 4096}\n", "1:33", "determinism.cublas_workspace",
     "expected a workspace such as :4096:8, found 4096", "if you mean the text, quote it: '4096'"),
    ("determinism: {cpu: avx512}\n", "1:20", "determinism.cpu",
     "expected one of avx2, avx2-intel, baseline, found 'avx512'", "did you mean 'avx2'?"),
    ("determinism: {deterministic_kernels: yes, cudnn_benchmark: yes}\n", "1:60", "determinism.cudnn_benchmark",
     "contradicts deterministic_kernels", "benchmarking picks kernels by the clock: set one of the two to false"),
    # source, env
    ("source: {include: [../x]}\n", "1:20", "source.include[0]", "'../x' leaves the project",
     "write a path inside the project"),
    ("source: {exclude: [/etc]}\n", "1:20", "source.exclude[0]", "'/etc' is absolute",
     "write a path relative to the project"),
    ("source: {exclude: ['!x']}\n", "1:20", "source.exclude[0]", "a pattern cannot be negated",
     "use include for what to keep and exclude for what to drop"),
    ("source: {exclude: ['*.py', 'x[z-a]']}\n", "1:28", "source.exclude[1]", "'x[z-a]' is not a pattern",
     "write a set of characters as [abc] or [a-z]"),
    ("outputs: ['x[z-a]']\n", "1:11", "outputs[0]", "'x[z-a]' is not a pattern",
     "write a set of characters as [abc] or [a-z]"),
    ("source: {include: .}\n", "1:19", "source.include", "'.' matches nothing", "write ** for the whole project"),
    ("env: {PYTHONHASHSEED: 1}\n", "1:7", "env.PYTHONHASHSEED", "is a variable that reprobox sets itself",
     "set determinism.hash_seed instead"),
    ("env: {REPROBOX_X: 1}\n", "1:7", "env.REPROBOX_X", "is a variable that reprobox sets itself", "remove the line"),
    ("env: {A B: 1}\n", "1:7", "env.A B", "'A B' cannot be the name of a variable",
     "use A-Z, a-z, 0-9 and _, not starting with a digit"),
    ("env: {WANDB_API_KEY: 1}\n", "1:7", "env.WANDB_API_KEY",
     "looks like a secret, which everybody who has the image could read",
     "remove it; have the program read it from a file that is not part of the project"),
    ("env: {A: 'x\" b'}\n", "1:10", "env.A",
     "contains a double quote, which could end or change the value in a Dockerfile", "remove it"),
    ("env: {A: $HOME/x}\n", "1:10", "env.A",
     "contains a dollar sign, which could end or change the value in a Dockerfile",
     "variables are not expanded; write the value itself"),
    ('env: {A: "x\\nRUN y"}\n', "1:10", "env.A", "contains a line break", "write it on one line"),
    ('env: {A: "x\\0"}\n', "1:10", "env.A", "contains a NUL", "write it on one line"),
    ("env: {A: [1]}\n", "1:10", "env.A", "expected the value of a variable, found a list", LIST),
    # command, stages
    ("command: cd x && python y.py\n", "1:10", "command", "'&&' has a meaning only to a shell",
     'a command runs without a shell; write ["sh", "-c", "…"] if you need one'),
    ("command: python y.py --out $HOME\n", "1:10", "command", "'$HOME' has a meaning only to a shell",
     'a command runs without a shell; write ["sh", "-c", "…"] if you need one'),
    ("command: python 'y.py\n", "1:10", "command", "cannot be split into words: there is no closing quotation",
     "close the quote, or write the command as a list"),
    ("command: A=1 python y.py\n", "1:10", "command", "starts with 'A=1', which is not a program",
     "put variables under env"),
    ("command: []\n", "1:10", "command", "the command is empty", "write ['python', 'train.py']"),
    ("command: ['', x]\n", "1:10", "command", "the command is empty", "write ['python', 'train.py']"),
    ("command: \"''\"\n", "1:10", "command", "the command is empty", "write 'python train.py'"),
    ("command: ' '\n", "1:10", "command", "expected a command such as 'python train.py', found an empty text",
     "write a value, or remove the line"),
    ('command: [x, "a\\0"]\n', "1:14", "command[1]", "contains a NUL", "remove it"),
    (f"command: [x, {'a' * 40_000}]\n", "1:14", "command[1]", "is 40,000 characters long",
     "use at most 32,000, or put it into a file"),
    ("command: [python, [x]]\n", "1:19", "command[1]", "expected an argument, found a list", LIST),
    ("command: {train: x}\n", "1:10", "command", "expected a command, found a mapping",
     "to have several steps, use stages"),
    ("stages: {}\n", "1:9", "stages", "has no stage", "add one or more of prepare, train, predict, or use command"),
    ("stages: {trian: python x.py}\n", "1:10", "stages.trian", "unknown key", "did you mean 'train'?"),
    ("stages: {train: {outputs: x}}\n", "1:10", "stages.train.command", "is missing",
     "add 'command: python train.py' below the stage"),
    # inputs, outputs
    (f"inputs: {{d: {{sha256: {SHA}}}}}\n", "1:10", "inputs.d.path", "is missing",
     "an input has a path in the project and a sha256"),
    ("inputs: {d: {path: x}}\n", "1:10", "inputs.d.sha256", "is missing",
     "an input has a path in the project and a sha256"),
    ("inputs: {d: abc}\n", "1:13", "inputs.d", "a sha256 has 64 hexadecimal digits; this one has 3 characters",
     "sha256sum prints it"),
    (f"inputs: {{d: {'x' * 64}}}\n", "1:13", "inputs.d",
     "a sha256 has 64 hexadecimal digits; this one is not hexadecimal", "sha256sum prints it"),
    (f"inputs: {{d: {{path: ../d, sha256: {SHA}}}}}\n", "1:20", "inputs.d.path", "'../d' leaves the project",
     "write a path inside the project"),
    (f"inputs: {{d: {{path: /data, sha256: {SHA}}}}}\n", "1:20", "inputs.d.path", "'/data' is absolute",
     "write a path relative to the project"),
    (f"inputs: {{d: {{path: 'a\\b', sha256: {SHA}}}}}\n", "1:20", "inputs.d.path", "'a\\\\b' contains a backslash",
     "separate folders with /"),
    (f"inputs: {{d: {{path: ., sha256: {SHA}}}}}\n", "1:20", "inputs.d.path", "'.' is the whole project",
     "name an input inside it"),
    (f"inputs: {{'../d': {{path: d, sha256: {SHA}}}}}\n", "1:10", "inputs.../d", "'../d' leaves /input",
     "write a path inside /input"),
    (f"inputs: {{'a:b': {{path: d, sha256: {SHA}}}}}\n", "1:10", "inputs.a:b",
     "'a:b' contains a colon, which a mount cannot have in its path", "rename it"),
    (f"inputs: {{'d/': {{path: d, sha256: {SHA}}}}}\n", "1:10", "inputs.d/", "'d/' is not a plain name",
     "write it without './', '//' and a final '/'"),
    (f"inputs:\n  d: {SHA}\n  d/e: {SHA}\n", "3:3", "inputs.d/e", "would be mounted inside the input 'd'",
     "give one of the two another name"),
    ("outputs: [/output/m.pt]\n", "1:11", "outputs[0]", "'/output/m.pt' is absolute",
     "paths count from /output: write m.pt"),
    ("outputs: [../m.pt]\n", "1:11", "outputs[0]", "'../m.pt' leaves /output", "write a path inside /output"),
    ("outputs: [a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3/4/5/6/7]\n", "1:11", "outputs[0]",
     "'a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3...' is below more than 32 folders",
     "write ** for some of them"),
    ("outputs: [~/m.pt]\n", "1:11", "outputs[0]", "'~/m.pt' is absolute", "write a path relative to /output"),
    # network, resources
    ("network: host\n", "1:10", "network", "expected none or full, found 'host'",
     "none (the default) cuts a run off from the network"),
    ("resources: {memory: 8}\n", "1:21", "resources.memory", "8 is too small: the least is 6m", "did you mean 8g?"),
    ("resources: {memory: lots}\n", "1:21", "resources.memory", "'lots' is not a size",
     "write a number and a unit: 512m, 8g, 1.5g"),
    ("resources: {memory: [8g]}\n", "1:21", "resources.memory", "expected a size such as 8g, found a list", LIST),
    ("resources: {memory: 10.1}\n", "1:21", "resources.memory", "10.1 is not a whole number of bytes",
     "did you mean 10.1g?"),
    ("resources: {timeout: }\n", "1:21", "resources.timeout", "expected a duration such as 2h, found nothing",
     "write a value, or remove the line"),
    ("resources: {cpus: {a: 1}}\n", "1:19", "resources.cpus",
     "expected a number of CPUs such as 2 or 1.5, found a mapping", "write one value, without keys below it"),
    ("resources: {memory: 9999t}\n", "1:21", "resources.memory", "9999t is too large", "the most is 1024t"),
    ("resources: {timeout: 1:30}\n", "1:22", "resources.timeout", "'1:30' is not a duration",
     "write a number and a unit: 90s, 45m, 2h, 1h30m, 1d"),
    ("resources: {timeout: 0s}\n", "1:22", "resources.timeout", "0s is out of range",
     "use more than nothing and at most 366d, or remove the line for no limit"),
    ("resources: {cpus: '2'}\n", "1:19", "resources.cpus", "'2' is not a number of CPUs",
     "write 2 or 1.5, without quotes"),
    ("resources: {cpus: 0}\n", "1:19", "resources.cpus", "0 is out of range",
     "use 0.01 to 4096, or remove the line for all CPUs"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[0].strip().replace("\n", " | ")[:50])
def test_each_mistake_is_one_problem_at_its_place_with_a_hint(mistake):
    lines, where, key, message, hint, *without = mistake
    assert hint
    assert problems_of(lines, *without) == [(where, key, message, hint)]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file():
    lines = "seed: 0x10\nnetwork: host\nenv: {A: '\"', PATH: x}\nsystem: [Git]\n"
    assert [where for where, *_ in problems_of(lines)] == ["1:7", "2:10", "3:10", "3:15", "4:10"]


def test_the_text_of_the_error_starts_with_a_place_that_editors_understand():
    with pytest.raises(SpecError) as caught:
        parse_spec(write("seed: 1e3\n"), "project/spec.yaml", None)
    assert str(caught.value) == "project/spec.yaml:1:7: seed: '1e3' is not a plain integer\n  hint: write 1000"
    assert caught.value.exit_code == 3


def test_control_characters_of_a_key_never_reach_the_terminal():
    ((_, key, message, _),) = problems_of('env: {"A\\e[31m": 1}\n')
    assert "\x1b" not in key + message


def test_a_requirements_file_that_is_missing_or_a_folder_is_found_before_locking(tmp_path):
    lines = "packages: {requirements: requirements.txt}\n"
    ((where, key, message, _),) = problems_of(lines, project=tmp_path)
    assert (where, key, message) == ("1:26", "packages.requirements", "'requirements.txt' does not exist")
    (tmp_path / "requirements.txt").mkdir()
    ((_, _, message, _),) = problems_of(lines, project=tmp_path)
    assert message == "'requirements.txt' is not a file"


def test_a_path_that_the_system_cannot_even_look_at_is_one_problem(tmp_path):
    name = "a" * 300 + ".txt"
    ((_, key, message, _),) = problems_of(f"packages: {{requirements: {name}}}\n", project=tmp_path)
    assert key == "packages.requirements"
    assert "cannot be looked at: File name too long" in message


def test_a_link_that_leaves_the_project_is_refused_and_one_that_stays_is_not(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "outside").write_text("")
    (project / "inside").write_text("")
    (project / "loop").symlink_to("loop")
    (project / "bad").symlink_to("../outside")
    (project / "good").symlink_to("inside")
    for name in ("bad", "loop"):
        ((_, key, message, _),) = problems_of(f"inputs: {{d: {{path: {name}, sha256: {SHA}}}}}\n", project=project)
        assert (key, message) == ("inputs.d.path", f"'{name}' is a link that leaves the project")
    parse_spec(write(f"inputs: {{d: {{path: good, sha256: {SHA}}}}}\n"), "s", project)


def test_a_large_seed_is_checked_against_the_names_in_a_requirements_file(tmp_path):
    (tmp_path / "requirements.txt").write_text("numpy==2.3.5\nlightgbm==4.6.0\n")
    lines = "seed: 4000000000\npackages: {requirements: requirements.txt}\n"
    ((_, _, message, _),) = problems_of(lines, project=tmp_path)
    assert message == "4000000000 is too large for lightgbm, which would refuse or shorten it"
    (tmp_path / "requirements.txt").write_text("numpy==2.3.5\n")
    assert parse_spec(write(lines), "s", tmp_path).seed == 4_000_000_000


def test_a_quote_in_a_path_that_enters_the_dockerfile_is_refused():
    ((_, _, message, _),) = problems_of(f"base: {{archive: 'a\"b.tar', sha256: {SHA}}}\n")
    assert message == "'a\"b.tar' contains \", which does not fit into a Dockerfile"
