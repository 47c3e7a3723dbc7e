"""Train the small CNN of museum-chainer-cnn in PyTorch."""

import json
from pathlib import Path

import numpy as np
import torch
from shapes import CLASSES, draw_shapes, hash_arrays
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

OUTPUT = Path("/output")
EPOCHS = 4
BATCH = 50


def make_net():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, CLASSES),
    )


def train(net, images, labels):
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    loss_of = nn.CrossEntropyLoss()
    losses = []
    for epoch in range(EPOCHS):
        total = 0.0
        for x, y in DataLoader(TensorDataset(images, labels), batch_size=BATCH, shuffle=True):
            optimizer.zero_grad()
            loss = loss_of(net(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        losses.append(total / len(labels))
        print(f"epoch {epoch + 1}  loss={losses[-1]:.6f}")
    return losses


def main():
    images, labels = draw_shapes(1200)
    x, y = torch.from_numpy(images), torch.from_numpy(labels).long()
    net = make_net()
    losses = train(net, x[:1000], y[:1000])
    net.eval()
    with torch.no_grad():
        predicted = net(x[1000:]).argmax(dim=1)
    accuracy = float((predicted == y[1000:]).float().mean())
    print(f"accuracy={accuracy:.4f}")
    found = {"accuracy": accuracy, "losses": losses, "data": hash_arrays(images, labels)}
    (OUTPUT / "metrics.json").write_text(json.dumps(found) + "\n")
    np.savez(OUTPUT / "weights.npz", **{name: value.numpy() for name, value in net.state_dict().items()})


if __name__ == "__main__":
    main()
