# The gateway in a container: slim, without root, its state in one volume, and with the engine that serves moved tasks.
# Other parts: --build-arg EXTRAS=postgres,engine,otel
FROM python:3.13-slim AS build
ARG EXTRAS=postgres,engine
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m venv /app && /app/bin/pip install --no-cache-dir ".[${EXTRAS}]"

FROM python:3.13-slim
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
