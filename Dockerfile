# The images of Revocast: docker build --target issuer|streams|service|setup .
# For the classic builder and for BuildKit. BASE is any image with Python 3.11 or newer, venv and pip.
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS python
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/revocast/bin:$PATH
# One id in all images: a volume keeps its owner when another image mounts it.
RUN useradd --uid 10001 --home-dir /var/lib/revocast --shell /usr/sbin/nologin revocast \
    && install --directory --owner revocast --group revocast --mode 0700 /var/lib/revocast


# Every wheel, once: the locked ones with their hashes checked, then ours. From PyPI, or from deploy/wheels if it is filled.
FROM python AS wheels
WORKDIR /src
COPY deploy/image/fetch-wheels deploy/image/requirements deploy/image/
COPY deploy/wheels deploy/wheels
COPY pyproject.toml uv.lock ./
COPY schemas/pyproject.toml schemas/
COPY issuer/pyproject.toml issuer/
COPY streams/pyproject.toml streams/
COPY consumer_sdk/pyproject.toml consumer_sdk/
COPY dev/pyproject.toml dev/
RUN sh deploy/image/fetch-wheels /wheels
COPY schemas schemas
COPY issuer issuer
COPY streams streams
COPY consumer_sdk consumer_sdk
RUN for package in revocast-schemas revocast-issuer revocast-streams revocast; do \
        /opt/uv/bin/uv build --offline --quiet --wheel --package $package --out-dir /wheels || exit; \
    done
COPY deploy/image deploy/image
COPY dev/revocast/dev/broker/certificates.py deploy/image/
COPY examples examples
# From here on nothing is fetched: each environment takes its part of /wheels.
ENV UV_OFFLINE=1 UV_NO_INDEX=1 UV_FIND_LINKS=/wheels UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy


FROM wheels AS issuer-environment
RUN python3 -m venv --without-pip /opt/revocast \
    && /opt/uv/bin/uv pip install --quiet --python /opt/revocast revocast-issuer "revocast[cli]" \
    && install --mode 0755 deploy/image/healthy /opt/revocast/bin/


FROM wheels AS streams-environment
RUN python3 -m venv --without-pip /opt/revocast \
    && /opt/uv/bin/uv pip install --quiet --python /opt/revocast revocast-streams "revocast[cli]" \
    && install --mode 0755 deploy/image/healthy /opt/revocast/bin/


FROM wheels AS service-environment
RUN python3 -m venv --without-pip /opt/revocast \
    && /opt/uv/bin/uv pip install --quiet --python /opt/revocast "revocast[fastapi]" uvicorn \
    && install --mode 0755 deploy/image/healthy /opt/revocast/bin/ \
    && install -D --mode 0644 --target-directory /opt/revocast/service examples/fastapi_service/service.py


FROM issuer-environment AS setup-environment
RUN /opt/uv/bin/uv pip install --quiet --python /opt/revocast "revocast[acl]" \
    && cd deploy/image && install --mode 0755 make-authority make-secrets make-users certificates.py /opt/revocast/bin/


FROM python AS issuer
COPY --from=issuer-environment /opt/revocast /opt/revocast
ENV REVOCAST_HOME=/var/lib/revocast REVOCAST_LISTEN=0.0.0.0:8080 HEALTH_URL=http://127.0.0.1:8080/readyz
USER revocast
WORKDIR /var/lib/revocast
VOLUME /var/lib/revocast
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["healthy"]
CMD ["revocast", "serve", "issuer"]


FROM python AS streams
COPY --from=streams-environment /opt/revocast /opt/revocast
ENV REVOCAST_STREAMS_DATADIR=/var/lib/revocast/streams REVOCAST_STREAMS_LISTEN=0.0.0.0:8082 \
    HEALTH_URL=http://127.0.0.1:8082/readyz
USER revocast
WORKDIR /var/lib/revocast
VOLUME /var/lib/revocast
EXPOSE 8082
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["healthy"]
CMD ["revocast", "serve", "streams"]


# The sample service: a pattern for yours.
FROM python AS service
COPY --from=service-environment /opt/revocast /opt/revocast
ENV REVOCAST_STATE_DIR=/var/lib/revocast HEALTH_URL=http://127.0.0.1:8001/healthz
USER revocast
WORKDIR /var/lib/revocast
VOLUME /var/lib/revocast
EXPOSE 8001
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["healthy"]
CMD ["uvicorn", "--app-dir", "/opt/revocast/service", "--host", "0.0.0.0", "--port", "8001", "service:app"]


# What runs once, before the others: secrets, topics, the authority.
FROM python AS setup
COPY --from=setup-environment /opt/revocast /opt/revocast
ENV REVOCAST_HOME=/var/lib/revocast
RUN install --directory --owner revocast --group revocast /trust \
    && install --directory --owner revocast --group revocast --mode 0700 /snapshot-key
USER revocast
WORKDIR /var/lib/revocast
