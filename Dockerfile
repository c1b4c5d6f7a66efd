# The engine as a container: one binary, an account without rights, and data in /data.
FROM rust:1.95-slim-bookworm AS builder
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --package flag \
    && cp target/release/flag /usr/local/bin/flag

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin flag \
    && install --directory --owner=flag --group=flag /data
COPY --from=builder /usr/local/bin/flag /usr/local/bin/flag
USER flag
WORKDIR /
VOLUME /data
EXPOSE 3000
# Beyond loopback, since the container's own loopback is closed to the outside: the engine asks for a token then.
ENV HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/flags.db DATA_DIR=/data
# Whether the port accepts connections. Whether the node is ready, whoever routes to it asks over HTTP.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3000"]
ENTRYPOINT ["flag"]
