# Catena with its bundled model: make image, or docker build -t catena .
#   docker run --rm --read-only --cap-drop ALL -p 8080:8080 catena
# Settings come from /etc/catena/config.yaml (mount your own) and from the environment (CATENA_SCHEDULER_MAX_RUNNING=8),
# models from /models (CATENA_MODEL_PATH=/models/NAME). docs/deploy.md has more.
ARG BUILD_IMAGE=swift:6.3-bookworm
ARG RUN_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /catena
# In a layer of its own: it changes less often than the sources.
COPY deploy/install-packages.sh deploy/install-packages.sh
RUN deploy/install-packages.sh
# The manifest names the tests' folders, so it needs them to be there.
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
RUN swift build -c release --product catena --static-swift-stdlib \
    && install -D --strip "$(swift build -c release --show-bin-path)/catena" /out/catena

FROM ${RUN_IMAGE}
COPY deploy/install-packages.sh /tmp/install-packages.sh
# The user's number is fixed, so that Kubernetes can tell that it is not root, and volumes can be given to it.
RUN /tmp/install-packages.sh runtime \
    && rm -rf /tmp/install-packages.sh /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && groupadd --system --gid 10001 catena \
    && useradd --system --uid 10001 --gid catena --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin catena \
    && install -d /models /etc/catena
COPY --from=build /out/catena /usr/local/bin/catena
COPY Models/catena-fable-16m /usr/share/catena/models/catena-fable-16m
COPY deploy/container/config.yaml /etc/catena/config.yaml
COPY --chmod=755 deploy/container/health.sh /usr/local/bin/catena-health
ENV CATENA_CONFIG=/etc/catena/config.yaml
USER 10001:10001
EXPOSE 8080
VOLUME /models
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["/usr/local/bin/catena-health"]
# Exec form: the server is process 1 itself and gets the SIGTERM that drains it.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/catena"]
CMD ["serve"]
