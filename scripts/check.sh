#!/bin/bash
# Everything that can be said about the code without running it, and the
# directions between packages. Arguments: staticcheck and workflowcheck, as
# module@version. Every check runs; the exit code is 1 if any found something.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

# The same flags as the builds, or Go compiles Vault and Temporal a second time.
nested() { (cd "$1" && CGO_ENABLED=0 "${@:2}"); }

step() {
  local name=$1 out
  shift
  echo "check: $name"
  if ! out=$("$@" 2>&1); then
    failed=1
    printf '%s\n' "$out" | sed 's/^/  /'
    echo "  FAILED: $name"
  fi
}

formatted() {
  local files
  files=$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l)
  [[ -z $files ]] || { echo "run gofmt -w on:"; echo "$files"; return 1; }
}

# Comments wrap at 80 columns, a tab being four, and the prose of documents at
# 100. Addresses, tables and code have the length that they have, and so has what
# is made from the texts of --help (docs/commands.md).
columns() {
  local long
  long=$(git ls-files -co --exclude-standard '*.go' '*.md' | grep -v '^docs/commands[.]md$' | xargs -r perl -CSD -ne '
    if (/^\s*```/) { $code = !$code }
    ($width = $_) =~ s/\t/    /g;
    my $most = $ARGV =~ /[.]go$/ ? 80 : 100;
    my $prose = $most == 80 ? m{^\t*// } : !$code && !/^\|/;
    print "$ARGV:$.\n" if $prose && !m{https?:} && length($width) > $most + 1;
    if (eof) { close ARGV; $code = 0 }')
  [[ -z $long ]] || { echo "wrap these lines:"; echo "$long"; return 1; }
}

step "gofmt" formatted
step "columns of comments and documents" columns
step "go vet" go vet ./...
step "the program builds for another system" env GOOS=darwin CGO_ENABLED=0 go build -o /dev/null ./cmd/rollcall
step "go vet of what make release-test runs" go vet -tags release ./internal/release
step "go vet engine/ (minutes the first time)" nested engine go vet -trimpath ./...
step "go vet devvault/ (minutes the first time)" nested devvault go vet -trimpath ./...
step "staticcheck" go run "$1" ./...
step "workflowcheck: workflows are deterministic" go run "$2" ./workflows/...
step "directions between packages" go test -count=1 ./internal/architecture
for module in . engine devvault; do
  step "go.mod of $module is tidy" nested "$module" go mod tidy -diff
done

((failed == 0)) && echo "check: all good"
exit $failed
