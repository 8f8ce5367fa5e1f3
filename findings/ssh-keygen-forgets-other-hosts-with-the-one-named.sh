#!/bin/bash
# ssh-keygen -R HOST: takes the keys of other hosts out of known_hosts as well, and leaves two of
# the ways by which HOST's old key is still believed.
#
# What is surprising: ssh-keygen(1) says that it removes all keys of the named host. It removes
# each line whose names match that host, whole: with a line of several names the others are
# forgotten too, and with a pattern (*.example.org, as roll-outs write it for a site's key) all
# hosts of the site. What it says names the host that was given alone. It keeps the lines of
# another port ([a.example.org]:2222, which the manual hints at), and all with a marker, so what
# @cert-authority lets in is let in as before.
#
# Version: openssh-client 1:9.2p1-2+deb12u10 (Debian 12).
# Seen on 2026-11-30, "ssh-keygen -R a.example.org", exit code 0:
#
#   line of known_hosts                      afterwards   said
#   a.example.org,b.example.org              gone         Host a.example.org found: line 1
#   *.example.org                            gone         Host a.example.org found: line 2
#   !a.example.org,*.example.org             there        -
#   [a.example.org]:2222                     there        -
#   @cert-authority *.example.org            there        -
#   b.example.org in a line of its own       there        -
#
#   is a key known of          before   afterwards
#   c.example.org              yes      no
#   [a.example.org]:2222       yes      yes
#
# Who is hit: whoever gives one stolen machine a new host key and has -R run everywhere: with
# StrictHostKeyChecking=accept-new (or a habit of saying yes) any key is taken at the next
# connection to each of the others; with "yes" their jobs stop, and nobody connects that with
# the one machine. The key that was stolen is still good for the other port.
#
# How Rollcall copes: it reads no known_hosts. A door of type ssh has its host keys in the
# campaign file (host_key), and nothing is offered to a machine with another one.
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
[[ -n $(installed openssh-client) ]] || fail "the Debian 12 package openssh-client is missing: apt-get install --no-install-recommends openssh-client"
known=1:9.2p1-2+deb12u10
[[ $(installed openssh-client) == "$known" ]] || echo "note: seen with openssh-client $known, here it is $(installed openssh-client)"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for name in shared site rest port authority own; do ssh-keygen -q -t ed25519 -N '' -C '' -f "$name"; done
key() { cut -d' ' -f1,2 "$1.pub"; }
cat >known_hosts <<END
a.example.org,b.example.org $(key shared)
*.example.org $(key site)
!a.example.org,*.example.org $(key rest)
[a.example.org]:2222 $(key port)
@cert-authority *.example.org $(key authority)
b.example.org $(key own)
END
cp known_hosts before

# A host of the site that only the pattern knows, so the line for the rest is left out of this.
is_known() { # FILE HOST: is there a key of it, authorities apart?
  grep -v "$(key rest | cut -d' ' -f2)" "$1" >asked
  ssh-keygen -f asked -F "$2" | grep -v '^#\|^@' | grep -q . && echo yes || echo no
}
ssh-keygen -f known_hosts -R a.example.org >said 2>&1 || fail "it ends with $?: $(cat said)"

wrong=0
row() { # NAME KEY EXPECTED
  local is=gone line
  line=$(grep -n "$(key "$2" | cut -d' ' -f2)" before | cut -d: -f1)
  ! grep -qF "$(key "$2")" known_hosts || is=there
  printf '%-41s%-13s%s\n' "$1" "$is" "$(sed -n "s/^# \(Host .* found: line $line\)\b.*/\1/p" said)"
  [[ $is == "$3" ]] || wrong=1
}
row a.example.org,b.example.org shared gone
row '*.example.org' site gone
row '!a.example.org,*.example.org' rest there
row '[a.example.org]:2222' port there
row '@cert-authority *.example.org' authority there
row 'b.example.org in a line of its own' own there
for host in c.example.org '[a.example.org]:2222'; do
  printf '%-27s%-9s%s\n' "$host" "$(is_known before "$host")" "$(is_known known_hosts "$host")"
done | tee table
[[ $(tr -s ' ' <table) == $'c.example.org yes no\n[a.example.org]:2222 yes yes' ]] || wrong=1
if grep -q 'b.example.org\|\*' said; then fail "it names the others now: $(cat said)"; fi
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-30: ssh-keygen -R a.example.org forgets other hosts' keys, and keeps one of a's"
