"""Six models whose GPU kernels are known to add in any order, each trained for some steps; it leaves the weights."""

import json
import os
import time
from pathlib import Path

import numpy
import torch
from torch import nn

DEVICE = "cuda" if os.environ.get("REPROBOX_GPU") == "1" else "cpu"
STEPS = 5 if DEVICE == "cpu" else 50


class Scatter(nn.Module):
    """``index_add_`` and ``scatter_add_`` of far more rows than there are places."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 64)
        self.register_buffer("places", torch.randint(0, 16, (4096,)))

    def forward(self, x):
        rows = self.layer(x).repeat(4096 // x.shape[0], 1)
        added = torch.zeros(16, 64, device=x.device).index_add_(0, self.places, rows)
        return added + torch.zeros_like(added).scatter_add_(0, self.places[:, None].expand_as(rows), rows)


class Last(nn.Module):
    """What an LSTM says at the end."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(32, 64, num_layers=2, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


MODELS = {
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3)
        ),
        (32, 3, 32, 32),
    ),
    "lstm": (Last, (32, 24, 32)),
    "embedding": (lambda: nn.Sequential(nn.Embedding(32, 64), nn.Linear(64, 8)), (64, 128)),
    "scatter": (Scatter, (64, 64)),
    "attention": (lambda: nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True), (16, 48, 64)),
    "conv-transpose": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(8, 16, 4, stride=2), nn.ReLU(), nn.ConvTranspose2d(16, 3, 4, stride=2)
        ),
        (16, 8, 12, 12),
    ),
}


def train(make, shape):
    """Return the weights after some steps, and the seconds that these took."""
    model = make().to(DEVICE)
    whole = isinstance(model, nn.Sequential) and isinstance(model[0], nn.Embedding)
    x = torch.randint(0, 32, shape, device=DEVICE) if whole else torch.randn(shape, device=DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

    def step():
        optimizer.zero_grad()
        model(x).pow(2).mean().backward()
        optimizer.step()

    step()  # libraries are loaded and algorithms chosen in the first one
    wait()
    began = time.monotonic()
    for _ in range(STEPS):
        step()
    wait()
    seconds = time.monotonic() - began
    weights = torch.cat([weight.detach().flatten() for weight in model.parameters()]).cpu().numpy()
    return weights, seconds


def wait():
    """Until the GPU has done what it was told."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


seconds = {}
for name, (make, shape) in MODELS.items():
    weights, seconds[name] = train(make, shape)
    numpy.save(f"/output/{name}.npy", weights)
Path("/output/seconds.json").write_text(json.dumps({"device": DEVICE, "seconds": seconds}))
