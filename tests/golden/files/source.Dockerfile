# made-up-4: rendered by reprobox from a spec and its lock.
#   spec sha256:9dbc94ba383c0ba14c39105a1c0ebf43c8a168a9ca794a0f6ef3d3ee4b7d4875
#   lock sha256:5b35d5ca056ab6e7637e045db7cb365a2523539ba898ca639af12ef593f5b367
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
    fi

# Source archives: each built with the wheels above, and then all of them installed.
COPY sources/ /sources/
RUN ["/usr/bin/env", "-i", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "LC_ALL=C.UTF-8", "PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "SOURCE_DATE_EPOCH=315532800", "TZ=UTC", "/opt/venv/bin/python", "/sources/build_wheel.py", "/sources/old-thing-1.0.tar.gz", "/sources"]
RUN ["/usr/bin/env", "-i", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "LC_ALL=C.UTF-8", "PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "SOURCE_DATE_EPOCH=315532800", "TZ=UTC", "/opt/venv/bin/python", "/sources/build_wheel.py", "/sources/older-0.9.tar.gz", "/sources"]
RUN PYTHONDONTWRITEBYTECODE=1 /opt/venv/bin/python /wheels/pip-26.0-py3-none-any.whl/pip install \
      --no-index --find-links=/sources --only-binary=:all: --no-deps --no-compile --no-cache-dir --isolated \
      --disable-pip-version-check --root-user-action=ignore old-thing==1.0 older==0.9 \
 && PYTHONHASHSEED=0 /usr/bin/python3.11 -s -S -B /wheels/compile_worker.py /opt/venv/lib/python3.11/site-packages

FROM base
COPY --from=packages /opt/venv /opt/venv
COPY runtime/ /
RUN chmod 1777 /home/reprobox /output /work
COPY source/ /work/
ENV CUBLAS_WORKSPACE_CONFIG=":4096:8"
ENV HOME="/home/reprobox"
ENV LANG="C.UTF-8"
ENV LC_ALL="C.UTF-8"
ENV LOGNAME="reprobox"
ENV MKL_DYNAMIC="FALSE"
ENV MKL_NUM_THREADS="1"
ENV NUMEXPR_NUM_THREADS="1"
ENV OMP_DYNAMIC="FALSE"
ENV OMP_NUM_THREADS="1"
ENV OPENBLAS_NUM_THREADS="1"
ENV PATH="/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENV PYTHONDONTWRITEBYTECODE="1"
ENV PYTHONHASHSEED="7"
ENV PYTHONNOUSERSITE="1"
ENV PYTHONUNBUFFERED="1"
ENV TF_DETERMINISTIC_OPS="1"
ENV TF_NUM_INTEROP_THREADS="1"
ENV TF_NUM_INTRAOP_THREADS="1"
ENV TZ="UTC"
ENV USER="reprobox"
ENV VIRTUAL_ENV="/opt/venv"
LABEL reprobox.level="bitwise"
LABEL reprobox.lock="sha256:5b35d5ca056ab6e7637e045db7cb365a2523539ba898ca639af12ef593f5b367"
LABEL reprobox.name="made-up-4"
LABEL reprobox.seed="7"
LABEL reprobox.spec="sha256:9dbc94ba383c0ba14c39105a1c0ebf43c8a168a9ca794a0f6ef3d3ee4b7d4875"
WORKDIR /work
USER 1000:1000
ENTRYPOINT ["/opt/venv/bin/python", "-I", "/opt/reprobox/entrypoint.py"]
