# What people write by hand with uv: the locked wheels from a bind mount, nothing downloaded, no cache kept.
FROM reprobox/bench-base:latest
USER root
ARG FLAGS=""
RUN --network=none --mount=type=bind,target=/context \
    /context/uv pip install ${FLAGS} --python /opt/venv/bin/python --no-cache --offline --no-index --no-deps \
    --find-links /context/wheels --require-hashes -r /context/requirements.lock
