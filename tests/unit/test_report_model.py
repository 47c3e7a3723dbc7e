"""A report says what was measured, what was declared, and what is not known."""

import json
from dataclasses import replace

import pytest
from made_report import (
    DECLARED,
    GPU,
    SPEC,
    change_record,
    digest,
    make_lock,
    make_process,
    make_sources,
    make_verification,
)

from reprobox.contributions.model import Contributions, Status
from reprobox.errors import SpecError
from reprobox.languages import load_language
from reprobox.lock import ImageBase, Wheel
from reprobox.pins import TARGETS, load_promises
from reprobox.records import EarlierRun, RuntimeRecord
from reprobox.report.check import check_report
from reprobox.report.checklist import ITEMS
from reprobox.report.json_text import format_report, report_to_json
from reprobox.report.layout import lay_out
from reprobox.report.make import make_report
from reprobox.report.model import Git
from reprobox.report.render import format_html, format_markdown
from reprobox.report.sbom import format_sbom
from reprobox.report.sources import Evidence
from reprobox.report.values import Answer, Heading, Origin
from reprobox.spec.model import Level
from reprobox.statistics import student_quantile

ENGLISH = load_language("en")


def answer(sources, name):
    """Return an item's answer, its sentence and its origin."""
    item = next(item for item in make_report(sources).checklist if item.item == name)
    return item.answer, ENGLISH.fill(item.reason), item.origin


def to_json(sources):
    return report_to_json(make_report(sources), ENGLISH)


def make_gpu_sources(**changes):
    """A run on two GPUs; what was loaded there is not what the lock has."""

    def lock(spec):
        wheels = [
            Wheel(name, version, f"{name}-{version}-py3-none-any.whl", "5" * 64, 1)
            for name, version in (("nvidia-cuda-runtime", "13.0.96"), ("nvidia-cudnn-cu13", "9.20.0.48"))
        ]
        made = make_lock(spec)
        return replace(made, wheels=tuple(sorted((*made.wheels, *wheels))))

    sources = make_sources(lock=lock, **changes)
    gpu = {"used": True, "versions": {"libcudart": 13000, "libcudnn": 92100}}
    process = make_process("train", gpu=gpu)
    return change_record(sources, gpus=(GPU, GPU), runtime=RuntimeRecord((process,), ()))


def test_a_project_with_everything_lacks_nothing():
    assert [item.item for item in make_report(make_sources()).checklist if item.answer is not Answer.YES] == []


def test_there_are_the_26_items_of_the_union_checklist_in_the_contests_headings():
    report = make_report(make_sources())
    assert [item.number for item in report.checklist] == list(range(1, 27))
    assert {item.heading for item in report.checklist} == set(Heading)
    assert len({name for name, _, _ in ITEMS}) == 26


def test_every_yes_says_where_it_comes_from():
    for item in make_report(make_sources()).checklist:
        assert item.origin is not None, item
        assert item.trace, item
        assert all(trace.sha256 or trace.file == "git" for trace in item.trace), item


def test_what_is_declared_is_never_said_to_be_measured():
    report = make_report(make_sources())
    declared = {item.item for item in report.checklist if item.origin is Origin.DECLARED}
    assert declared == {"side_effects", "features", "method", "licence", "claim", "background"}
    assert report.u_environment.method.origin is Origin.DECLARED
    assert report.e_seed.declared.origin is Origin.DECLARED
    assert report.e_seed.observed.origin is Origin.MEASURED


def test_without_a_report_yaml_nothing_is_declared():
    sources = make_sources(declared="", contributions=None, contributions_file=None)
    report = make_report(sources)
    lacking = {item.item for item in report.checklist if item.answer is Answer.NO}
    assert lacking == {
        "side_effects", "model", "predictions", "data", "contributions", "features", "method", "runs", "licence",
        "claim", "background",
    }  # fmt: skip
    assert answer(sources, "method")[1] == "method and hyper-parameters are not both declared"


def test_the_same_sources_give_the_same_bytes():
    assert format_report(make_report(make_sources()), ENGLISH) == format_report(make_report(make_sources()), ENGLISH)


