"""What `reprobox init` proposes for projects of every kind, and that it is always a valid spec."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprobox.inputs import hash_folder
from reprobox.scaffold import propose_spec
from reprobox.scaffold.code import read_notebook, read_python
from reprobox.spec.load import parse_spec
from reprobox.spec.schema import MODELINE
from reprobox.workflow import init_project


def propose(folder: Path, **files: str):
    """Write files (``__`` in a name is a slash, a final ``_x`` its suffix) and parse what is proposed for them."""
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        path = folder / f"{stem.replace('__', '/')}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    text = propose_spec(folder)
    return parse_spec(text, "spec.yaml", folder), text


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "My Project"
    folder.mkdir()
    return folder


def test_an_empty_folder_gets_a_spec_that_says_what_is_missing(project):
    spec, text = propose(project)
    assert text.startswith(MODELINE + "\n")
    assert "No program was found" in text
    assert (spec.name, spec.seed, spec.python, spec.command) == ("my-project", 32, "3.11", ("python", "train.py"))


def test_imports_become_packages_under_the_names_of_the_index(project):
    code = (
        "import numpy as np, torch.nn\nfrom sklearn import svm\nimport cv2, PIL.Image, yaml, os, mine\nfrom . import x"
    )
    spec, _ = propose(project, train_py=code, mine_py="")
    assert spec.packages == ("numpy", "opencv-python-headless", "pillow", "pyyaml", "scikit-learn", "torch")


def test_optional_and_typing_imports_are_left_out(project):
    code = (
        "from typing import TYPE_CHECKING\ntry:\n    import wandb\nexcept ImportError:\n    wandb = None\n"
        "if TYPE_CHECKING:\n    import pandas\nimport numpy\n"
    )
    assert propose(project, train_py=code)[0].packages == ("numpy",)


def test_a_package_that_needs_a_debian_library_brings_it(project):
    assert propose(project, train_py="import lightgbm\n")[0].system == ("libgomp1",)


def test_a_requirements_file_is_used_and_what_it_lacks_is_said(project):
    spec, text = propose(project, requirements_txt="numpy==2.3.5\n", train_py="import numpy, torch\n")
    assert (spec.requirements, spec.packages) == ("requirements.txt", ())
    assert "#   - torch" in text
    assert "#   - numpy" not in text


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"requirements_txt": "numpy", "uv_lock": "", "pyproject_toml": ""}, "uv.lock"),
        ({"requirements_txt": "numpy", "pyproject_toml": "[project]\ndependencies=['numpy']"}, "requirements.txt"),
        ({"pyproject_toml": "[project]\nname='x'\ndependencies=['numpy']"}, "pyproject.toml"),
        ({"pyproject_toml": "[tool.ruff]"}, None),
        ({"pyproject_toml": "this is not toml ["}, None),
        ({"requirements-dev_txt": "pytest"}, None),
        ({"requirements__base_txt": "numpy"}, "requirements/base.txt"),
    ],
)
def test_the_file_that_pins_most_is_chosen(project, files, chosen):
    assert propose(project, **files)[0].requirements == chosen


@pytest.mark.parametrize(
    ("wanted", "python", "image"),
    [
        (">=3.8", "3.11", None),
        (">=3.12", "3.13", None),
        ("<3.10", "3.9", None),
        ("==3.10.*", "3.10", "python:3.10-slim-bookworm"),
        ("nonsense", "3.11", None),
        (">=4", "3.11", None),
    ],
)
def test_python_is_one_that_the_project_allows(project, wanted, python, image):
    spec, _ = propose(project, pyproject_toml=f"[project]\nname='x'\nrequires-python='{wanted}'\n")
    assert (spec.python, spec.base.image) == (python, image)


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"train_py": "", "main_py": ""}, ("python", "train.py")),
        ({"main_py": "", "other_py": ""}, ("python", "main.py")),
        ({"src__train_py": "", "setup_py": ""}, ("python", "src/train.py")),
        ({"my_training_py": "", "other_py": ""}, ("python", "my_training.py")),
        ({"a_py": "", "b_py": "if __name__ == '__main__':\n    pass\n"}, ("python", "b.py")),
        ({"only_py": ""}, ("python", "only.py")),
        ({"a_py": "", "b_py": ""}, ("python", "train.py")),
        ({"tests__train_py": ""}, ("python", "train.py")),
    ],
)
def test_the_obvious_program_becomes_the_command(project, files, command):
    assert propose(project, **files)[0].command == command


def test_programs_beside_each_other_become_stages(project):
    spec, _ = propose(project, prepare_py="", train_py="", predict_py="", other__infer_py="")
    assert spec.command is None
    assert [getattr(spec.stages, stage).command[1] for stage in ("prepare", "train", "predict")] == [
        "prepare.py",
        "train.py",
        "predict.py",
    ]


def test_each_output_belongs_to_the_first_stage_that_speaks_of_it(project):
    spec, _ = propose(
        project,
        prepare_py="open('/output/table.npz', 'w')",
        train_py="open('/output/table.npz')\nopen('/output/model.pt', 'w')",
        predict_py="open('/output/model.pt')\nopen('/output/answer.csv', 'w')",
    )
    outputs = [getattr(spec.stages, stage).outputs for stage in ("prepare", "train", "predict")]
    assert outputs == [("table.npz",), ("model.pt",), ("answer.csv",)]
    assert spec.outputs == ()


def test_a_lone_notebook_is_executed_and_brings_its_runner(project):
    cell = {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install x\n", "import torch\n"]}
    spec, _ = propose(
        project, model_ipynb=json.dumps({"cells": [cell, {"cell_type": "markdown", "source": "import no"}]})
    )
    assert spec.command[:2] == ("jupyter", "nbconvert")
    assert spec.packages == ("ipykernel", "nbconvert", "torch")


def test_a_seed_in_the_code_is_kept_if_every_backend_takes_it(project):
    assert propose(project, train_py="import torch\ntorch.manual_seed(7)\n")[0].seed == 7
    assert propose(project, train_py="SEED = 2020\n")[0].seed == 2020
    assert propose(project, train_py="np.random.seed(0)\nseed = 2**40\nseed(True)\n")[0].seed == 32


def test_results_below_output_become_outputs(project):
    spec, _ = propose(
        project, train_py="torch.save(m, '/output/models/m.pt')\nopen('/output/1.5')\nopen('/output/../x.y')\n"
    )
    assert spec.outputs == ("1.5", "models/m.pt")


@pytest.mark.parametrize(
    "code",
    [
        "from pathlib import Path\nOUT = Path('/output')\nopen(OUT / 'm' / 'x.pt')",
        "import os\nopen(os.path.join('/output', 'm', 'x.pt'))",
        "base = '/output'\nname = 'x'\nopen(f'{base}/m/{name}.pt')",
        "import pathlib\nroot = '/output/' + 'm/'\npathlib.Path(root + 'x.pt')",
    ],
)
def test_paths_that_are_put_together_are_read(project, code):
    assert propose(project, train_py=code)[0].outputs == ("m/x.pt",)


@pytest.mark.parametrize(
    "code", ["open(x / 'a.pt')", "open('/output' / x)", "'/output/' + str(x)", "f'/output/{x}.pt'"]
)
def test_paths_that_depend_on_more_than_texts_are_not_guessed(project, code):
    assert propose(project, train_py=code)[0].outputs == ()


def test_keras_gets_a_backend(project):
    assert propose(project, train_py="import keras")[0].packages == ("keras", "tensorflow")
    assert propose(project, train_py="import keras, jax")[0].packages == ("jax", "keras")


def test_data_is_an_input_if_the_code_reads_it_from_input_and_else_a_comment(project):
    spec, text = propose(project, data__a_csv="1,2\n", train_py="open('data/a.csv')\n")
    digest = hash_folder(project / "data")
    assert not spec.inputs
    assert f"#     sha256: {digest}" in text
    spec, _ = propose(project, train_py="open('/input/data/a.csv')\n")
    assert spec.inputs["data"].sha256 == digest


def test_data_that_is_huge_or_cannot_be_hashed_is_not_proposed(project):
    (project / "data").mkdir()
    (project / "data" / "big.bin").touch()
    os.truncate(project / "data" / "big.bin", 2 << 30)
    (project / "inputs").mkdir()
    os.mkfifo(project / "inputs" / "pipe")
    (project / "lone.csv").write_text("1")
    assert set(propose(project, train_py="open('/input/lone.csv')")[0].inputs) == {"lone.csv"}


@pytest.mark.parametrize(
    "data",
    [
        b"import numpy\nprint 'python 2'\n",
        b"import numpy\n\xff\xfe\n",
        b"import numpy\n\0\n",
        b"# -*- coding: nonsense -*-\nimport numpy\n",
        b"import numpy\nx = " + b"(" * 5000 + b")" * 5000 + b"\n",
        b"\xef\xbb\xbfimport numpy\n",
        b"import numpy\nx = '\\d'\n",
    ],
    ids=["python 2", "not utf-8", "nul", "unknown coding", "deep", "bom", "bad escape"],
)
def test_code_that_does_not_parse_is_still_searched_for_imports(data):
    assert read_python(data).imports == {"numpy"}


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"cells": 3}', b'{"cells": [3, {"cell_type": "code"}]}', b"[" * 10**5]
)
def test_a_broken_notebook_says_nothing(data):
    assert not read_notebook(data).imports


def test_an_odd_folder_is_passed_over_in_silence(project):
    (project / "loop").symlink_to(".")
    (project / "train.py").symlink_to("train.py")
    (project / "requirements.txt").mkdir()
    (project / "data").symlink_to("/etc")
    os.mkfifo(project / "pipe.py")
    (project / "locked").mkdir(mode=0)
    Path(os.fsdecode(os.fsencode(project) + b"/\xff\n.py")).write_bytes(b"import torch")
    (project / "big.py").write_bytes(b"#" * (3 << 20))
    (project / "main.py").write_bytes(b"import numpy\n\xff")
    spec, _ = propose(project)
    assert (spec.command, spec.packages, spec.requirements) == (("python", "main.py"), ("numpy",), None)


def test_a_huge_folder_takes_no_long_time(project):
    for number in range(30):
        (project / f"d{number}").mkdir()
        for file in range(1000):
            (project / f"d{number}" / f"{file}.py").touch()
    started = time.process_time()
    propose(project)
    assert time.process_time() - started < 10


def test_a_folder_whose_name_is_no_name_still_gets_one(tmp_path):
    for odd in ("日本語", "123", "true", "---", "a" * 200):
        (tmp_path / odd).mkdir()
        assert propose(tmp_path / odd)[0].name


FILE_NAMES = st.sampled_from(
    [
        *(
            "train.py",
            "main.py",
            "predict.py",
            "a b.py",
            "x'y.py",
            "null.py",
            "1.py",
            "$(x).py",
            "# x.py",
            "src/train.py",
        ),
        *("model.ipynb", "requirements.txt", "uv.lock", "pyproject.toml"),
        *("data/a.csv", "data/-x", "1e5.csv", "on.csv", "a:b.csv", "input/é"),
    ]
)
STATEMENTS = st.sampled_from(
    [
        *("import torch", "import on, null", "from é import x", "import yes.no", "import _private", "import a__b"),
        *("seed = 1e9", "SEED = 99999999999", "torch.manual_seed(-1)"),
        *("'/input/'", "'/output/1.0'", "'/output/a/./b.c'", "'/output/x#y.z'"),
    ]
)
CODE = st.lists(STATEMENTS | st.text(max_size=20), max_size=6).map("\n".join)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(FILE_NAMES, CODE, max_size=6), name=st.text("aA1-_. é'\"", min_size=1, max_size=8))
def test_whatever_is_in_a_folder_the_proposal_is_a_valid_spec(tmp_path_factory, files, name):
    folder = tmp_path_factory.mktemp("any") / ("p" + name)
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(text.encode("utf-8", errors="surrogatepass"))
    folder.mkdir(exist_ok=True)
    parse_spec(propose_spec(folder), "spec.yaml", folder)


def test_a_number_longer_than_python_reads_says_nothing(project):
    spec, _ = propose(project, pyproject_toml=f"x = {'9' * 5000}\n")
    assert spec.requirements is None


def test_where_the_schema_cannot_be_written_no_spec_is_left(project):
    (project / ".reprobox").write_text("a file")
    with pytest.raises(OSError, match="exists"):
        init_project(project, force=False)
    assert not (project / "spec.yaml").exists()
