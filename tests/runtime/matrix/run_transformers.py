"""Transformers: the first weights of a small model."""

import torch
from harness import main
from transformers import BertConfig, BertModel


def draw():
    config = BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    model = BertModel(config).train()
    return model(torch.arange(6).reshape(1, 6)).last_hidden_state.ravel().tolist()


if __name__ == "__main__":
    main(draw)
