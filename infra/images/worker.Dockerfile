# A KCL worker: `docker run clickstream/worker APP`; APP is one of `clickstream worker --help`.
# infra/images/rehearse.py runs these same steps where there is no docker.
# PYTHON_IMAGE has no default: the pipeline names it with its digest (python:3.11-slim-bookworm@sha256:…).
ARG PYTHON_IMAGE

FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
COPY pyproject.toml uv.lock README.md hatch_build.py ./
COPY infra/images/ infra/images/
COPY clickstream/ clickstream/
COPY producers/ producers/
COPY consumers/ consumers/
COPY models/ models/
COPY serving/ serving/
COPY load/ load/
COPY infra/ infra/
RUN infra/images/install.sh --kcl --extra java --extra archive

FROM ${PYTHON_IMAGE}
WORKDIR /app
COPY --from=build /app/.venv/ .venv/
COPY --from=build /app/sbom.cdx.json ./
COPY infra/images/healthy.py infra/images/worker.sh ./
# here, where its jars stay: it is for these very files
RUN .venv/bin/python -m clickstream.infra.images.class_archive
# the only places that a program writes to; a volume mounted there keeps their owner
RUN mkdir -p .local && chown 10001:10001 .local
VOLUME ["/tmp", "/app/.local"]
ENV PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD [".venv/bin/python", "healthy.py", ".local/workers"]
ENTRYPOINT ["./worker.sh"]
