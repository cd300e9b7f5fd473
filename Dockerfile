# The service alone: built once, then only what runs. Not run where it was written: there is no
# Docker there; tests/system/test_shipping.py checks what can be checked without.
FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/headrace
WORKDIR /source
COPY constraints.txt ./
# The parts first: they change less often than the service, and are kept between builds.
COPY pyproject.toml README.md LICENSE ./
RUN /opt/headrace/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > parts.txt \
    && /opt/headrace/bin/pip install --no-cache-dir --only-binary :all: -c constraints.txt -r parts.txt
COPY service service
COPY queries queries
COPY migrations migrations
RUN /opt/headrace/bin/pip install --no-cache-dir --no-deps . \
    && find /opt/headrace -name __pycache__ -type d -prune -exec rm -rf {} +

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin headrace \
    && install -d -o headrace -g headrace -m 0700 /data
COPY --from=build /opt/headrace /opt/headrace
ENV PATH=/opt/headrace/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    API_HOST=0.0.0.0 \
    API_PORT=8000 \
    HEADRACE_DATA_DIR=/data \
    HEADRACE_LOG_FORMAT=json
USER headrace
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["headrace", "health"]
ENTRYPOINT ["headrace"]
CMD ["up"]
