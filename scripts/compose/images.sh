# The images that docker-compose.yml and the Dockerfiles name, made on this machine:
# nothing can be pulled. Programs are built from Go modules (deploy/images), all
# else is Debian's. What takes long is kept in bin/compose.
kept=$root/bin/compose
images=$root/deploy/images

programs() {
  local build=(env CGO_ENABLED=0 GOFLAGS= go build -trimpath -ldflags "-s -w")
  mkdir -p "$kept"
  echo "module kept" >"$kept/go.mod" # ./... of Rollcall does not look into it
  if [[ ! -e $kept/vault ]]; then
    say "building Vault's program: 5 to 20 minutes the first time"
    (cd "$images/vault" && "${build[@]}" -o "$kept/vault" github.com/hashicorp/vault)
  fi
  if [[ ! -e $kept/temporal-server ]]; then
    say "building Temporal's server and its tools: minutes the first time"
    (
      cd "$images/temporal"
      "${build[@]}" -o "$kept/temporal-sql-tool" go.temporal.io/server/cmd/tools/sql
      "${build[@]}" -o "$kept/ui-server" github.com/temporalio/ui-server/v2/cmd/server
      "${build[@]}" -o "$kept/temporal" ./operator
      "${build[@]}" -o "$kept/temporal-server" go.temporal.io/server/cmd/server
    )
  fi
}

# debian is a root that installs packages from a folder of its own: the engine's
# namespace leads nowhere.
debian() {
  [[ ! -e $kept/debian.tar ]] || return 0
  say "making a Debian root with the packages that the images install"
  local at=$kept/debian
  rm -rf --one-file-system "$at"
  cp --archive "$(scripts/debian-root.sh)" "$at"
  chroot "$at" apt-get -q update >/dev/null
  chroot "$at" apt-get -q install --yes --download-only --no-install-recommends \
    slapd ldap-utils openssl postgresql-15 netcat-openbsd ca-certificates tzdata >/dev/null
  mkdir "$at/repo"
  mv "$at"/var/cache/apt/archives/*.deb "$at/repo"
  (cd "$at/repo" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null)
  echo 'deb [trusted=yes] file:/repo ./' >"$at/etc/apt/sources.list"
  rm -rf "${at:?}"/var/lib/apt/lists/*
  tar -C "$at" -cf "$kept/debian.tar.part" .
  mv "$kept/debian.tar.part" "$kept/debian.tar"
  rm -rf --one-file-system "$at"
}

# context is a folder with the files that an image is built from.
context() { # image's folder below $work, files
  mkdir -p "$work/$1"
  cp --archive --dereference --no-preserve=ownership "${@:2}" "$work/$1"
}

build() { # tag, folder, Dockerfile, arguments
  docker build -q -t "$1" -f "$images/$3" "${@:4}" "$work/$2" >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; return 1; }
}

official() {
  export DOCKER_BUILDKIT=0
  docker import -c 'CMD ["bash"]' "$kept/debian.tar" debian:12.11-slim >/dev/null
  local server ui
  server=$(cd "$images/temporal" && go list -m -f '{{.Dir}}' go.temporal.io/server)
  ui=$(cd "$images/temporal" && go list -m -f '{{.Dir}}' github.com/temporalio/ui-server/v2)

  context vault "$kept/vault" "$images/vault-entrypoint.sh"
  build hashicorp/vault:1.21.0 vault Dockerfile.vault
  context postgres "$images/postgres-entrypoint.sh"
  build postgres:16.9-alpine postgres Dockerfile.postgres
  context temporal "$kept"/{temporal,temporal-server,temporal-sql-tool,ui-server} "$server/docker/scripts/sh/entrypoint.sh" "$ui/config/docker.yaml"
  mkdir -p "$work/temporal/schema/postgresql"
  cp -r "$server/schema/postgresql/v12" "$work/temporal/schema/postgresql/v12"
  chmod -R u+w "$work/temporal"
  build temporalio/server:1.31.0 temporal Dockerfile.temporal --target server
  build temporalio/admin-tools:1.31.0 temporal Dockerfile.temporal --target admin-tools
  build temporalio/ui:2.49.1 temporal Dockerfile.temporal --target ui

  # What a build of Rollcall in a container needs of the outside: the modules, and
  # what it compiles of them, so that the second build is quick.
  say "compiling Rollcall's modules for its image"
  GOFLAGS=-modcacherw GOMODCACHE=$kept/modules GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY) go mod download
  GOFLAGS='' GOCACHE=$kept/cache CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$kept/rollcall" ./cmd/rollcall
  mkdir -p "$work/golang"
  cp -r "$(go env GOROOT)" "$work/golang/go"
  cp -r "$kept/modules/cache/download" "$work/golang/proxy"
  cp -r "$kept/cache" "$work/golang/cache"
  build golang:1.26.8-bookworm golang Dockerfile.golang
  rm -rf "${work:?}"/{golang,temporal,vault,postgres}
}