def test_the_top_level_keys_are_the_published_ones_with_the_schemas_version_first():
    keys = list(to_json(make_sources()))
    assert keys[0] == "schema_version"
    assert {"a_procedure", "i_contributions", "u_environment", "e_seed", "extra", "checklist"} <= set(keys)


class TestProcedure:
    def test_a_clean_commit_is_named(self):
        assert "git commit aaaaaaaaaaaa, nothing changed since" in answer(make_sources(), "source_version")[1]

    def test_changes_since_the_commit_are_told(self):
        sources = make_sources(git=Git("a" * 40, dirty=True))
        assert "not committed" in answer(sources, "source_version")[1]

    def test_a_source_that_changed_since_the_run_is_no_source(self):
        assert answer(change_record(make_sources(), source_sha256="0" * 64), "source_version")[0] is Answer.NO

    def test_a_run_that_did_not_record_its_source_proves_none(self):
        found, reason, origin = answer(change_record(make_sources(), source_sha256=""), "source_version")
        assert (found, origin) == (Answer.NO, None)
        assert "does not say" in reason

    def test_one_command_is_not_three(self):
        spec = SPEC.split("stages:")[0] + "command: python all.py\n"
        sources = make_sources(spec)
        assert answer(sources, "stage_commands")[:2] == (Answer.NO, "one stage only: train")

    def test_commands_name_a_spec_that_is_not_the_default(self):
        sources = make_sources()
        other = replace(sources, spec_file=replace(sources.spec_file, file="night shift.yaml"))
        procedure = to_json(other)["a_procedure"]["procedure"]
        assert procedure["single"] == "reprobox run 'night shift.yaml'"
        assert procedure["stages"][1]["alone"] == "reprobox run 'night shift.yaml' --stage train"

    def test_no_inputs_are_not_applicable_unless_data_come_from_elsewhere(self):
        sources = change_record(make_sources(declared=""), inputs={})
        assert answer(sources, "data")[0] is Answer.NOT_APPLICABLE
        assert answer(change_record(make_sources(), inputs={}), "data")[2] is Origin.DECLARED

    def test_data_have_rows_and_a_split_or_that_is_told(self):
        found = to_json(make_sources())["a_procedure"]["inputs"]["files"][0]
        assert (found["rows"], found["rows_origin"], found["split"]) == (5000, "measured", "train and validation")
        assert answer(make_sources(), "data")[1].startswith("inputs with sha256, rows and split: 1")
        without = make_sources(rows={})
        assert answer(without, "data")[:2] == (
            Answer.NO,
            "inputs with sha256: 1; of 1, the rows or the split are neither known nor declared (report.yaml: inputs)",
        )
        unsaid = make_sources(declared=DECLARED.replace("split: train and validation", "rows: 5000"))
        assert answer(unsaid, "data")[0] is Answer.NO

    def test_rows_that_nobody_can_count_are_a_person_s_word(self):
        said = DECLARED.replace("split: train", "rows: 7, split: train")
        found = to_json(make_sources(declared=said, rows={}))["a_procedure"]["inputs"]["files"][0]
        assert (found["rows"], found["rows_origin"]) == (7, "declared")

    def test_denying_the_rows_that_were_counted_is_a_mistake_at_its_place(self):
        said = DECLARED.replace("split: train", "rows: 7, split: train")
        with pytest.raises(SpecError, match=r"inputs\.table\.rows: says 7 rows, and .* has 5,000 below its first line"):
            make_report(make_sources(declared=said))

    def test_an_input_that_the_run_did_not_have_is_told(self):
        said = DECLARED.replace("inputs: {", "inputs: {tabel: {split: x}, ")
        notes = to_json(make_sources(declared=said))["notes"]
        assert notes == ["report.yaml speaks of the input tabel, and the run had none of that name."]

    def test_a_declared_model_that_is_not_there_is_told(self):
        sources = make_sources(declared=DECLARED.replace("model: model.npy", "model: model.pt"))
        assert answer(sources, "model")[0] is Answer.NO
        assert any("model.pt" in note for note in to_json(sources)["notes"])

    def test_predictions_that_come_from_the_stored_model_alone_say_so(self):
        sources = make_sources()
        alone = replace(sources.record, id="alone")
        file = Evidence(".reprobox/runs/alone/run.json", "5" * 64)
        again = replace(sources, repredicted=alone, repredicted_file=file)
        assert "left the same (run alone)" in answer(again, "predictions")[1]
        other = tuple(replace(one, sha256="6" * 64) for one in alone.outputs)
        differs = replace(sources, repredicted=replace(alone, outputs=other), repredicted_file=file)
        assert answer(differs, "predictions")[0] is Answer.NO
        assert to_json(differs)["a_procedure"]["reprediction"]["different"] == ["predictions.csv"]

    def test_predictions_that_did_not_repeat_are_counted(self):
        sources = make_sources(verification=make_verification(5, 3))
        assert "3 of 5 runs agree" in answer(sources, "predictions")[1]


