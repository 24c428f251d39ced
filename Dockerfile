# The gateway in a container: slim, without root, its state in one volume, and with the engine that serves moved tasks.
# Other parts: --build-arg EXTRAS=postgres,engine,otel
# An image of one digest: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:... (docs/security.md says where to read it)
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ARG EXTRAS=postgres,engine
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY lock ./lock
COPY src ./src
# What is installed is what lock/ names, with its hash, as wheels; then the package itself, without anything it needs.
RUN python -m venv /build/tools /app \
 && pip="/build/tools/bin/pip --disable-pip-version-check --no-cache-dir" \
 && locked="install --require-hashes --no-deps --only-binary :all:" \
 && parts="$(echo "gateway,${EXTRAS}" | sed 's#\([^,][^,]*\),*#--requirement lock/\1.txt #g')" \
 && ${pip} ${locked} --requirement lock/build.txt \
 && ${pip} --python /app/bin/python ${locked} ${parts} \
 && ${pip} wheel --no-deps --no-build-isolation --wheel-dir /build/dist . \
 && ${pip} --python /app/bin/python install --no-deps /build/dist/*.whl \
 && ${pip} --python /app/bin/python check

FROM ${PYTHON_IMAGE}
# libgomp1 is what the engine needs of the system
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm --recursive --force /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 freehold \
 && useradd --system --uid 10001 --gid freehold --no-create-home --shell /usr/sbin/nologin freehold \
 && install --directory --owner=freehold --group=freehold --mode=0700 /var/lib/freehold
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FREEHOLD_STATE=/var/lib/freehold \
    FREEHOLD_GATEWAY_HOST=0.0.0.0
# A freehold.toml that is mounted here is read.
WORKDIR /etc/freehold
USER 10001:10001
VOLUME /var/lib/freehold
EXPOSE 8700
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8700/healthz', timeout=2)"]
ENTRYPOINT ["freehold"]
CMD ["up"]
