"""PyTorch: data order, initial weights, dropout and a step of training."""

import torch
from harness import main


def draw():
    layer = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(), torch.nn.Linear(3, 2))
    optimizer = torch.optim.Adam(layer.parameters())
    for (batch,) in torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.rand(20, 4)), 5, shuffle=True):
        optimizer.zero_grad()
        layer(batch).sum().backward()
        optimizer.step()
    return layer[0].weight.ravel().tolist()


def bare():
    return torch.rand(3, generator=torch.Generator()).tolist()


if __name__ == "__main__":
    main(draw, bare)
