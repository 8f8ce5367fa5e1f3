#!/bin/bash
# FreeRADIUS: a reload takes the new passwords of some places and not of others, and says of all
# that they were read.
#
# What is surprising: "systemctl reload freeradius" has the configuration checked, sends SIGHUP,
# and the log says "Re-reading configuration files" and "loading modules". It does read them, and
# makes anew those modules that can be: files (the users file) is one of them. Neither ldap nor
# the clients and their shared secrets are. So of three passwords that were changed at once, the
# user's is the new one, and the client's and the one that ldap binds with are the old ones until
# a restart, without a warning. A client with the new secret is sent no answer; ldap goes on with
# the connections that it has, and fails when it opens the next one, which may be days later.
#
# Version: freeradius and freeradius-ldap 3.2.1+dfsg-4+deb12u1, slapd 2.5.13+dfsg-5 (Debian 12),
# asked by layeh.com/radius v0.0.0-20231213012653-1006025d24f8.
# Seen on 2026-11-30, for what each is used with:
#
#   changed                          after           old       new
#   a user's password, in the file   SIGHUP          refused   in
#   a client's shared secret         SIGHUP          in        silence
#   the password that ldap binds by  SIGHUP          still     not yet
#   a user's password, in the file   restart         refused   in
#   a client's shared secret         restart         silence   in
#   the password that ldap binds by  restart         no more   used
#
# Who is hit: whoever changes a stolen shared secret and reloads: the devices with the new one
# are cut off, and those who have the old one are not. Whoever changes the password of the bind
# account in the directory and here, reloads and sees that logins go on: by a connection that was
# bound before. The next one has result 49 in the directory's log, which looks like an attack.
#
# How Rollcall copes: silence at a door of type radius is never a refusal, so the old shared
# secret is not dead by a reload. A bind with an old password after its death is a finding of
# evidence (tried-after-rotation, of the reason usual-place: a consumer that was missed).
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
command -v go >/dev/null || fail "Go is missing (1.26 or later)"
for package in freeradius freeradius-ldap slapd ldap-utils; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
known=3.2.1+dfsg-4+deb12u1
[[ $(installed freeradius) == "$known" ]] || echo "note: seen with freeradius $known, here it is $(installed freeradius)"

dir=$(mktemp -d)
server= directory=
end() { kill "$1" 2>/dev/null || true; wait "$1" || true; }
stop() { if [[ -n $server ]]; then end "$server"; server=; fi; }
trap 'stop; [[ -z $directory ]] || end "$directory"; rm -rf "$dir"' EXIT
cd "$dir"

mkdir go
cat >go/main.go <<'END'
// A login by RADIUS: in, refused, or silence.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
)

func main() {
	port, secret, name, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	p := radius.New(radius.CodeAccessRequest, []byte(secret))
	if err := errors.Join(rfc2865.UserName_SetString(p, name), rfc2865.UserPassword_SetString(p, password)); err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	answer, err := (&radius.Client{Retry: 2 * time.Second}).Exchange(ctx, p, "127.0.0.1:"+port)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("silence")
	case err != nil:
		fmt.Println(err)
	case answer.Code == radius.CodeAccessAccept:
		fmt.Println("in")
	default:
		fmt.Println("refused")
	}
}
END
cat >go/go.mod <<'END'
module finding

go 1.26

require layeh.com/radius v0.0.0-20231213012653-1006025d24f8
END
(cd go && GOWORK=off GOFLAGS=-mod=mod go build -o ../ask . >build.log 2>&1) || { cat go/build.log >&2; exit 1; }

base=dc=example,dc=org
mkdir db
cat >slapd.conf <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "$base"
rootdn "cn=admin,$base"
rootpw admin-secret
directory $dir/db
END
person() { printf 'dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nuserPassword: %s\n\n' "$1" "$base" "$1" "$1" "$1" "$2"; }
{ printf 'dn: %s\nobjectClass: domain\ndc: example\n\n' "$base"; person radius old-bind; person carol carol-secret; } | /usr/sbin/slapadd -f slapd.conf
ldap=$((20000 + RANDOM % 5000)) port=$((25000 + RANDOM % 5000))
/usr/sbin/slapd -d stats -f slapd.conf -h "ldap://127.0.0.1:$ldap" 2>slapd.log &
directory=$!
for _ in {1..100}; do ldapwhoami -x -H "ldap://127.0.0.1:$ldap" >/dev/null 2>&1 && break; sleep 0.1; done

