# made-up-3: rendered by reprobox from a spec and its lock.
#   spec sha256:65550cb589e7c3d6abd221114f760c7c6b133ae45007ebf6698b614fce2f2a9c
#   lock sha256:75aa9ea962c3a4fea289ada44b55218ae685b63bd3dcc08927f860f6b1caaa19
# Plain `docker build` of this folder makes the files of the reprobox image, offline, with the classic builder and with
# BuildKit; only times, and with them the image ID, are the builder's own. Every file here was checked by its hash.

FROM scratch AS base
ADD base.tar /

FROM base AS packages
COPY wheels/ /wheels/
RUN /usr/bin/python3.11 -m venv --without-pip /opt/venv \
 && if [ -s /wheels/requirements.lock ]; then \
      PYTHONDONTWRITEBYTECODE=1 /opt/venv/bin/python /wheels/pip-26.0-py3-none-any.whl/pip install \
        --no-index --find-links=/wheels --require-hashes --no-deps --no-compile --no-cache-dir --isolated \
        --disable-pip-version-check --root-user-action=ignore --requirement=/wheels/requirements.lock; \
    fi \
 && PYTHONHASHSEED=0 /usr/bin/python3.11 -s -S -B /wheels/compile_worker.py /opt/venv/lib/python3.11/site-packages

FROM base
COPY --from=packages /opt/venv /opt/venv
COPY runtime/ /
RUN chmod 1777 /home/reprobox /output /work
COPY source/ /work/
ENV HOME="/home/reprobox"
ENV LANG="C.UTF-8"
ENV LC_ALL="C.UTF-8"
ENV LOGNAME="reprobox"
ENV PATH="/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENV PYTHONDONTWRITEBYTECODE="1"
ENV PYTHONNOUSERSITE="1"
ENV PYTHONUNBUFFERED="1"
ENV TZ="UTC"
ENV USER="reprobox"
ENV VIRTUAL_ENV="/opt/venv"
LABEL reprobox.level="off"
LABEL reprobox.lock="sha256:75aa9ea962c3a4fea289ada44b55218ae685b63bd3dcc08927f860f6b1caaa19"
LABEL reprobox.name="made-up-3"
LABEL reprobox.seed="1"
LABEL reprobox.spec="sha256:65550cb589e7c3d6abd221114f760c7c6b133ae45007ebf6698b614fce2f2a9c"
WORKDIR /work
USER 1000:1000
ENTRYPOINT ["/opt/venv/bin/python", "-I", "/opt/reprobox/entrypoint.py"]
