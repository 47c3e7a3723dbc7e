"""What each variable contributes, for a program to write: ``/output/contributions.csv`` and what goes with it.

``from reprobox_runtime import contributions``; ``docs/contributions.md`` has the columns. Unlike the functions
beside it, these raise where they are called wrongly: a table that is not there is only missed at the end.
"""

import os

from .contract import read_contract
from .contributions_from import read_catboost, read_lightgbm, read_shap, read_sklearn, read_xgboost
from .helper import read_number
from .jsontext import format_json

# The same as in reprobox/contributions/table.py, which reads it: host and runtime share no import.
_COLUMNS = (
    *("feature", "importance", "std", "rank", "method", "importance_type", "data_split", "metric"),
    *("n_repeats", "seed", "model_id", "description"),
)
_SIGNS = ("", "absolute", "signed", "difference")
_LONGEST_NAME = 500
_LONGEST_TEXT = 10000
_models = {}
"""(folder, model_id) -> what this process has written of it."""


def write(
    names,
    values,
    *,
    method,
    importance_type,
    data_split,
    metric,
    std=None,
    n_repeats=None,
    seed=None,
    model_id="",
    weight=None,
    descriptions=None,
    sign="",
    sum_to_one=None,
    library="",
    folder="/output",
):
    """Write a model's contributions; ValueError where they say nothing that could be read back.

    ``sign`` says what a negative number means: "absolute" (there is none), "signed" (a direction), "difference" (less
    than nothing). ``metric`` is the score that falls; where the method has no metric, or no seed, the text
    "not applicable: REASON" stands in its place. The ``seed`` is the run's where none is given. Called again with
    another ``model_id`` and a ``weight`` it adds the next model of an ensemble.
    """
    names = [str(name) for name in names]
    numbers = _read_numbers(values, "values", len(names))
    model = {
        "names": _check_names(names),
        "values": numbers,
        "std": _read_numbers(std, "std", len(names)) if std is not None else None,
        "facts": _check_facts(method, importance_type, data_split, metric),
        "n_repeats": None if n_repeats is None else int(n_repeats),
        "seed": _find_seed() if seed is None else _check_seed(seed),
        "weight": None if weight is None else read_number(weight),
        "descriptions": [str(text) for text in descriptions] if descriptions is not None else [""] * len(names),
        "sign": _check_sign(sign, numbers),
        "sum_to_one": sum_to_one,
        "library": str(library),
    }
    _check_model(model)
    _check_texts(str(model_id), model["library"], str(model["seed"]), *model["facts"], *model["descriptions"])
    _keep(str(folder), str(model_id), model)


def not_applicable(reason, folder="/output"):
    """Say that the method has no contributions of variables, and why."""
    _write_none("not_applicable", reason, str(folder))


def not_computed(reason, folder="/output"):
    """Say that it could have some and nobody computed them, and why."""
    _write_none("not_computed", reason, str(folder))


def from_sklearn(source, names=None, **others):
    """Write those of a fitted model or pipeline, or of what ``permutation_importance`` returned."""
    _write_found(read_sklearn(source, names, others), others)


def from_xgboost(model, names=None, importance_type="total_gain", **others):
    """Write those of a Booster or of a model with scikit-learn's interface."""
    _write_found(read_xgboost(model, names, importance_type), others)


def from_lightgbm(model, names=None, importance_type="gain", **others):
    """Write those of a Booster or of a model with scikit-learn's interface; "gain" is the sum over all splits."""
    _write_found(read_lightgbm(model, names, importance_type), others)


def from_catboost(model, names=None, data=None, importance_type="PredictionValuesChange", **others):
    """Write those of a model; some types of importance need a Pool as ``data``."""
    _write_found(read_catboost(model, names, data, importance_type), others)


def from_shap(values, names=None, **others):
    """Write the mean size of SHAP values: of an Explanation, of an array of rows and variables, or of one a class."""
    _write_found(read_shap(values, names), others)


def _write_found(found, others):
    """What the caller says is more than what the library's object says."""
    if not (found.get("data_split") or others.get("data_split")):
        raise ValueError("data_split: say on which rows, such as data_split='test'")
    write(**dict(found, **others))


def _read_numbers(values, what, length):
    values = values.tolist() if hasattr(values, "tolist") else values
    numbers = [read_number(value) for value in values]
    if len(numbers) != length:
        raise ValueError("%d %s for %d names" % (len(numbers), what, length))
    if any(number - number != 0 for number in numbers):
        raise ValueError("%s: not all are finite numbers" % what)
    return numbers


def _check_names(names):
    if not names:
        raise ValueError("names: there are none; not_applicable(reason) says so")
    for name in names:
        if not name.strip() or len(name) > _LONGEST_NAME or "\0" in name:
            raise ValueError("names: %.100r is no name of at most %d characters" % (name, _LONGEST_NAME))
    if len(set(names)) < len(names):
        raise ValueError("names: %.100r is there twice" % next(name for name in names if names.count(name) > 1))
    return names


def _check_facts(*facts):
    facts = tuple(str(fact).strip() for fact in facts)
    if not all(facts):
        raise ValueError(
            "method, importance_type, data_split and metric say what the numbers mean; none may be empty."
            " Where the method has no metric: metric='not applicable: REASON'"
        )
    if _is_bare_absence(facts[3]):
        raise ValueError("metric: is not applicable, and no reason says why")
    return facts


