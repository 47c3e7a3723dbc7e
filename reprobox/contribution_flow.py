"""What ``reprobox contributions`` does, top to bottom: show those that a run left, or find them out by shuffling."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from reprobox.contributions.mistakes import quote
from reprobox.contributions.model import Contributions
from reprobox.contributions.predictions import Values, read_values
from reprobox.contributions.read import META, TABLE
from reprobox.contributions.rows import LONGEST_NAME
from reprobox.contributions.runs import has_contributions, read_folder
from reprobox.contributions.scores import METRICS, Metric
from reprobox.contributions.sheet import Sheet, find_danger, open_sheet, read_cells
from reprobox.contributions.write import format_meta, format_table
from reprobox.errors import UsageError
from reprobox.files import make_folder_atomic
from reprobox.json_values import JsonObject
from reprobox.permutation import Permutation, Permuted, Watch, permute
from reprobox.project import Project, open_project
from reprobox.record_text import RECORD_FILE, age_of, find_run
from reprobox.records import EarlierRun
from reprobox.reporting import Reporter
from reprobox.run import RunRequest
from reprobox.settings import Settings
from reprobox.spec.load import load_spec
from reprobox.spec.model import Spec
from reprobox.spec.values import suggest
from reprobox.workflow import go_on_from, prepare_run

PERMUTATION_SCHEMA = 1
UNFINISHED_PERMUTATION = "unfinished.json"
PREDICT = "predict"
_RUNS = Path(".reprobox", "runs")


@dataclass(frozen=True)
class PermuteOptions:
    """What was asked for; "" and empty: not said."""

    input: str
    """NAME, or NAME:FILE for a file in an input that is a folder."""
    labels: str
    """FILE, or FILE:COLUMN."""
    metric: str
    predictions: str
    """FILE, or FILE:COLUMN."""
    columns: tuple[str, ...]
    top: int
    """0: all columns."""
    repeats: int
    jobs: int
    split: str
    earlier: str
    gpus: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """Contributions that are there, and where."""

    title: str
    folder: Path
    contributions: Contributions
    permuted: Permuted | None = None

    def to_json(self) -> JsonObject:
        """Return what ``--json`` prints."""
        known: JsonObject = {"title": self.title, "folder": str(self.folder), **asdict(self.contributions)}
        if self.permuted:
            known |= {
                "baseline": self.permuted.baseline,
                "importances": self.permuted.values,
                "warnings": list(self.permuted.warnings),
            }
        return known


def find_contributions(named: Path) -> tuple[Found, ...]:
    """Return a run's, named by its id, folder or record; or a project's newest, by the run and by shuffling.

    Raises ``UsageError`` where there are none, or where they cannot be read.
    """
    if named.is_dir() and has_contributions(named):
        return (_read(str(named), named),)
    if _is_run(named):
        folder, record = find_run(str(named), _RUNS)
        return (_read(f"run {record.id}", folder / "output"),)
    if not named.exists():
        raise UsageError(f"{named} is neither a spec nor a run", hint=f"the runs made here are in {_RUNS}")
    state = open_project(named).state
    newest = (
        next(_list_newest(state / "runs", "output", "run"), None),
        next(_list_newest(state / "contributions", ".", "shuffled"), None),
    )
    found = tuple(_read(title, folder) for title, folder in filter(None, newest))
    if not found:
        raise UsageError(
            f"no run in {state / 'runs'} left {TABLE}",
            hint="let the program write it, or find out with --permute: docs/contributions.md",
        )
    return found


def permute_project(project: Project, settings: Settings, options: PermuteOptions, watch: Watch) -> Found:
    """Shuffle column by column, run predict each time, and keep what that shows in ``.reprobox/contributions``."""
    metric = check_metric(options)
    spec = load_spec(project.spec_path)
    path, target = find_table(spec, project.folder, options.input)
    sheet = open_sheet(path)
    labels = _read_labels(options.labels) if options.labels else None
    columns = () if options.top else choose_columns(sheet, options, None)
    ready = prepare_run(project, settings, gpus=options.gpus, stage=PREDICT)
    request = go_on_from(ready.request, options.earlier, settings.reporter)
    columns = columns or choose_columns(sheet, options, request.earlier)
    _warn_of_dangers(sheet, columns, settings.reporter)
    _warn_of_labels(options.labels, request, settings.reporter)
    engines = (ready.place.engine, *(ready.place.connect() for _ in range(options.jobs - 1)))
    file, column = split_name(options.predictions)
    kept = _choose_folder(project.state / "contributions", settings)
    with make_folder_atomic(kept) as folder:
        wanted = Permutation(
            run=replace(request, runs=folder / "scratch"),
            sheet=sheet,
            target=target,
            columns=columns,
            named=bool(options.columns),
            repeats=options.repeats,
            predictions=file,
            column=column,
            labels=labels,
            metric=metric,
            split=options.split or f"input {target.removeprefix('/input/')}",
            now=settings.now,
            progress=project.state / "contributions" / UNFINISHED_PERMUTATION,
        )
        found = permute(wanted, engines, watch)
        shutil.rmtree(wanted.run.runs)
        _keep(folder, found, wanted)
    wanted.progress.unlink(missing_ok=True)
    for warning in found.warnings:
        settings.reporter.warn(warning)
    return Found(f"shuffled {kept.name}", kept, read_folder(kept), found)


def check_metric(options: PermuteOptions) -> Metric | None:
    """Return the metric that is asked for; ``None``: none is named. Raises ``UsageError``."""
    if options.metric and not options.labels:
        hint = "name them with --labels FILE; without labels the shift of the predictions counts"
        raise UsageError(f"--metric {options.metric} needs labels", hint=hint)
    if options.metric and options.metric not in METRICS:
        hint = suggest(options.metric[:40], METRICS) or f"there are {', '.join(METRICS)}"
        raise UsageError(f"--metric {options.metric}: there is no such metric", hint=hint)
    if options.top and options.columns:
        raise UsageError("--top and --columns exclude each other", hint="leave one of them out")
    return METRICS[options.metric] if options.metric else None


def find_table(spec: Spec, folder: Path, named: str) -> tuple[Path, str]:
    """Return the table that is to be shuffled, here and in the container."""
    if not spec.inputs:
        raise UsageError("the spec has no inputs", hint="predict must read its table from /input to be given another")
    name, _, file = named.partition(":")
    tables = [one for one, entry in spec.inputs.items() if _is_table(entry.path)]
    folders = [one for one, entry in spec.inputs.items() if (folder / entry.path).is_dir()]
    name = name or _choose_only(tables or folders, "input")
    if name not in spec.inputs:
        hint = suggest(name[:40], spec.inputs) or f"it has {', '.join(spec.inputs)}"
        raise UsageError(f"the spec has no input {name!r}", hint=hint)
    path = (folder / spec.inputs[name].path).resolve()
    if not path.is_dir():
        if file:
            raise UsageError(f"input {name} is a file", hint=f"say --input {name}")
        return path, f"/input/{name}"
    inside = sorted(one.relative_to(path).as_posix() for one in path.rglob("*") if _is_table(one.name))
    file = file or _choose_only(inside, f"table in input {name}", f"{name}:")
    inner = path / PurePosixPath(file)
    if ".." in PurePosixPath(file).parts or not inner.resolve().is_relative_to(path) or not inner.is_file():
        raise UsageError(f"input {name} has no file {file!r}", hint=f"it has {', '.join(inside[:10]) or 'no table'}")
    return inner, f"/input/{name}/{file}"


def choose_columns(sheet: Sheet, options: PermuteOptions, earlier: EarlierRun | None) -> tuple[int, ...]:
    """Return the numbers of the columns to shuffle: those named, the run's own first ones, or all."""
    wanted = options.columns or (_list_top(sheet, options.top, earlier) if options.top else sheet.columns)
    for name in wanted:
        if name not in sheet.columns:
            hint = suggest(name[:40], sheet.columns) or f"it has {', '.join(sheet.columns[:20])}"
            raise UsageError(f"{sheet.path} has no column {name!r}", hint=hint)
        if len(name) > LONGEST_NAME or "\0" in name:
            message = f"{sheet.path}: {quote(name)} is no name of at most {LONGEST_NAME} characters"
            raise UsageError(
                message, hint="name the columns to shuffle with --columns, or give this one a shorter name"
            )
    return tuple(index for index, name in enumerate(sheet.columns) if name in wanted)


