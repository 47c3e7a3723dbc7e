"""Train a small CNN on 8×8 handwritten digits; no seed is set here, the container does that."""

import csv
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset

OUTPUT = Path("/output")
EPOCHS = 12


class NoisyDigits(Dataset):
    """Digits with a little noise, drawn by NumPy in the worker that loads them."""

    def __init__(self, images, labels):
        self.images = images
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        noise = np.random.normal(scale=0.05, size=(1, 8, 8))
        return torch.tensor(self.images[index] + noise, dtype=torch.float32), int(self.labels[index])


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(32 * 4 * 4, 10),
    )


def train(model, loader):
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(EPOCHS):
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        print(f"epoch {epoch + 1:2d}  loss={total / len(loader.dataset):.6f}")


def main():
    digits = load_digits()
    images = (digits.images / 16.0)[:, None, :, :]
    x_train, x_test, y_train, y_test = train_test_split(images, digits.target, test_size=0.25)
    model = make_model()
    started = time.perf_counter()
    train(model, DataLoader(NoisyDigits(x_train, y_train), batch_size=64, shuffle=True, num_workers=2))
    model.eval()
    with torch.no_grad():
        predicted = model(torch.tensor(x_test, dtype=torch.float32)).argmax(dim=1).numpy()
    accuracy = float((predicted == y_test).mean())
    print(f"accuracy={accuracy:.4f}  ({time.perf_counter() - started:.1f} s)")

    torch.save(model.state_dict(), OUTPUT / "model.pt")
    (OUTPUT / "metrics.json").write_text(json.dumps({"accuracy": accuracy}) + "\n")
    with (OUTPUT / "predictions.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", "predicted"])
        writer.writerows(zip(y_test.tolist(), predicted.tolist(), strict=True))


if __name__ == "__main__":
    main()