class TestContributions:
    def test_none_declared_is_a_valid_answer_with_its_reason(self):
        text = "contributions: {not_applicable: 画像のため説明変数がない}\n"
        sources = make_sources(declared=text, contributions=None, contributions_file=None)
        assert answer(sources, "contributions") == (Answer.NOT_APPLICABLE, "画像のため説明変数がない", Origin.DECLARED)
        assert answer(sources, "features")[0] is Answer.NOT_APPLICABLE

    def test_denying_what_the_run_left_is_a_mistake_at_its_place(self):
        with pytest.raises(SpecError, match=r"report.yaml:2:33: contributions.not_applicable: says that there are no"):
            make_report(make_sources(declared="title: x\ncontributions: {not_applicable: image}\n"))

    def test_a_training_that_says_there_are_none_declares_it(self):
        none = Contributions(Status.NOT_APPLICABLE, "an image has no variables")
        sources = make_sources(declared="", contributions=none)
        assert answer(sources, "contributions") == (Answer.NOT_APPLICABLE, "an image has no variables", Origin.DECLARED)

    def test_none_computed_is_no(self):
        sources = make_sources(contributions=Contributions(Status.NOT_COMPUTED, "no time"))
        assert answer(sources, "contributions")[:2] == (Answer.NO, "not computed: no time")