def split_name(text: str) -> tuple[str, str]:
    """Return file and column of FILE:COLUMN; a file that is called so is taken as it is."""
    if ":" not in text or Path(text).exists():
        return text, ""
    file, _, column = text.rpartition(":")
    return file, column


def _read_labels(text: str) -> Values:
    file, column = split_name(text)
    return read_values(Path(file).resolve() if Path(file).is_symlink() else Path(file), column)


def _list_top(sheet: Sheet, top: int, earlier: EarlierRun | None) -> tuple[str, ...]:
    """Return the variables that the earlier run says contribute most, as far as the table has them."""
    folder = Path(earlier.folder) / "output" if earlier else None
    if folder is None or not has_contributions(folder):
        hint = "name the columns with --columns, or leave --top out"
        raise UsageError(f"--top {top} goes by the {TABLE} of the earlier run, which left none", hint=hint)
    names = [row.feature for row in sorted(read_folder(folder).rows, key=lambda row: row.rank)]
    known = tuple(dict.fromkeys(name for name in names if name in sheet.columns))[:top]
    if not known:
        raise UsageError(f"none of the variables in the run's {TABLE} is a column of {sheet.path}")
    return known


def _warn_of_dangers(sheet: Sheet, columns: Sequence[int], reporter: Reporter) -> None:
    for index, cells in read_cells(sheet, columns).items():
        if danger := find_danger(sheet.columns[index], cells):
            reporter.warn(f"column {quote(sheet.columns[index])} {danger}: its number may say nothing about the model")


