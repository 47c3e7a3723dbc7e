"""Fit the forest and write what each feature contributed."""

from pathlib import Path

import joblib
import numpy as np
from reprobox_runtime import contributions
from sklearn.ensemble import RandomForestClassifier

OUTPUT = Path("/output")

with np.load(OUTPUT / "table.npz") as table:
    features = [str(name) for name in table["features"]]
    forest = RandomForestClassifier(n_estimators=200)
    forest.fit(table["x_train"], table["y_train"])

joblib.dump(forest, OUTPUT / "model.joblib")
order = np.argsort(-forest.feature_importances_, kind="stable")
contributions.from_sklearn(forest, features)
print("largest contributions:", ", ".join(features[index] for index in order[:3]))