class TestEnvironment:
    def test_only_variables_that_change_numbers_are_shown(self):
        values = to_json(make_sources())["u_environment"]["variables"]["values"]
        assert values["PYTHONHASHSEED"] == "32"
        assert "hunter2" not in json.dumps(to_json(make_sources()))
        assert not {"HOME", "PATH", "SECRET_TOKEN"} & values.keys()

    def test_the_packages_of_a_foreign_base_are_not_known(self):
        def make_image_lock(spec):
            base = ImageBase("registry.example/python@sha256:" + "7" * 64, "sha256:" + "8" * 64, (), ())
            return replace(make_lock(spec), base=base)

        sources = make_sources(lock=make_image_lock)
        assert answer(sources, "system")[0] is Answer.NO
        assert answer(sources, "software")[0] is Answer.NO
        environment = to_json(sources)["u_environment"]
        assert environment["software"]["debian"] is None
        assert environment["image"]["base_digest"] == "sha256:" + "8" * 64

    def test_gpus_are_those_that_the_run_was_given(self):
        hardware = to_json(change_record(make_sources(), gpus=(GPU, GPU)))["u_environment"]["hardware"]
        assert (hardware["accelerators_per_node"], hardware["accelerator_model_name"]) == (2, "A GPU")
        assert to_json(make_sources())["u_environment"]["hardware"]["accelerators_per_node"] == 0

    @pytest.mark.parametrize("digest", ["sha256:" + "1" * 64, "local:" + "1" * 64])
    def test_the_cuda_and_the_cudnn_are_those_of_the_lock_and_those_that_were_loaded(self, digest):
        sources = change_record(make_gpu_sources(), image_digest=digest)
        software = to_json(sources)["u_environment"]["software"]
        locked = ("13.0.96", "9.20.0.48") if sources.has_lock else (None, None)
        assert (software["cuda"], software["cudnn"]) == locked
        assert (software["cuda_loaded"], software["cudnn_loaded"]) == ("13.0", "9.21.0")
        keys = {trace["key"] for trace in software["trace"]}
        assert {"gpus", "runtime.processes"} <= keys
        assert check_report(to_json(sources)) == ()

    def test_a_base_image_s_cuda_is_of_the_lock_too(self):
        def lock(spec):
            env = ("CUDA_VERSION=12.8.1", "NV_CUDNN_VERSION=9.8.0.87-1")
            return replace(make_lock(spec), base=ImageBase("nvidia/cuda", "sha256:" + "8" * 64, (), env))

        software = to_json(make_sources(lock=lock))["u_environment"]["software"]
        assert (software["cuda"], software["cudnn"]) == ("12.8", "9.8.0.87")

    @pytest.mark.parametrize(
        ("code", "labels"),
        [
            ("en", ("CUDA, as the run had it loaded", "cuDNN, as the run had it loaded")),
            ("ja", ("CUDA(実行時に読み込まれた版)", "cuDNN(実行時に読み込まれた版)")),
        ],
    )
    def test_every_language_names_them(self, code, labels):
        language = load_language(code)
        written = format_markdown(lay_out(make_report(make_gpu_sources()), language), language)
        assert f"- {labels[0]}: 13.0\n- {labels[1]}: 9.21.0\n" in written
        on_a_cpu = format_markdown(lay_out(make_report(make_sources()), language), language)
        assert labels[0] not in on_a_cpu

    def test_the_memory_that_a_gpu_run_needs_is_not_made_up(self):
        assert answer(make_sources(), "disk")[1].endswith("the run had no GPU")
        assert answer(change_record(make_sources(), gpus=(GPU,)), "disk")[0] is Answer.NO
        said = DECLARED.replace("hardware: {", "hardware: {accelerator_memory_needed: 20 GB, ")
        found = answer(change_record(make_sources(declared=said), gpus=(GPU,)), "disk")
        assert (found[0], found[2]) == (Answer.YES, Origin.DECLARED)
        assert found[1].endswith("GPU memory 20 GB")

    def test_the_machine_has_a_disk_or_that_is_told(self):
        hardware = to_json(make_sources())["u_environment"]["hardware"]
        names = ("system_name", "host_processors_per_node", "host_storage_type", "host_storage_capacity")
        assert [hardware[name] for name in names] == ["A Machine", 1, "NVMe SSD, ext4", 512 * 10**9]
        assert "disk 512.0 GB NVMe SSD, ext4" in answer(make_sources(), "hardware")[1]
        sources = make_sources()
        bare = change_record(sources, host=replace(sources.record.host, storage=None, processors=0, system=""))
        assert answer(bare, "hardware")[:2] == (Answer.NO, "A CPU; the disk is not recorded")
        hardware = to_json(bare)["u_environment"]["hardware"]
        assert [hardware[name] for name in names] == [None, None, None, None]

    def test_what_no_program_can_ask_the_machine_is_a_person_s_word(self):
        found = to_json(make_sources())["u_environment"]["declared_hardware"]
        assert (found["origin"], found["host_networking"]) == ("declared", "10 Gbit/s Ethernet")
        assert to_json(make_sources(declared=""))["u_environment"]["declared_hardware"] is None

    def test_the_dockerfile_is_that_of_the_run_s_spec_and_lock(self):
        image = to_json(make_sources())["u_environment"]["image"]
        assert image["dockerfile_sha256"] == digest("Dockerfile")
        changed = change_record(make_sources(), spec_digest="sha256:" + "0" * 64)
        assert to_json(changed)["u_environment"]["image"]["dockerfile_sha256"] is None
        assert answer(changed, "image")[0] is Answer.NO

    def test_a_processor_without_a_name_is_not_made_up(self):
        sources = make_sources()
        sources = change_record(sources, host=replace(sources.record.host, cpu_model=""))
        assert answer(sources, "hardware")[:2] == (Answer.NO, "the processor's model is not recorded")

    def test_another_lock_says_nothing_of_what_the_image_held(self):
        other = change_record(make_sources(), lock_digest="sha256:" + "9" * 64)
        assert answer(other, "software")[0] is Answer.NO
        assert answer(other, "system")[0] is Answer.NO
        assert answer(other, "image")[1] == "sha256:111111111111…, of another lock than the one here"
        found = to_json(other)
        assert found["u_environment"]["software"]["packages"] == []
        assert found["u_environment"]["hardware"]["other_software_stack"] == {}
        assert check_report(found) == ()
        assert [one["type"] for one in json.loads(format_sbom(make_report(other)))["components"]] == [
            "machine-learning-model"
        ]

    def test_the_compiled_libraries_that_were_loaded_are_named(self):
        build = "libgomp.so.1.0.0, build 0123456789abcdef, GCC: 14.2.1"
        process = make_process("train") | {"libraries": {"libgomp of torch": build, " ": "x", "\x1b[31m": "<blink>"}}
        sources = change_record(make_sources(), runtime=RuntimeRecord((process, {"libraries": ["odd"]}), ()))
        found = to_json(sources)
        stack = found["u_environment"]["hardware"]["other_software_stack"]
        assert (stack["libgomp of torch"], stack["\\x1b[31m"], " " in stack) == (build, "<blink>", False)
        assert check_report(found) == ()
        page = format_html(lay_out(make_report(sources), ENGLISH), ENGLISH)
        assert build in page
        assert "<blink>" not in page

    def test_a_run_without_a_container_proves_nothing_of_an_image(self):
        sources = make_sources()
        process = make_process("train", python={"version": "3.12.1", "executable": "/usr/bin/python3"})
        own = change_record(
            sources,
            image_digest="local:" + "1" * 64,
            engine=replace(sources.record.engine, isolation="namespaces: mount"),
            runtime=RuntimeRecord((process,), ("numpy 1.0 (lock: 2.3.5)",)),
        )
        for name in ("system", "software", "image", "network"):
            assert answer(own, name)[0] is Answer.NO, name
        found = to_json(own)
        assert found["u_environment"]["software"]["python"] == "3.12.1"
        assert found["u_environment"]["software"]["packages"] == []
        assert check_report(found) == ()
        fenced = change_record(own, engine=replace(sources.record.engine, isolation="namespaces: mount, net"))
        assert answer(fenced, "network")[0] is Answer.YES

    def test_what_stood_between_the_run_and_its_machine_is_told(self):
        sources = make_sources()
        engine = replace(sources.record.engine, isolation="namespaces")
        earlier = EarlierRun("20261120-000000", "x", "sha256:" + "1" * 64, ("prepare",), ())
        notes = to_json(change_record(sources, engine=engine, earlier=earlier, spec_digest="sha256:" + "0" * 64))[
            "notes"
        ]
        assert [note.split(":")[0] for note in notes] == [
            "spec changed since the run",
            "The run took place without a container",
            "The run started with what run 20261120-000000 had left.",
        ]


