"""Fit the forest and write what each feature contributed."""

import csv
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier

OUTPUT = Path("/output")

with np.load(OUTPUT / "table.npz") as table:
    features = [str(name) for name in table["features"]]
    forest = RandomForestClassifier(n_estimators=200)
    forest.fit(table["x_train"], table["y_train"])

joblib.dump(forest, OUTPUT / "model.joblib")
order = np.argsort(-forest.feature_importances_, kind="stable")
with (OUTPUT / "contributions.csv").open("w", newline="") as stream:
    writer = csv.writer(stream)
    writer.writerow(["feature", "contribution"])
    writer.writerows((features[index], repr(float(forest.feature_importances_[index]))) for index in order)
print("largest contributions:", ", ".join(features[index] for index in order[:3]))
