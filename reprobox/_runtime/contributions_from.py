"""Read contributions out of other libraries' objects, and import none of these libraries: whoever has one has it."""

import sys

_NO_SCORE = "not applicable: read off the fitted model, no score is computed"


def read_sklearn(source, names, said):
    """Return what a fitted model, a pipeline or a result of ``permutation_importance`` says."""
    if isinstance(source, dict) and "importances_mean" in source:
        return _read_permutation(source, names, said)
    names, model = _open_pipeline(source, names)
    if _find_package(model) != "sklearn" and not hasattr(model, "coef_"):
        raise TypeError("%s is no model of scikit-learn's; there are functions for other libraries" % type(model))
    names = names if names is not None else getattr(model, "feature_names_in_", None)
    found = _read_coefficients(model) if hasattr(model, "coef_") else _read_impurities(model)
    found.update(
        names=_name(names, len(found["values"])), data_split="train", metric=_NO_SCORE, library=_describe(model)
    )
    return found


def _read_permutation(source, names, said):
    if not said.get("metric"):
        raise ValueError("metric: say which score the permutation lowers, such as metric='accuracy'")
    return {
        "names": _name(names, len(source["importances_mean"]), needed=True),
        "values": source["importances_mean"],
        "std": source["importances_std"],
        "method": "permutation",
        "importance_type": "decrease in %s" % said["metric"],
        "n_repeats": source["importances"].shape[1],
        "sign": "difference",
        "library": _describe(source),
    }


def _open_pipeline(source, names):
    if not hasattr(source, "steps"):
        return names, source
    if names is None and len(source.steps) > 1:
        names = source[:-1].get_feature_names_out()
    return names, source.steps[-1][1]


def _read_impurities(model):
    if not hasattr(model, "feature_importances_"):
        raise TypeError(
            "%s has neither feature_importances_ nor coef_: use permutation_importance" % type(model).__name__
        )
    values = model.feature_importances_
    return {
        "values": values,
        "method": "impurity",
        "importance_type": "mean decrease in impurity",
        "sign": "absolute",
        # They are all 0 where no tree has a split.
        "sum_to_one": abs(float(values.sum()) - 1) < 1e-9,
    }


def _read_coefficients(model):
    values = model.coef_
    if values.ndim == 2 and values.shape[0] > 1:
        means = {"values": abs(values).mean(axis=0), "importance_type": "mean(|coefficient|)", "sign": "absolute"}
        return dict(means, method="coefficient")
    return {
        "values": values.reshape(-1),
        "method": "coefficient",
        "importance_type": "coefficient",
        "sign": "signed",
    }


def read_xgboost(model, names, importance_type):
    """Return the scores of a Booster, 0 for the variables that it never split on, which it leaves out."""
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    scores = booster.get_score(importance_type=importance_type)
    known = booster.feature_names or ["f%d" % index for index in range(booster.num_features())]
    values = [scores.get(name, 0.0) for name in known]
    return _describe_trees(booster, names if names is not None else known, values, importance_type)


def read_lightgbm(model, names, importance_type):
    """Return the importances of a Booster: gains are summed there, which is what XGBoost calls total_gain."""
    booster = getattr(model, "booster_", model)
    values = booster.feature_importance(importance_type=importance_type)
    known = names if names is not None else booster.feature_name()
    return _describe_trees(booster, known, values, "total_gain" if importance_type == "gain" else importance_type)


def read_catboost(model, names, data, importance_type):
    """Return the importances of a model; those of PredictionValuesChange sum to 100."""
    values = model.get_feature_importance(data=data, type=importance_type)
    found = _describe_trees(model, names if names is not None else model.feature_names_, values, importance_type)
    if importance_type != "PredictionValuesChange":
        # Of other data than the training's, as far as anybody knows, and a loss can fall.
        found.update(data_split="" if data is not None else "train", sign="difference")
    if importance_type == "LossFunctionChange":
        found.update(metric=str(model.get_all_params().get("loss_function", "the model's own loss")))
    return found


def _describe_trees(model, names, values, importance_type):
    return {
        "names": _name(names, len(values)),
        "values": values,
        "method": "gain" if "gain" in importance_type else importance_type,
        "importance_type": importance_type,
        "data_split": "train",
        "metric": _NO_SCORE,
        "sign": "absolute",
        "library": _describe(model),
    }


def read_shap(values, names):
    """Return the mean size of each variable's values over rows, and over classes where there are some."""
    names = names if names is not None else getattr(values, "feature_names", None)
    arrays = values if isinstance(values, (list, tuple)) else [values]
    means = [_average_sizes(getattr(array, "values", array)) for array in arrays]
    mean = sum(means[1:], means[0]) / len(means)
    return {
        "names": _name(names, len(mean)),
        "values": mean,
        "method": "shap",
        "importance_type": "mean(|SHAP value|)",
        "metric": "not applicable: SHAP values explain the predictions, not a score",
        "sign": "absolute",
        "library": _describe_package("shap"),
    }


def _average_sizes(array):
    if array.ndim not in (2, 3):
        raise ValueError("SHAP values have rows, variables and perhaps classes; these have %d dimensions" % array.ndim)
    return abs(array).mean(axis=0 if array.ndim == 2 else (0, 2))


def _name(names, count, needed=False):
    if names is None and needed:
        raise ValueError("names: are needed, since the result does not have them")
    return list(names) if names is not None else ["f%d" % index for index in range(count)]


def _find_package(value):
    return type(value).__module__.partition(".")[0]


def _describe(value):
    return _describe_package(_find_package(value))


def _describe_package(name):
    version = getattr(sys.modules.get(name), "__version__", "")
    return ("%s %s" % (name, version)).strip() if name in sys.modules else ""