class TestSeeds:
    def test_a_seed_that_is_not_the_spec_s_comes_from_the_run(self):
        found = to_json(change_record(make_sources(), seed=7))
        declared = found["e_seed"]["declared"]
        assert (declared["seed"], declared["origin"], declared["trace"][0]["key"]) == (7, "measured", "seed")
        assert declared["trace"][0]["file"].endswith("run.json")
        assert found["notes"] == ["The run had seed 7, and the spec says 32: the commands make a run with the spec's."]

    def test_they_are_observed_by_stage_and_library(self):
        processes = (make_process("train"), make_process("train", 77, "worker"), {"role": "entrypoint", "backends": {}})
        observed = to_json(change_record(make_sources(), runtime=RuntimeRecord(processes, ())))["e_seed"]["observed"]
        assert observed["processes"] == 2
        assert observed["backends"][0] == {
            "stage": "train", "backend": "numpy", "version": "2.3.5", "seeds": [32, 77], "processes": 2, "detail": "",
        }  # fmt: skip

    def test_a_seed_that_no_process_recorded_is_only_declared(self):
        sources = change_record(make_sources(), runtime=RuntimeRecord((), ()))
        assert answer(sources, "seeds")[0] is Answer.NO
        assert answer(sources, "switches")[0] is Answer.NO

    def test_level_off_needs_a_declaration_that_nothing_is_random(self):
        sources = change_record(make_sources(), level="off")
        assert answer(sources, "seeds")[0] is Answer.NO
        declared = change_record(make_sources(declared="randomness: {none: closed form}\n"), level="off")
        assert answer(declared, "seeds") == (Answer.YES, "declared: no randomness", Origin.DECLARED)

    @pytest.mark.parametrize("odd", [None, 3, "x", [], {"numpy": 3}, {"numpy": {"seed": "x", "version": 7}}, {"": {}}])
    def test_whatever_a_program_left_in_its_record_breaks_nothing(self, odd):
        processes = ({"role": "main", "stage": odd, "backends": odd, "switches": odd},)
        json.loads(
            format_report(make_report(change_record(make_sources(), runtime=RuntimeRecord(processes, ()))), ENGLISH)
        )