# A connection to the directory is for one login, so each shows the password of its bind.
: >dictionary
cat >radiusd.conf <<END
prefix = /usr
raddbdir = $dir
confdir = $dir
run_dir = $dir
logdir = $dir
db_dir = $dir
libdir = /usr/lib/freeradius
pidfile = $dir/pid
max_request_time = 30
cleanup_delay = 2
max_requests = 256
log {
	destination = files
	file = $dir/log
}
security {
	reject_delay = 0
	status_server = no
	allow_vulnerable_openssl = yes
}
thread pool {
	start_servers = 1
	max_servers = 2
	min_spare_servers = 1
	max_spare_servers = 2
	max_requests_per_server = 0
}
client device {
	ipaddr = 127.0.0.1
	secret = old-shared
}
modules {
	pap {
	}
	files {
		filename = $dir/users
	}
	ldap {
		server = "ldap://127.0.0.1:$ldap"
		identity = "uid=radius,$base"
		password = "old-bind"
		base_dn = "$base"
		user {
			base_dn = "$base"
			filter = "(uid=%{User-Name})"
		}
		pool {
			start = 0
			min = 0
			max = 4
			spare = 0
			uses = 1
			retry_delay = 1
			lifetime = 0
			idle_timeout = 60
		}
	}
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = $port
	}
	authorize {
		files
		pap
		if (!&control:Auth-Type) {
			update control {
				Auth-Type := ldap
			}
		}
	}
	authenticate {
		Auth-Type pap {
			pap
		}
		Auth-Type ldap {
			ldap
		}
	}
}
END
users() { printf 'alice Cleartext-Password := "%s"\n' "$1" >users; }
users old-alice

start() {
  rm -f log
  /usr/sbin/freeradius -f -d "$dir" -n radiusd >>out 2>&1 &
  server=$!
  for _ in {1..100}; do grep -qs 'Ready to process' log && return; kill -0 "$server" 2>/dev/null || break; sleep 0.1; done
  fail "freeradius did not start: $(cat out log)"
}
ask() { ./ask "$port" "$@"; }
# binds: the result codes with which the account of ldap bound during a login of carol, by the
# shared secret that is in force.
binds() {
  local from
  from=$(wc -l <slapd.log)
  ask "$1" carol carol-secret >carol
  tail -n "+$((from + 1))" slapd.log >part
  awk '/BIND dn="uid=radius,/ && /method=128/ {c[$3] = 1} / RESULT tag=97 / && ($3 in c) {sub(/.*err=/, ""); sub(/ .*/, ""); print; delete c[$3]}' part | sort -u | tr '\n' ' ' | sed 's/ $//'
}

wrong=0
row() { # changed, after, old, new; what is expected of them
  printf '%-33s%-16s%-10s%s\n' "$1" "$2" "$3" "$4"
  [[ "$3 $4" == "$5 $6" ]] || wrong=1
}
# after what, the secret in force, old and new of each row, the password of alice that is good
look() {
  local shared=$2
  row "a user's password, in the file" "$1" "$(ask "$shared" alice old-alice)" "$(ask "$shared" alice new-alice)" "$3" "$4"
  row "a client's shared secret" "$1" "$(ask old-shared alice "$9")" "$(ask new-shared alice "$9")" "$5" "$6"
  # The directory takes the new password of the account alone, with result 0, and the old one not, with 49.
  local code
  code=$(binds "$shared")
  case $code in
    0) row "the password that ldap binds by" "$1" "no more" used "$7" "$8" ;;
    49) row "the password that ldap binds by" "$1" still "not yet" "$7" "$8" ;;
    *) fail "ldap binds with result '$code'" ;;
  esac
}
start
[[ $(ask old-shared alice old-alice) == in ]] || fail "alice does not log in: $(cat log)"
[[ $(binds old-shared) == 0 && $(cat carol) == in ]] || fail "carol does not log in: $(cat log part)"

# It compares the times of files in whole seconds, and makes nothing anew that is that new.
sleep 3
users new-alice
sed -i 's/old-shared/new-shared/; s/old-bind/new-bind/' radiusd.conf
ldappasswd -x -H "ldap://127.0.0.1:$ldap" -D "cn=admin,$base" -w admin-secret -s new-bind "uid=radius,$base"
/usr/sbin/freeradius -d "$dir" -n radiusd -Cxm -lstdout >check 2>&1 || fail "the check before a reload fails: $(cat check)"
from=$(wc -l <log)
kill -HUP "$server"
for _ in {1..100}; do tail -n "+$((from + 1))" log | grep -q 'Loaded virtual server default' && break; sleep 0.1; done
look SIGHUP old-shared refused in in silence still "not yet" new-alice
for said in 'HUP - Re-reading configuration files' 'HUP - loading modules'; do
  grep -qF "$said" log || fail "the log does not say $said"
done
if grep -i 'warn\|restart' <(tail -n "+$((from + 1))" log); then fail "the log has a warning"; fi

stop
start
look restart new-shared refused in silence in "no more" used new-alice
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-30: a reload takes users' passwords, and neither clients' secrets nor that of ldap"
