#!/bin/bash
# Makes a release of the commit that is checked out, into dist/ (or --out):
# archives and packages, an SBOM of each program, BUILD.txt, and checksums, signed.
#
#   scripts/release.sh --key FILE        an SSH key, as ssh-keygen -t ed25519 makes it
#   scripts/release.sh --unsigned        to look at what it makes
#   --platforms "linux/amd64 …"          fewer of them
#
# It builds from a clone of the commit, so nothing that is not committed gets in,
# and the same commit gives the same bytes in any folder, with the Go version that
# BUILD.txt names.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
sbom=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

out=$here/dist key='' unsigned='' platforms="linux/amd64 linux/arm64 darwin/amd64 darwin/arm64"
while (($# > 0)); do
  case $1 in
    --out) out=$2; shift ;;
    --key) key=$2; shift ;;
    --platforms) platforms=$2; shift ;;
    --unsigned) unsigned=yes ;;
    *) echo "release: $1: not known" >&2; exit 1 ;;
  esac
  shift
done
if [[ -z $key && -z $unsigned ]]; then
  echo "release: name the signing key (make release KEY=FILE; ssh-keygen -t ed25519 makes one), or say UNSIGNED=1" >&2
  exit 1
fi
if [[ -n $key && ! -r $key ]]; then
  echo "release: the signing key $key cannot be read" >&2
  exit 1
fi
if [[ -n $(git -C "$here" status --porcelain) ]]; then
  echo "release: there are changes that no commit holds: they are not in what is built" >&2
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [[ -n $(ls -A "$out") ]]; then
  echo "release: $out is not empty: remove it, so that nothing of another build is signed" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
umask 022
export LC_ALL=C TZ=UTC
# What of the environment would change a program.
export CGO_ENABLED=0 GOFLAGS='' GOWORK=off GOEXPERIMENT='' GOFIPS140=off GOAMD64=v1 GOARM64=v8.0
unset GOOS GOARCH
commit=$(git -C "$here" rev-parse HEAD)
src=$work/rollcall
git clone -q --no-checkout "$(git -C "$here" rev-parse --path-format=absolute --git-common-dir)" "$src"
git -C "$src" checkout -q --detach "$commit"
SOURCE_DATE_EPOCH=$(git -C "$src" log -1 --format=%ct)
export SOURCE_DATE_EPOCH

build() { # module, output, package; for GOOS and GOARCH
  (cd "$src/$1" && go build -buildvcs=true -trimpath -ldflags "-s -w" -o "$2" "$3")
}

host=$work/host
build . "$host/rollcall" ./cmd/rollcall
version=$("$host/rollcall" version | sed -n '1s/^rollcall //p')
case $version in v[0-9]*) ;; *) echo "release: the program calls itself $version: there is no version in it" >&2; exit 1 ;; esac
"$src/scripts/package-docs.sh" "$host/rollcall" "$work/docs"
echo "release: $version, commit $commit"

archive() { # folder below $work: its files sorted, with the time of the commit and no owner
  tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar -cf - "$1" |
    gzip -9n >"$out/$1.tar.gz"
}

for platform in $platforms; do
  os=${platform%/*} arch=${platform#*/}
  name=rollcall_${version#v}_${os}_$arch
  echo "release: $platform (rollcall-engine takes minutes the first time)"
  GOOS=$os GOARCH=$arch build . "$work/$name/rollcall" ./cmd/rollcall
  GOOS=$os GOARCH=$arch build engine "$work/$name/rollcall-engine" .
  for program in rollcall rollcall-engine; do
    go run -trimpath "$sbom" bin -json -std -noserial -notimestamp -output "$out/$program${name#rollcall}.cdx.json" "$work/$name/$program" 2>"$work/sbom.log" ||
      { cat "$work/sbom.log" >&2; exit 1; }
  done
  if [[ $os = linux ]]; then
    "$src/scripts/package.sh" --programs "$work/$name" --arch "$arch" --version "$version" --docs "$work/docs" --out "$out" >/dev/null
  fi
  cp -r "$src"/{LICENSE,README.md,SECURITY.md,CHANGELOG.md,docs} "$work/docs/man" "$work/docs/completion" "$work/$name"
  archive "$name"
  rm -rf "${work:?}/$name"
done

cat >"$out/BUILD.txt" <<END
version   $version
commit    $commit
committed $(git -C "$src" log -1 --format=%cI)
go        $(go env GOVERSION) on $(go env GOHOSTOS)/$(go env GOHOSTARCH)
platforms $platforms
again     git checkout $commit && scripts/release.sh --unsigned --out DIR --platforms "$platforms"
END

cd "$out"
sha256sum -- * >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
if [[ -n $key ]]; then
  ssh-keygen -q -Y sign -n rollcall-release -f "$key" SHA256SUMS
fi
echo "release: $(ls | wc -l) files in $out"
[[ -n $key ]] || echo "release: NOT SIGNED"
