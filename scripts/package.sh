#!/bin/bash
# Makes the Debian and the RPM package of programs that are built already.
#
#   scripts/package.sh --programs DIR --arch amd64|arm64 --version v1.2.3 --docs DIR --out DIR [--format deb|rpm]
#
# --docs is a folder that `scripts/package-docs.sh` filled. SOURCE_DATE_EPOCH is
# the time of every file: the same input gives the same bytes.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.1

programs='' arch='' version='' docs='' out='' formats=(deb rpm)
while (($# > 0)); do
  case $1 in
    --programs) programs=$2 ;; --arch) arch=$2 ;; --version) version=$2 ;;
    --docs) docs=$2 ;; --out) out=$2 ;; --format) formats=("$2") ;;
    *) echo "package.sh: $1: not known" >&2; exit 1 ;;
  esac
  shift 2
done
: "${programs:?--programs}" "${arch:?--arch}" "${version:?--version}" "${docs:?--docs}" "${out:?--out}"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} TZ=UTC LC_ALL=C
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# stage lays out what the package of a format installs; zsh's completions have a
# place of their own on each family of systems.
stage() {
  local to=$1 zsh=$2
  install -D -m 0755 "$programs/rollcall" "$to/usr/bin/rollcall"
  install -D -m 0755 "$programs/rollcall-engine" "$to/usr/bin/rollcall-engine"
  install -D -m 0644 -t "$to/usr/lib/systemd/system" "$root"/deploy/package/*.service
  install -D -m 0644 -t "$to/usr/share/man/man1" "$docs"/man/*.1
  gzip -9n "$to"/usr/share/man/man1/*.1
  install -D -m 0644 "$docs/completion/rollcall.bash" "$to/usr/share/bash-completion/completions/rollcall"
  install -D -m 0644 "$docs/completion/rollcall.fish" "$to/usr/share/fish/vendor_completions.d/rollcall.fish"
  install -D -m 0644 "$docs/completion/_rollcall" "$to/$zsh/_rollcall"
  install -D -m 0644 -t "$to/usr/share/doc/rollcall" \
    "$root"/{LICENSE,README.md,SECURITY.md,CHANGELOG.md} "$root/deploy/package/copyright"
  install -D -m 0644 -t "$to/usr/share/doc/rollcall/docs" "$root"/docs/*.md
  install -D -m 0644 "$root/config/example.yaml" "$to/usr/share/doc/rollcall/examples/campaign.yaml"
  # A link names the same file on every machine; times are those of the commit.
  find "$to" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# In a version of either family a - ends it, and ~ sorts before what follows.
number=${version#v}
number=${number/-/\~}
number=${number//[-+]/.}

mkdir -p "$out"
out=$(cd "$out" && pwd)
# A copy of the settings, with the time of the commit.
cp -r "$root/deploy/package" "$work/package"
find "$work/package" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
for format in "${formats[@]}"; do
  case $format in
    deb) zsh=usr/share/zsh/vendor-completions name=rollcall_${number}_$arch.deb ;;
    rpm)
      zsh=usr/share/zsh/site-functions
      case $arch in amd64) as=x86_64 ;; arm64) as=aarch64 ;; esac
      name=rollcall-$number-1.$as.rpm
      ;;
  esac
  rm -rf "$work/stage"
  stage "$work/stage" "$zsh"
  # nfpm is built for this machine, whatever the package is for.
  (cd "$work" && env -u GOOS -u GOARCH GOFLAGS= ARCH="$arch" PACKAGE_VERSION="$number" \
    go run "$nfpm" package --config package/nfpm.yaml --packager "$format" --target "$out/$name" >"$work/log" 2>&1) ||
    { cat "$work/log" >&2; exit 1; }
  echo "$out/$name"
done
