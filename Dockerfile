# Two stages: packages are installed in the first, and nothing that builds is left in the second.
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.txt pyproject.toml README.md LICENSE ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY alerts alerts
COPY connectors connectors
COPY detectors detectors
COPY monitor monitor
COPY rules rules
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . && /venv/bin/pip uninstall -y pip setuptools

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home vigia && mkdir -p /etc/vigia /var/lib/vigia && chown vigia /var/lib/vigia
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER vigia
WORKDIR /var/lib/vigia
VOLUME /var/lib/vigia
HEALTHCHECK --interval=15s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/-/ready', timeout=2)"]
ENTRYPOINT ["vigia"]
CMD ["run", "--config", "/etc/vigia/config.toml"]
