# syntax=docker/dockerfile:1
# Images of CCAG, one target for each program: dataplane, controlplane, standalone, cli, simulator.
#
#   docker build --target dataplane --tag ccag-dataplane .
#
# Programs are linked statically, and the images hold nothing else but certificates: no shell, no package
# manager. They run as a user that is nobody. With SOURCE_DATE_EPOCH set, the same sources give the same layers.

ARG RUST=1.95

FROM rust:${RUST}-alpine AS build
# What compiles goes nowhere; Alpine keeps no older versions that could be named.
# hadolint ignore=DL3018
RUN apk add --no-cache build-base cmake perl linux-headers ca-certificates
WORKDIR /src
COPY . .
ARG SOURCE_DATE_EPOCH=0
ENV CARGO_TERM_COLOR=never \
    RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/src=ccag"
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --bins \
      --package ccag-dataplane --package ccag-controlplane --package ccag-standalone --package ccag --package bedrock-sim \
    && mkdir -p /out/etc/ssl/certs /out/data /out/tmp \
    && cp target/dist/ccag-dataplane target/dist/ccag-controlplane target/dist/ccag-standalone target/dist/ccag \
      target/dist/bedrock-sim /usr/local/bin/ \
    && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
    && chown 65532:65532 /out/data /out/tmp

FROM scratch AS base
COPY --from=build /out /
USER 65532:65532
WORKDIR /data

FROM base AS dataplane
COPY --from=build /usr/local/bin/ccag-dataplane /ccag-dataplane
ENV CCAG_HTTP_LISTEN=0.0.0.0:8080 CCAG_OPS_LISTEN=0.0.0.0:9090 CCAG_DATA_DIR=/data LOG_FORMAT=json
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ccag-dataplane"]

FROM base AS controlplane
COPY --from=build /usr/local/bin/ccag-controlplane /ccag-controlplane
ENV CCAG_HTTP_LISTEN=0.0.0.0:8081 CCAG_GRPC_LISTEN=0.0.0.0:8082 CCAG_OPS_LISTEN=0.0.0.0:9091 LOG_FORMAT=json
EXPOSE 8081 8082 9091
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ccag-controlplane"]

FROM base AS simulator
COPY --from=build /usr/local/bin/bedrock-sim /bedrock-sim
EXPOSE 4566
ENTRYPOINT ["/bedrock-sim", "--listen", "0.0.0.0:4566"]

FROM base AS cli
COPY --from=build /usr/local/bin/ccag /ccag
ENTRYPOINT ["/ccag"]

FROM base AS standalone
COPY --from=build /usr/local/bin/ccag-standalone /ccag-standalone
ENV PROXY_HOST=0.0.0.0
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ccag-standalone", "--data-dir", "/data"]