class TestExtras:
    def test_the_mean_over_seeds_has_its_interval(self):
        (metric,) = to_json(make_sources())["extra"]["sweep"]["metrics"]
        assert metric["band_low"] < metric["mean_low"] < metric["mean"] < metric["mean_high"] < metric["band_high"]
        half = student_quantile(0.975, 8) * metric["sd"] / 3
        assert metric["mean_high"] - metric["mean"] == pytest.approx(half)

    def test_a_metric_that_nobody_explains_is_told(self):
        assert to_json(make_sources())["extra"]["definitions"]["texts"]["mae"] == "mean of |error|"
        unsaid = make_sources(declared=DECLARED.replace(', mae: "mean of |error|"', ""))
        assert answer(unsaid, "runs")[:2] == (Answer.NO, "not declared what mae means (report.yaml: metrics)")

    def test_a_claim_stands_beside_what_was_measured(self):
        assert answer(make_sources(), "claim")[1] == "rmse 12.5, and the run measured the same"
        other = make_sources(declared=DECLARED.replace("value: 12.5", "value: 12.4"))
        assert answer(other, "claim")[1] == "rmse 12.4; the run measured 12.5"
        unknown = make_sources(declared=DECLARED.replace("metric: rmse", "metric: auc"))
        assert answer(unknown, "claim")[1] == "auc 12.5; the run left no metric of that name"

    def test_the_sweep_leaves_the_claimed_seed_out(self):
        metric = to_json(make_sources())["extra"]["sweep"]["metrics"][0]
        assert 32 not in {one["seed"] for one in metric["values"]}
        assert (metric["n"], metric["claimed"]) == (9, 13.0)

    def test_where_most_seeds_left_no_value_no_claim_lies_among_them(self):
        sweep = make_sources().sweep
        runs = tuple(replace(run, metrics={}) if 4 < run.seed < 32 else run for run in sweep.runs)
        sources = make_sources(sweep=replace(sweep, runs=runs))
        metric = to_json(sources)["extra"]["sweep"]["metrics"][0]
        assert (metric["n"], metric["inside"]) == (4, None)
        assert "rmse over 4 of 9 seeds" in format_html(lay_out(make_report(sources), ENGLISH), ENGLISH)

    def test_without_repetitions_nothing_is_said_of_them(self):
        sources = make_sources(verification=None, sweep=None, sweep_file=None)
        assert answer(sources, "runs")[:2] == (Answer.NO, "not recorded")

    def test_memory_that_nobody_recorded_is_not_made_up(self):
        sources = make_sources()
        stages = tuple(replace(stage, peak_memory=None) for stage in sources.record.stages)
        assert answer(change_record(sources, stages=stages), "time")[0] is Answer.NO

    def test_a_run_with_network_says_so(self):
        assert (
            answer(change_record(make_sources(), network=True), "network")[1]
            == "the run was allowed to use the network"
        )

    def test_repeating_or_sweeping_alone_says_what_is_missing(self):
        assert "no other seeds" in answer(make_sources(sweep=None, sweep_file=None), "runs")[1]
        assert "was not repeated" in answer(make_sources(verification=None), "runs")[1]

    def test_a_verification_that_came_to_no_end_proves_nothing(self):
        ended = replace(make_verification(1, 0), verdict="NOT RUN", reason="interrupted after 1 of 3 runs", bound=None)
        sources = make_sources(verification=ended)
        assert "was not repeated" in answer(sources, "runs")[1]
        assert "not repeated" in answer(sources, "predictions")[1]
        found, reason, _ = answer(replace(sources, sweep=None, sweep_file=None), "runs")
        assert (found, reason) == (Answer.NO, "the newest verification came to no end: interrupted after 1 of 3 runs")

    def test_a_sweep_without_another_seed_is_none(self):
        sources = make_sources(verification=None)
        claimed = tuple(run for run in sources.sweep.runs if run.seed == sources.sweep.claimed_seed)
        sources = replace(sources, sweep=replace(sources.sweep, runs=claimed))
        assert answer(sources, "runs")[:2] == (Answer.NO, "not recorded")

    def test_a_claim_that_reads_as_what_was_measured_is_the_same(self):
        sources = change_record(make_sources(), metrics={"rmse": 12.50000001})
        assert answer(sources, "claim")[1] == "rmse 12.5, and the run measured the same"

    def test_a_licence_that_is_said_in_part_names_what_is_missing(self):
        sources = make_sources(declared="licence: {code: MIT}\n")
        assert answer(sources, "licence")[:2] == (Answer.NO, "not declared: model, data")

    def test_numbers_that_are_none_do_not_enter(self):
        sources = change_record(make_sources(), metrics={"rmse": float("nan"), "mae": 1.0})
        assert to_json(sources)["extra"]["metrics"]["values"] == {"mae": 1.0}


