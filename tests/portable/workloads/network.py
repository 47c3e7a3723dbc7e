"""What PyTorch computes on a CPU, as one digest a kind of computation: a line of JSON."""

import hashlib
import json
import sys

import torch
from torch import nn
from torch.nn import functional


def digest(tensor):
    return hashlib.sha256(tensor.detach().contiguous().numpy().tobytes()).hexdigest()[:16]


def make_network():
    torch.manual_seed(32)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 49, 10)
    )


def make_perceptron():
    torch.manual_seed(32)
    return nn.Sequential(nn.Linear(256, 64), nn.Tanh(), nn.Linear(64, 10))


def train(network, optimizer, *shape):
    """Take a few steps and return every weight."""
    torch.manual_seed(33)
    x, y = torch.rand(32, *shape), torch.randint(0, 10, (32,))
    for _ in range(4):
        optimizer.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return torch.cat([weight.flatten() for weight in network.parameters()])


def train_with(make, kind, *shape, **options):
    network = make()
    return train(network, kind(network.parameters(), lr=0.01, **options), *shape)


# Not by its public name, which imports Inductor first: minutes on another processor's model.
torch._C._set_deterministic_algorithms(True)
torch.manual_seed(32)
x = torch.rand(256, 256)
image, adam = (1, 16, 16), torch.optim.Adam
computed = {
    "uniform": x,
    "normal": torch.randn(5000),
    "permutation": torch.randperm(5000),
    "bernoulli": torch.empty(5000).bernoulli_(0.3),
    "dropout": functional.dropout(torch.ones(5000), 0.3),
    "exponential": torch.empty(5000).exponential_(),
    "multinomial": torch.multinomial(torch.rand(50), 20),
    "product": x @ x.T,
    "product64": x.double() @ x.double().T,
    "exp": x.exp(),
    "log": x.log1p(),
    "tanh": x.tanh(),
    "softmax": x.softmax(1),
    "sum": x.sum(0),
    "convolution": functional.conv2d(torch.rand(32, 8, 16, 16), torch.rand(8, 8, 3, 3)),
    "sqrt": x.sqrt(),
    "perceptron by SGD": train_with(make_perceptron, torch.optim.SGD, 256),
    "network by SGD": train_with(make_network, torch.optim.SGD, *image),
    "network by Adam": train_with(make_network, adam, *image),
}
if tuple(int(part) for part in torch.__version__.split("+")[0].split(".")) >= (2, 4):
    computed["network by fused Adam"] = train_with(make_network, adam, *image, fused=True)
json.dump({name: digest(tensor) for name, tensor in computed.items()}, sys.stdout)
