import json

import torch

with open("/output/versions.json", "w") as stream:
    json.dump({"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}, stream)
