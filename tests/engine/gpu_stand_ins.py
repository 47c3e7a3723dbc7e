"""GPUs where there are none: NVIDIA's hook and CDI files that put something harmless into a container."""

import json
import sys

HOOK = f"""#!{sys.executable}
# As NVIDIA's does: the container's state on stdin, what is wanted in its environment; here it leaves a file.
import json, os, sys
bundle = json.load(sys.stdin)["bundle"]
with open(os.path.join(bundle, "config.json")) as file:
    config = json.load(file)
wanted = [one for one in config["process"]["env"] if one.startswith("NVIDIA_VISIBLE_DEVICES=")]
with open(os.path.join(bundle, config["root"]["path"], "gpu"), "w") as file:
    print(sys.argv[1], *wanted, file=file)
"""
SMI = """#!/bin/sh
case "$*" in
*counters*) exit 2 ;;
*) echo 'NVIDIA Stand-in, 580.95.05, 1024, GPU-00000000-0000-0000-0000-000000000001, 9.0, [N/A], 0x0' ;;
esac
"""
BUSY_SMI = """#!/bin/sh
case "$*" in
*counters*)
    count=$(($(cat "$0.count" 2>/dev/null || echo 1000000) + 2500000))
    echo "$count" >"$0.count"
    echo "0, $count, 0, $((count / 10)), 7, 0"
    ;;
*) echo 'NVIDIA Stand-in, 580.95.05, 1024, GPU-00000000-0000-0000-0000-000000000001, 9.0, Enabled, 0x4' ;;
esac
"""
"""A divided GPU that is held down by power and heat: its counters grow from one reading to the next."""


def install(folder, name, script):
    """Put a program into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def write_cdi(folder, *names):
    """Describe devices of NVIDIA's kind that are /dev/zero under another name."""
    folder.mkdir(parents=True, exist_ok=True)
    devices = [
        {
            "name": name,
            "containerEdits": {
                "deviceNodes": [{"path": f"/dev/nvidia-{name}", "hostPath": "/dev/zero"}],
                "env": [f"GPU_{name.upper()}=here"],
            },
        }
        for name in names
    ]
    path = folder / "reprobox-test.json"
    path.write_text(json.dumps({"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": devices}))
    return path
