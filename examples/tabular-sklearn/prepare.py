"""Split the table; the split is random and seeded by the container."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

data = load_breast_cancer()
x_train, x_test, y_train, y_test = train_test_split(data.data, data.target, test_size=0.3)
np.savez(
    Path("/output/table.npz"),
    x_train=x_train,
    x_test=x_test,
    y_train=y_train,
    y_test=y_test,
    features=data.feature_names,
)
print(f"{len(y_train)} rows to train on, {len(y_test)} to test")
