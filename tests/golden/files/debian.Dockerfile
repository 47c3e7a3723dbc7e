# made-up: rendered by reprobox from a spec and its lock.
#   spec sha256:e7360b0242807b75fa2182144629d88bfc439dd6a475e20ccf019f9248a7dd14
#   lock sha256:f82e2156707c12c0d86266d0900396f93155e748e004bdbe39019fa0cd9f2b6a
# Plain `docker build` of this folder makes the files of the reprobox image, offline, with the classic builder and with
# BuildKit; only times, and with them the image ID, are the builder's own. Every file here was checked by its hash.

# The base that specs build on by default: Debian, bootstrapped from pinned package files, without any registry.
# base.tar has the packages' files and an empty package database, which is enough to run dpkg; base/ has the packages
# and the script that installs them. See install-packages.sh there for what is left out and why.
FROM scratch AS base
ADD base.tar /
COPY base/ /
RUN ["/bin/sh", "/var/cache/reprobox/packages/install-packages.sh"]

# Debian packages the spec asks for.
COPY system/ /
RUN ["/bin/sh", "/var/cache/reprobox/packages/install-packages.sh"]

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
RUN ["/usr/bin/env", "-i", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "LC_ALL=C.UTF-8", "PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "SOURCE_DATE_EPOCH=315532800", "TZ=UTC", "/bin/sh", "-e", "-c", "mkdir -p \"/opt/a b\" && echo 'it''s' > '/opt/a b/$HOME'"]
RUN ["/usr/bin/env", "-i", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "LC_ALL=C.UTF-8", "PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "SOURCE_DATE_EPOCH=315532800", "TZ=UTC", "/bin/sh", "-e", "-c", "python -c \"print('100 %', \\\"q\\\")\""]
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
ENV PLAIN="word"
ENV PYTHONDONTWRITEBYTECODE="1"
ENV PYTHONHASHSEED="32"
ENV PYTHONNOUSERSITE="1"
ENV PYTHONUNBUFFERED="1"
ENV SIGNS="a=b;c#d{e}%f"
ENV TF_DETERMINISTIC_OPS="1"
ENV TF_NUM_INTEROP_THREADS="1"
ENV TF_NUM_INTRAOP_THREADS="1"
ENV TZ="UTC"
ENV USER="reprobox"
ENV VIRTUAL_ENV="/opt/venv"
ENV WITH_BLANKS="  two  words  "
ENV WORDS="grüße"
LABEL reprobox.level="bitwise"
LABEL reprobox.lock="sha256:f82e2156707c12c0d86266d0900396f93155e748e004bdbe39019fa0cd9f2b6a"
LABEL reprobox.name="made-up"
LABEL reprobox.seed="32"
LABEL reprobox.spec="sha256:e7360b0242807b75fa2182144629d88bfc439dd6a475e20ccf019f9248a7dd14"
WORKDIR /work
USER 1000:1000
ENTRYPOINT ["/opt/venv/bin/python", "-I", "/opt/reprobox/entrypoint.py"]
