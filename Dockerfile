FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY engine/go.mod engine/go.sum engine/
RUN go mod download && go -C engine mod download
RUN go build -C engine -trimpath -ldflags='-s -w' -o /out/ \
    github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics
COPY . .
RUN go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/gatehouse

FROM debian:bookworm-slim
# For connected deployments behind https.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/gatehouse /out/victoria-metrics /usr/local/bin/
RUN useradd --uid 65532 --no-create-home --shell /usr/sbin/nologin gatehouse \
    && install -d -o gatehouse -g gatehouse -m 0700 /data
USER gatehouse
VOLUME /data
# 0.0.0.0 is inside the container only. Publish 8420 and 8427; 8426 has no authentication and stays private.
ENV GATEHOUSE_DATA_DIR=/data \
    GATEHOUSE_ENGINE_DIR=/usr/local/bin \
    GATEHOUSE_CONSOLE_LISTEN=0.0.0.0:8420 \
    GATEHOUSE_ACCESS_LISTEN=0.0.0.0:8427 \
    GATEHOUSE_OPS_LISTEN=0.0.0.0:8426
EXPOSE 8420 8427
HEALTHCHECK CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8426 && printf 'GET /-/ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ code _ <&3 && [ \"$code\" = 200 ]"]
ENTRYPOINT ["gatehouse"]
CMD ["serve"]
