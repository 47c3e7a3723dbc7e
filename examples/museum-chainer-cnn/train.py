"""Train a small CNN in one of Chainer's two ways of being deterministic; on a CPU both must give the same bits.

environment  CHAINER_CUDNN=0 turns cuDNN off for everything. It cost 2.2 times the time when it was measured in 2017.
functions    only where it matters: convolutions by deterministic algorithms, pooling and ReLU without cuDNN: 2.5 %.
"""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import chainer
import chainer.functions as F  # noqa: N812
import chainer.links as L  # noqa: N812
import numpy as np
from shapes import CLASSES, draw_shapes, hash_arrays

OUTPUT = Path("/output")
EPOCHS = 4
BATCH = 50


def configure(**settings):
    """Return what puts settings in force for a few calls."""
    stack = ExitStack()
    for name, value in settings.items():
        stack.enter_context(chainer.using_config(name, value))
    return stack


class Net(chainer.Chain):
    def __init__(self, by_function):
        super().__init__()
        self.of_convolutions = {"cudnn_deterministic": True} if by_function else {}
        self.of_others = {"use_cudnn": "never"} if by_function else {}
        self.seen = {}
        with self.init_scope():
            self.conv1 = L.Convolution2D(1, 8, 3, pad=1)
            self.conv2 = L.Convolution2D(8, 16, 3, pad=1)
            self.out = L.Linear(16 * 4 * 4, CLASSES)

    def forward(self, x):
        for convolution in (self.conv1, self.conv2):
            with configure(**self.of_convolutions):
                self.seen["convolutions"] = chainer.config.cudnn_deterministic
                x = convolution(x)
            with configure(**self.of_others):
                self.seen["others"] = chainer.config.use_cudnn
                x = F.relu(x)
        with configure(**self.of_others):
            x = F.max_pooling_2d(x, 2)
        return self.out(F.dropout(x, 0.25))


def train(net, images, labels):
    optimizer = chainer.optimizers.Adam(alpha=5e-3).setup(net)
    losses = []
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in np.random.permutation(len(labels)).reshape(-1, BATCH):
            loss = F.softmax_cross_entropy(net(images[batch]), labels[batch])
            net.cleargrads()
            loss.backward()
            optimizer.update()
            total += float(loss.array) * BATCH
        losses.append(total / len(labels))
        print(f"epoch {epoch + 1}  loss={losses[-1]:.6f}")
    return losses


def main(way):
    images, labels = draw_shapes(1200)
    net = Net(by_function=way == "functions")
    losses = train(net, images[:1000], labels[:1000])
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        predicted = net(images[1000:]).array.argmax(axis=1)
    accuracy = float((predicted == labels[1000:]).mean())
    print(f"{way}: accuracy={accuracy:.4f}")
    variable = os.environ.get("CHAINER_CUDNN", "not set")
    convolutions = "deterministic" if net.seen["convolutions"] else "any"
    print(f"{way}: CHAINER_CUDNN {variable}, convolutions {convolutions}, cuDNN for others {net.seen['others']}")
    found = {"accuracy": accuracy, "losses": losses, "data": hash_arrays(images, labels)}
    (OUTPUT / f"{way}.json").write_text(json.dumps(found) + "\n")
    np.savez(OUTPUT / f"{way}.npz", **{name.strip("/"): value.array for name, value in net.namedparams()})


if __name__ == "__main__":
    main(*sys.argv[1:])
