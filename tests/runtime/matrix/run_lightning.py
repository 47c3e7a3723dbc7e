"""Lightning: its Trainer."""

import logging
import warnings

import lightning
import torch
from harness import main

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.simplefilter("ignore")


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def training_step(self, batch):
        return torch.nn.functional.dropout(self.layer(batch)).square().sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


def draw():
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(model, torch.utils.data.DataLoader(torch.rand(20, 4), 5, shuffle=True))
    return model.layer.weight.ravel().tolist()


if __name__ == "__main__":
    main(draw)
