# Rollcall alone: one static binary, no shell, no root. The same image is
# command line, rotation worker and ledger worker.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/rollcall ./cmd/rollcall
# Empty directories that the scratch image cannot make for itself.
RUN mkdir -p /out/ledger /out/home

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /out/rollcall /usr/local/bin/rollcall
# 65532 is nobody in particular. A new named volume takes the owner of the
# directory it covers, so the ledger's is writable at once.
COPY --from=build --chown=65532:65532 /out/ledger /var/lib/rollcall/ledger
COPY --from=build --chown=65532:65532 /out/home /home/rollcall
USER 65532:65532
ENV HOME=/home/rollcall
WORKDIR /home/rollcall
ENTRYPOINT ["/usr/local/bin/rollcall"]
