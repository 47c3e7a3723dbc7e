"""A program's own file that has a backend's name is the program's."""

import pytest

from .test_shape import _backends

NAMES = sorted(
    {trigger for triggers in _backends().values() for trigger in triggers if "." not in trigger} - {"random"}
)


@pytest.mark.parametrize("name", NAMES)
def test_a_users_file_with_a_backends_name_is_left_alone(newest_box, name):
    (newest_box.work / f"{name}.py").write_text("value = 7\n")
    assert newest_box.script(f"import {name}; print({name}.value)") == ["7"]
    assert set(newest_box.record()["backends"]) <= {"hashing", "random"}