class TestPromises:
    PORTABLE = SPEC.replace("packages: [numpy]", "packages: [numpy]\ndeterminism: {level: portable, cpu: avx2}")

    def write(self, sources, code):
        language = load_language(code)
        return format_markdown(lay_out(make_report(sources), language), language)

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("en", "of the same model with the same branch of the driver as the run had (2 × A GPU with driver 550)"),
            ("ja", "同じ機種・同じ台数・同じ系統のドライバ(2 × A GPU with driver 550)の場合に限られる"),
        ],
    )
    def test_after_a_run_on_gpus_it_says_for_which_the_same_bits_are_promised(self, code, said):
        assert said in self.write(make_gpu_sources(), code)
        assert "driver 550" not in self.write(make_sources(), code)
        assert to_json(make_gpu_sources())["e_seed"]["promised"]["gpus"] == "2 × A GPU with driver 550"

    def test_at_portable_it_says_library_by_library_what_is_promised_and_what_is_not(self):
        sources = make_sources(spec_text=self.PORTABLE)
        promised = to_json(sources)["e_seed"]["promised"]
        assert (promised["level"], promised["cpu"]) == ("portable", "avx2")
        assert {one["key"]: one["holds"] for one in promised["parts"]} == {
            "python": "same",
            "numpy": "same",
            "compiled": "no pin is known",
            "gpu": "not promised",
            "arm": "not promised",
        }
        assert check_report(to_json(sources)) == ()

    @pytest.mark.parametrize(
        ("code", "said", "row"),
        [
            ("en", "on processors that can run avx2", "| anything on a GPU | not promised |"),
            ("ja", "avx2 を実行できる CPU の間で", "| GPU 上の計算全般 | 保証なし |"),
        ],
    )
    def test_so_does_every_language(self, code, said, row):
        written = self.write(make_sources(spec_text=self.PORTABLE), code)
        assert said in written
        assert row in written

    def test_of_another_lock_s_packages_nothing_is_promised(self):
        sources = change_record(make_sources(spec_text=self.PORTABLE), lock_digest="sha256:" + "9" * 64)
        assert to_json(sources)["e_seed"]["promised"]["parts"] == []

    @pytest.mark.parametrize("code", ["en", "ja"])
    def test_every_promise_is_in_every_language(self, code):
        texts = load_language(code).texts
        entries = load_promises()
        assert {f"promise_of.{one['id']}" for one in entries} == {key for key in texts if key.startswith("promise_of.")}
        holds = {f"holds.{one[target]}" for one in entries for target in TARGETS}
        assert holds == {key for key in texts if key.startswith("holds.")}
        assert {f"promise.{level}" for level in Level} <= texts.keys()
