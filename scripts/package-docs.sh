#!/bin/bash
# Writes the man pages and the shells' completions, as a program makes them, into a
# folder: package-docs.sh PROGRAM DIR
set -euo pipefail
umask 022
mkdir -p "$2/man" "$2/completion"
"$1" docs --man "$2/man"
"$1" completion bash >"$2/completion/rollcall.bash"
"$1" completion zsh >"$2/completion/_rollcall"
"$1" completion fish >"$2/completion/rollcall.fish"
