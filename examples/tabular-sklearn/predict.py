"""Predict the held-out rows with the trained forest."""

import csv
import json
from pathlib import Path

import joblib
import numpy as np

OUTPUT = Path("/output")

forest = joblib.load(OUTPUT / "model.joblib")
with np.load(OUTPUT / "table.npz") as table:
    predicted, labels = forest.predict(table["x_test"]), table["y_test"]

accuracy = float((predicted == labels).mean())
(OUTPUT / "metrics.json").write_text(json.dumps({"accuracy": accuracy}) + "\n")
with (OUTPUT / "predictions.csv").open("w", newline="") as stream:
    writer = csv.writer(stream)
    writer.writerow(["label", "predicted"])
    writer.writerows(zip(labels.tolist(), predicted.tolist(), strict=True))
print(f"accuracy={accuracy:.4f}")
