# Wadi as an image: what `npm run package` puts into the package `wadi`, with its own Node, on a base that has a C library and certificates and
# nothing else: no shell, no package manager. It runs as a user without rights and with a read-only root; /tmp and what jobs mount is all it writes to.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" --tag REGISTRY/wadi --push .
#   docker run --read-only --tmpfs /tmp REGISTRY/wadi --help
#
# Both bases are named by digest. A newer one: `docker buildx imagetools inspect node:24-bookworm-slim`, the line "Digest".
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim@sha256:d6aa754f16b3197301076f047b5def2f02ea1dbbc2ca920407d46d7ec7f87b20
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f

# On the machine's own processor, whatever the image is for: nothing that runs here ends up in it.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
ARG TARGETARCH=amd64
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && npm run package -- --only wadi --folder --out /packages --arch "$(echo "$TARGETARCH" | sed s/amd64/x64/)"

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="wadi" \
      org.opencontainers.image.description="Stream processing in SQL: compiled to WebAssembly, exactly once" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY --from=build --chown=0:0 /packages/wadi /opt/wadi
ENV PATH=/opt/wadi/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    NODE_ENV=production
USER 65532:65532
WORKDIR /tmp
EXPOSE 5114 5115 5116 5118
# Controllers, APIs, nodes and workers answer on their admin port; Nomad and Kubernetes ask by themselves and do not need this.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["/opt/wadi/bin/node", "-e", "const { WADI__ADMIN__BIND_ADDRESS: a, WADI_ADMIN_HOST: h, WADI__ADMIN__HTTP_PORT: p, WADI_ADMIN_PORT: q } = process.env; fetch(`http://${a ?? h ?? '127.0.0.1'}:${p ?? q ?? 5114}/status`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/opt/wadi/bin/node", "/opt/wadi/dist/cli/main.js"]
CMD ["--help"]
