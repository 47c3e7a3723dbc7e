"""Accelerate: a step of training that it prepared."""

import torch
from accelerate import Accelerator
from harness import main


def draw():
    accelerator = Accelerator(cpu=True)
    layer = torch.nn.Linear(4, 2)
    loader = torch.utils.data.DataLoader(torch.rand(20, 4), 5, shuffle=True)
    layer, optimizer, loader = accelerator.prepare(layer, torch.optim.SGD(layer.parameters(), 0.1), loader)
    for batch in loader:
        accelerator.backward(layer(batch).square().sum())
        optimizer.step()
    return layer.weight.ravel().tolist()


if __name__ == "__main__":
    main(draw)
