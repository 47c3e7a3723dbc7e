# The same with pip, which compiles bytecode by default.
FROM reprobox/bench-base:latest
USER root
RUN --network=none --mount=type=bind,target=/context \
    /opt/venv/bin/python -m pip install --disable-pip-version-check --no-cache-dir --no-index --no-deps \
    --find-links /context/wheels --require-hashes -r /context/requirements.lock
