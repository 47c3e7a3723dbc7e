# made.up_two: rendered by reprobox from a spec and its lock.
#   spec sha256:9bdead1085534f3104ce02ffad1d334f427cd2f995d41ee25089c15460a3fadf
#   lock sha256:06ea567cc8840f9e2df8f5f6fc7546142e5693397b9ff57def0792eeb7d726a6
# Plain `docker build` of this folder makes the files of the reprobox image, offline, with the classic builder and with
# BuildKit; only times, and with them the image ID, are the builder's own. Every file here was checked by its hash.

FROM registry.example/python@sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f AS base

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
ENV MKL_DYNAMIC="FALSE"
ENV MKL_NUM_THREADS="4"
ENV NUMEXPR_NUM_THREADS="4"
ENV ODD="a \"quoted\" \\ \$HOME `date`"
ENV OMP_DYNAMIC="FALSE"
ENV OMP_NUM_THREADS="4"
ENV OPENBLAS_NUM_THREADS="4"
ENV PATH="/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"
ENV PYTHONDONTWRITEBYTECODE="1"
ENV PYTHONHASHSEED="4000000000"
ENV PYTHONNOUSERSITE="1"
ENV PYTHONUNBUFFERED="1"
ENV TF_NUM_INTEROP_THREADS="4"
ENV TF_NUM_INTRAOP_THREADS="4"
ENV TZ="UTC"
ENV USER="reprobox"
ENV VIRTUAL_ENV="/opt/venv"
LABEL reprobox.level="seeded"
LABEL reprobox.lock="sha256:06ea567cc8840f9e2df8f5f6fc7546142e5693397b9ff57def0792eeb7d726a6"
LABEL reprobox.name="made.up_two"
LABEL reprobox.seed="4000000000"
LABEL reprobox.spec="sha256:9bdead1085534f3104ce02ffad1d334f427cd2f995d41ee25089c15460a3fadf"
WORKDIR /work
USER 1000:1000
ENTRYPOINT ["/opt/venv/bin/python", "-I", "/opt/reprobox/entrypoint.py"]
