#!/bin/bash
# snmpd: a new passphrase in a user's createUser line is not taken, by no reload and no restart,
# and neither is the end of that line.
#
# What is surprising: "createUser NAME SHA passphrase ..." in /etc/snmp/snmpd.conf makes the
# user, with each start or reload one would think. It does so once. When snmpd stops or reloads
# it writes the user's key into the file of what it keeps (/var/lib/snmp/snmpd.conf) as usmUser,
# that file is read last, and of two lines for one user the later one counts. So whoever changes
# the passphrase in the file that he wrote, and restarts, has changed nothing: the old one is
# good, the new one is refused, and the log has no word of two lines for one user. Without the
# line the user is still there. snmpd.conf(5) says to write createUser into the kept file, whence
# it is taken out, because of who might read it; not that a line elsewhere counts only once. In
# the kept file the place decides: behind the usmUser line the new one counts, before it not.
#
# Version: snmpd 5.9.3+dfsg-2+deb12u1 (Debian 12), asked by github.com/gosnmp/gosnmp v1.47.0.
# Seen on 2026-11-30:
#
#   createUser with the new passphrase                 old       new
#   instead of the old one, reload (SIGHUP)            in        refused
#   instead of the old one, restart                    in        refused
#   taken out, restart                                 in        refused
#   first line of the kept file, restart               in        refused
#   last line of the kept file, restart                refused   in
#   in its own file, usmUser taken out, restart        refused   in
#
# Who is hit: whoever rotates the passphrase of a monitoring user with a template of snmpd.conf
# and restarts the service, as with a community, for which that is enough: the monitoring is
# refused with its new passphrase, and whoever stole the old one goes on. Whoever takes the line
# out for a user that shall be gone has not taken away its login.
#
# How Rollcall copes: no user of snmpd is called dead because a file was changed. A door of type
# snmp offers the old value and the new one: a signed answer to the old one keeps it open.
# docs/doors.md says what ends it.
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
command -v go >/dev/null || fail "Go is missing (1.26 or later)"
[[ -n $(installed snmpd) ]] || fail "the Debian 12 package snmpd is missing: apt-get install --no-install-recommends snmpd"
known=5.9.3+dfsg-2+deb12u1
[[ $(installed snmpd) == "$known" ]] || echo "note: seen with snmpd $known, here it is $(installed snmpd)"

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; server=; fi; }
trap 'stop; rm -rf "$dir"' EXIT
cd "$dir"

mkdir go
cat >go/main.go <<'END'
// Asks for a machine's uptime with a passphrase: in, refused, or what else came.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/gosnmp/gosnmp"
)

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	c := &gosnmp.GoSNMP{
		Target: "127.0.0.1", Port: uint16(port), Version: gosnmp.Version3, Timeout: 2 * time.Second, Retries: 3,
		SecurityModel: gosnmp.UserSecurityModel, MsgFlags: gosnmp.AuthPriv,
		SecurityParameters: &gosnmp.UsmSecurityParameters{
			UserName: "monitor", AuthenticationProtocol: gosnmp.SHA, AuthenticationPassphrase: os.Args[2],
			PrivacyProtocol: gosnmp.AES, PrivacyPassphrase: os.Args[2],
		},
	}
	err := c.Connect()
	if err == nil {
		_, err = c.Get([]string{".1.3.6.1.2.1.1.3.0"})
	}
	switch {
	case err == nil:
		fmt.Println("in")
	case errors.Is(err, gosnmp.ErrWrongDigest), err.Error() == "incoming packet is not authentic, discarding":
		fmt.Println("refused")
	default:
		fmt.Println(err)
	}
}
END
cat >go/go.mod <<'END'
module finding

go 1.26

require github.com/gosnmp/gosnmp v1.47.0
END
(cd go && GOWORK=off GOFLAGS=-mod=mod go build -o ../ask . >build.log 2>&1) || { cat go/build.log >&2; exit 1; }

export MIBS= MIBDIRS=$dir SNMPCONFPATH=$dir/etc:$dir/lib SNMP_PERSISTENT_DIR=$dir/lib
own=$dir/etc/snmpd.conf kept=$dir/lib/snmpd.conf
line() { echo "createUser monitor SHA $1 AES $1"; }

start() {
  rm -f "$dir/log"
  snmpd -f -Lf "$dir/log" -p "$dir/pid" "udp:127.0.0.1:$port" &
  server=$!
  for _ in {1..100}; do
    grep -q 'NET-SNMP version' "$dir/log" 2>/dev/null && return
    kill -0 "$server" 2>/dev/null || fail "snmpd did not start: $(tail -3 "$dir/log")"
    sleep 0.1
  done
  fail "snmpd did not start: $(tail -3 "$dir/log")"
}
begin() { # a new snmpd, whose user has the old passphrase
  stop
  rm -rf etc lib
  mkdir etc lib
  port=$((20000 + RANDOM % 10000))
  { echo "rwuser monitor priv"; line old-secret; } >"$own"
  start
  [[ $(./ask "$port" old-secret) == in ]] || fail "the user is not there: $(tail -3 "$dir/log")"
}
wrong=0
row() { # what was done, old, new
  local old new
  new=$(./ask "$port" new-secret) old=$(./ask "$port" old-secret)
  printf '%-51s%-10s%s\n' "$1" "$old" "$new"
  [[ $old == "$2" && $new == "$3" ]] || wrong=1
}
again() { stop; start; }

begin
sed -i s/old-secret/new-secret/g "$own"
kill -HUP "$server"
for _ in {1..100}; do grep -qs usmUser "$kept" && break; sleep 0.1; done
row "instead of the old one, reload (SIGHUP)" in refused
again
row "instead of the old one, restart" in refused
if grep -v 'Authentication failed\|NET-SNMP version\|^Connection from\|Received TERM' log | grep -i 'monitor\|user'; then fail "the log has a word of it"; fi

sed -i '/^createUser/d' "$own"
again
row "taken out, restart" in refused

begin
sed -i '/^createUser/d' "$own"
stop
sed -i "1i$(line new-secret)" "$kept"
start
row "first line of the kept file, restart" in refused

begin
sed -i '/^createUser/d' "$own"
stop
line new-secret >>"$kept"
start
row "last line of the kept file, restart" refused in

begin
stop
sed -i s/old-secret/new-secret/g "$own"
sed -i '/^usmUser/d' "$kept"
start
row "in its own file, usmUser taken out, restart" refused in

[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-30: a changed createUser line leaves the old passphrase good, and the new one refused"
