# Two stages: packages are installed in the first, and nothing that installs or builds is left in the second.
# --build-arg EXTRAS=-extras: with what MySQL, Kafka, SFTP, object storage and apprise need beside.
# Configuration: /etc/vigia/config.toml. State: /var/lib/vigia; nothing but that and /tmp is written to (run it --read-only).
FROM python:3.13-slim AS build
WORKDIR /app
ARG EXTRAS=""
COPY requirements.txt requirements-extras.txt ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --only-binary=:all: --require-hashes -r requirements${EXTRAS}.txt
COPY pyproject.toml README.md LICENSE ./
COPY alerts alerts
COPY connectors connectors
COPY detectors detectors
COPY monitor monitor
COPY rules rules
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . && /venv/bin/pip uninstall -y pip setuptools

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Vigía" \
      org.opencontainers.image.description="Watches a bank's corporate payments, finds which clients a failure touches, and opens their cases before they call" \
      org.opencontainers.image.licenses="Apache-2.0"
# The image's own pip goes too, and what could bring it back. Paths are relative to the configuration: its var/ is the state.
RUN python -m pip uninstall -y --root-user-action=ignore pip \
 && rm -rf /usr/local/bin/pip "$(python -c 'import ensurepip; print(*ensurepip.__path__)')" \
 && groupadd --gid 10001 vigia \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/vigia --no-create-home --no-log-init vigia \
 && mkdir -p /etc/vigia /var/lib/vigia && chown vigia:vigia /var/lib/vigia && ln -s /var/lib/vigia /etc/vigia/var
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# By number: Kubernetes' runAsNonRoot cannot tell who a name is.
USER 10001:10001
WORKDIR /var/lib/vigia
VOLUME /var/lib/vigia
# Where `listen` says. Not urllib: it would ask the proxy of the environment for loopback. The first start reads a
# month of history before it is ready, which takes minutes; it is healthy as soon as it is ready.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10m \
  CMD ["python", "-c", "import http.client as h, sys, tomllib as t; m = t.load(open('/etc/vigia/config.toml', 'rb')).get('monitor', {}); c = h.HTTPConnection(m.get('listen', '127.0.0.1:8080'), timeout=2); c.request('GET', '/-/ready'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["vigia"]
CMD ["run", "--config", "/etc/vigia/config.toml"]
