"""What a plan came to before: told only of the very same plan, by the very same program, and by nothing damaged."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_bundles import make_settings
from test_plan import make

from reprobox import build, remembered
from reprobox.engines.fake import FakeEngine
from reprobox.image import assemble_image, load_image
from reprobox.layers.model import Layer
from reprobox.layers.store import LayerStore
from reprobox.places import ContainerPlace
from reprobox.remembered import Remembered, recall_image, remember_image

LAYERS = tuple(Layer(f"sha256:{number}", number, f"layer {number}", Path(), cached=True) for number in range(3))
IMAGE = Remembered("sha256:a", "sha256:b", LAYERS)


class Held:
    """An engine that has the image, by whatever name."""

    def info(self):
        return FakeEngine().info()

    def find_image(self, reference):
        return self.info().identify(IMAGE)


def recall(cache, plan):
    return recall_image(cache, plan, Held())


def test_the_same_plan_has_the_same_image(tmp_path):
    assert recall(tmp_path, make()) is None
    remember_image(tmp_path, make(), IMAGE)
    assert recall(tmp_path, make()) == IMAGE


@pytest.mark.parametrize("change", [{"seed": 8}, {"lock_digest": "sha256:x"}, {"env": ()}, {"name": "other"}])
def test_another_plan_has_none(tmp_path, change):
    remember_image(tmp_path, make(), IMAGE)
    assert recall(tmp_path, replace(make(), **change)) is None


def test_the_last_of_a_name_is_kept_alone(tmp_path):
    for seed in range(3):
        remember_image(tmp_path, replace(make(), seed=seed), IMAGE)
    assert len(list(tmp_path.rglob("*.json"))) == 1
    assert recall(tmp_path, replace(make(), seed=2)) == IMAGE
    assert recall(tmp_path, replace(make(), seed=1)) is None


def test_another_state_of_the_program_knows_nothing(tmp_path, monkeypatch):
    remember_image(tmp_path, make(), IMAGE)
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(remembered, "_PACKAGE", package)
    assert recall(tmp_path, make()) is None
    remember_image(tmp_path, make(), IMAGE)
    assert recall(tmp_path, make()) == IMAGE
    (package / "new.py").write_text("")
    assert recall(tmp_path, make()) is None


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"of": 1}', b"\xff", b'{"config": 1, "manifest": 2, "layers": 3}']
)
def test_a_damaged_note_is_none(tmp_path, data):
    remember_image(tmp_path, make(), IMAGE)
    (note,) = tmp_path.rglob("*.json")
    note.write_bytes(data)
    assert recall(tmp_path, make()) is None


def test_a_cache_that_cannot_be_written_keeps_nothing(tmp_path):
    (tmp_path / "images").write_text("a file")
    remember_image(tmp_path, make(), IMAGE)
    assert recall(tmp_path, make()) is None


class TestPlace:
    """Where runs take place: the image is made once."""

    @pytest.fixture
    def place(self, tmp_path, monkeypatch):
        settings = make_settings(tmp_path)
        built = []

        def build_plan(plan, project, engine, settings):
            built.append(plan)
            image = assemble_image([], env=[("A", plan.spec_digest)])
            return build.BuiltImage(image, plan.tag, load(engine, image, plan.tag))

        def load(engine, image, tag):
            return load_image(engine, image, tag, LayerStore(settings.cache))

        monkeypatch.setattr(build, "build_plan", build_plan)
        place = ContainerPlace(settings)
        place.engine = FakeEngine()
        place.built, place.load = built, load
        return place

    def test_one_that_the_engine_still_has_is_not_made_again(self, place, tmp_path):
        first = place.provide(make(), tmp_path)
        assert (place.provide(make(), tmp_path), len(place.built)) == (first, 1)

    def test_another_plan_and_an_image_that_is_gone_or_another_are_made(self, place, tmp_path):
        other = make("command: python other.py\n")
        place.provide(make(), tmp_path)
        place.provide(other, tmp_path)
        place.forget(other.tag)
        place.provide(other, tmp_path)
        place.load(place.engine, assemble_image([], env=[("A", "another")]), other.tag)
        place.provide(other, tmp_path)
        assert len(place.built) == 4
