# syntax=docker/dockerfile:1
# The service in one image: the web side by default, `python -m workers` as the worker; docker-compose.yaml runs both.
#   docker build -t speech:cpu .                              for processors
#   docker build -t speech:cuda --build-arg VARIANT=cuda .    for NVIDIA GPUs; larger by the CUDA libraries
# With --build-arg LOCK=requirements-cluster.lock it also has the packages for several machines.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim-bookworm

ARG VARIANT=cpu
ARG LOCK=requirements.lock
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /srv/speech
COPY requirements.lock requirements-cluster.lock deploy/install.py ./
# torch from PyPI needs the CUDA libraries; PyTorch's own index has builds without them, in the versions that the lock names.
# The service cannot write beside its packages, so they are compiled here.
RUN --mount=type=cache,target=/root/.cache \
    case "$VARIANT" in \
        cpu) set -- --torch-index https://download.pytorch.org/whl/cpu ;; \
        cuda) set -- ;; \
        *) echo "VARIANT is cpu or cuda, not $VARIANT" >&2; exit 1 ;; \
    esac \
    && python -m venv /opt/venv \
    && UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 /opt/venv/bin/python install.py "$@" "${LOCK:-requirements.lock}"

# Volumes take the owner of the folders they are mounted over, so the folders are made here. Login shells set a PATH of their own.
RUN groupadd --gid 10001 speech \
    && useradd --uid 10001 --gid speech --create-home --no-log-init speech \
    && echo "PATH=$PATH" > /etc/profile.d/speech.sh \
    && install -d -o speech -g speech models cache database
COPY --chown=speech:speech models/ models/
COPY wsgi.py gunicorn.conf.py config.yaml ./
COPY app/ app/
COPY workers/ workers/

USER 10001:10001
ENV HOST=0.0.0.0 \
    PORT=8000 \
    DB_URL=sqlite:////srv/speech/database/records.db
EXPOSE 8000
VOLUME ["/srv/speech/models", "/srv/speech/cache", "/srv/speech/database"]

# Liveness only: without a worker the web side still accepts recordings; /health/ready tells whether they will be worked on.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health/live' % os.environ['PORT'], timeout=4)"]

# gunicorn's heartbeat file belongs in memory: on a busy disk its workers would be taken for dead.
# A stop lets uploads end (server.graceful_timeout, 60 s): docker stop --time 75. Docker itself waits 10 s and kills.
CMD ["gunicorn", "-c", "gunicorn.conf.py", "--worker-tmp-dir", "/dev/shm", "wsgi:app"]