def _check_seed(seed):
    """Return an integer, or the text that says why there is none."""
    text = str(seed).strip() if isinstance(seed, str) else ""
    if not text.lower().startswith("not applicable"):
        return int(seed)
    if _is_bare_absence(text):
        raise ValueError("seed: is not applicable, and no reason says why")
    return text


def _is_bare_absence(text):
    return text.lower().strip(" :") == "not applicable"


def _check_model(model):
    names, weight = model["names"], model["weight"]
    if len(model["descriptions"]) != len(names):
        raise ValueError("%d descriptions for %d names" % (len(model["descriptions"]), len(names)))
    if model["std"] is not None and min(model["std"]) < 0:
        raise ValueError("std: one is negative")
    if model["n_repeats"] is not None and model["n_repeats"] < 1:
        raise ValueError("n_repeats: is less than 1")
    if isinstance(model["seed"], int) and abs(model["seed"]) >= 10**19:
        raise ValueError("seed: has more than 19 digits")
    if weight is not None and not abs(weight) <= 1e300:
        raise ValueError("weight: is no finite number")
    if model["sum_to_one"] and abs(sum(model["values"]) - 1) > 0.01:
        raise ValueError("values: sum to %g, and sum_to_one is true" % sum(model["values"]))


def _check_texts(*texts):
    for text in texts:
        if len(text) > _LONGEST_TEXT or "\0" in text:
            raise ValueError("%.100r is no text of at most %d characters" % (text, _LONGEST_TEXT))


def _check_sign(sign, numbers):
    if sign not in _SIGNS:
        raise ValueError("sign: %.100r is none of absolute, signed and difference" % (sign,))
    if sign == "absolute" and min(numbers) < 0:
        raise ValueError("values: one is negative, and sign is absolute")
    return sign


def _find_seed():
    try:
        contract = read_contract()
    except (OSError, ValueError):
        return "not applicable: the program ran without reprobox, and named no seed"
    return "not applicable: the run set no seed (level off)" if contract["level"] == "off" else contract["seed"]


def _keep(folder, model_id, model):
    ensemble = {key[1]: one for key, one in _models.items() if key[0] == folder}
    ensemble[model_id] = model
    if len(ensemble) > 1:
        for name, one in ensemble.items():
            if not name or one["weight"] is None:
                raise ValueError("model_id %r: every model of an ensemble has a model_id and a weight" % name)
    meta = {
        "schema_version": 1,
        "status": "computed",
        "sign": _join_signs({one["sign"] for one in ensemble.values()}),
        "sum_to_one": _find_common(one["sum_to_one"] for one in ensemble.values()),
        "library": "; ".join(sorted({one["library"] for one in ensemble.values() if one["library"]})),
        "weights": {name: one["weight"] for name, one in ensemble.items() if name and one["weight"] is not None},
    }
    kept = {key: value for key, value in meta.items() if value not in ("", None, {})}
    rows = [row for name in sorted(ensemble) for row in _make_rows(name, ensemble[name], meta["sign"])]
    lines = [_COLUMNS] + rows
    text = "".join(",".join(_quote(cell) for cell in line) + "\n" for line in lines)
    _replace(os.path.join(folder, "contributions.csv"), text)
    _replace(os.path.join(folder, "contributions.meta.json"), format_json(kept) + "\n")
    _models[folder, model_id] = model


def _write_none(status, reason, folder):
    if not str(reason).strip():
        raise ValueError("reason: is empty")
    _check_texts(str(reason))
    for key in [key for key in _models if key[0] == folder]:
        del _models[key]
    try:
        os.unlink(os.path.join(folder, "contributions.csv"))
    except FileNotFoundError:
        pass
    meta = {"schema_version": 1, "status": status, "reason": str(reason)}
    _replace(os.path.join(folder, "contributions.meta.json"), format_json(meta) + "\n")


def _join_signs(signs):
    if len(signs) == 1:
        return signs.pop()
    if signs <= {"absolute", "signed"}:
        return "signed"
    raise ValueError("sign: the models of an ensemble differ in it")


def _find_common(values):
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _make_rows(model_id, model, sign):
    """Return the rows by rank; equal importances share a rank and keep the order they were given in."""
    sizes = [abs(value) if sign == "signed" else value for value in model["values"]]
    first = {}
    for position, size in enumerate(sorted(sizes, reverse=True)):
        first.setdefault(size, position + 1)
    rows = []
    for at in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        spread = "" if model["std"] is None else repr(model["std"][at])
        counts = ["" if model[key] is None else str(model[key]) for key in ("n_repeats", "seed")]
        head = [model["names"][at], repr(model["values"][at]), spread, str(first[sizes[at]])]
        rows.append(head + list(model["facts"]) + counts + [model_id, model["descriptions"][at]])
    return rows


def _quote(cell):
    if any(one in cell for one in ',"\r\n') or cell != cell.strip():
        return '"%s"' % cell.replace('"', '""')
    return cell


def _replace(path, text):
    temporary = "%s.%d" % (path, os.getpid())
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