def _warn_of_labels(text: str, request: RunRequest, reporter: Reporter) -> None:
    """Say where the program that is examined could read the answers."""
    path = Path(split_name(text)[0]).resolve()
    inside = {(request.project / file.path).resolve() for file in request.plan.source}
    mounted = {(request.project / entry.path).resolve() for entry in request.spec.inputs.values()}
    if text and (path in inside or mounted & {path, *path.parents}):
        reporter.warn(f"{path.name} is in the container too, where predict can read it")


def _keep(folder: Path, found: Permuted, wanted: Permutation) -> None:
    run = wanted.run
    (folder / TABLE).write_text(format_table(found.contributions), "utf-8", newline="")
    (folder / META).write_text(format_meta(found.contributions), "utf-8")
    record = {
        "schema_version": PERMUTATION_SCHEMA,
        "started": run.started.isoformat(),
        "image_digest": run.image_digest,
        "seed": run.plan.seed,
        "from_run": run.earlier.run if run.earlier else None,
        "inputs": {name: entry.sha256 for name, entry in sorted(run.spec.inputs.items())},
        "shuffled": wanted.target,
        "rows": wanted.sheet.rows,
        "predictions": found.predictions,
        "prediction_column": found.column,
        "label_column": wanted.labels.column if wanted.labels else None,
        "baseline": found.baseline,
        "seconds_of_predict": round(found.seconds, 3),
        "importances": found.values,
        "warnings": list(found.warnings),
    }
    (folder / "permutation.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _choose_folder(parent: Path, settings: Settings) -> Path:
    stamp = settings.now().strftime("%Y%m%d-%H%M%S")
    names = (stamp if count == 1 else f"{stamp}-{count}" for count in range(1, 10_000))
    return next(path for name in names if not (path := parent / name).exists())


def _choose_only(names: Sequence[str], what: str, prefix: str = "") -> str:
    if len(names) == 1:
        return names[0]
    found = f"there is more than one {what}" if names else f"there is no {what} that is a CSV or TSV by its name"
    shown = ", ".join(f"--input {prefix}{name}" for name in names[:10])
    raise UsageError(found, hint=f"say {shown}" if names else "say --input NAME")


def _is_table(name: str) -> bool:
    return name.lower().endswith((".csv", ".tsv", ".tab"))


def _is_run(named: Path) -> bool:
    return any((path / RECORD_FILE).is_file() or path.name == RECORD_FILE for path in (named, _RUNS / named))


def _list_newest(parent: Path, below: str, title: str) -> Iterator[tuple[str, Path]]:
    for folder in sorted(parent.glob("[0-9]*"), key=age_of, reverse=True):
        if has_contributions(folder / below):
            yield f"{title} {folder.name}", folder / below


def _read(title: str, folder: Path) -> Found:
    return Found(title, folder, read_folder(folder))
