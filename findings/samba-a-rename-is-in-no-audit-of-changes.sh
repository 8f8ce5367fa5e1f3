#!/bin/bash
# Samba: the audit of changes to the domain's database has no line of a rename or a move.
#
# What is surprising: smb.conf(5) has the debug classes dsdb_audit and dsdb_json_audit for
# changes to the database. They write a line of each entry that is added, modified or
# deleted. An entry that is renamed, or moved to another container, leaves none, in either
# form: the next line just has the new DN. So who reads the audit sees an account change its
# name between two lines, and one that nobody made be deleted.
#
# Version: samba-ad-dc and python3-samba 2:4.17.12+dfsg-0+deb12u4 (Debian 12), on a database
# that samba-tool made, through the library that the server has too.
# Seen on 2026-11-30, lines of the audit by what was done to one account:
#
#   done        lines    JSON lines
#   add         3        3
#   modify      1        1
#   rename      0        0
#   move        0        0
#   modify      1        1
#   delete      1        1
#
# (An account that is made has a line for its password and one for its flags besides.)
#
# Who is hit: whoever watches the audit for accounts that are tampered with: one can be moved
# out of the container that a policy or a delegation goes by, and back, without a line.
#
# How Rollcall copes: an account is its objectGUID and not its DN, and is read by that after
# its proof. docs/evidence.md says that a rename is not in Samba's log.
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in samba python3-samba samba-ad-provision; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
known=2:4.17.12+dfsg-0+deb12u4
[[ $(installed python3-samba) == "$known" ]] || echo "note: seen with python3-samba $known, here it is $(installed python3-samba)"
[[ $EUID == 0 ]] || fail "samba-tool makes a domain as root alone"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
samba-tool domain provision --realm=EXAMPLE.ORG --domain=EXAMPLE --host-name=dc1 --server-role=dc --dns-backend=NONE \
  --adminpass='Made-up.0-for-this' --targetdir="$dir/dc" >"$dir/provision" 2>&1 || fail "$(tail -5 "$dir/provision")"

cat >"$dir/change.py" <<'END'
import sys, ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

lp = LoadParm()
lp.load(sys.argv[1] + "/etc/smb.conf")
lp.set("log file", sys.argv[1] + "/log")
lp.set("log level", "1 dsdb_audit:5 dsdb_json_audit:5")
db = SamDB(sys.argv[1] + "/private/sam.ldb", session_info=system_session(lp), lp=lp)
users, computers = "CN=Users," + str(db.domain_dn()), "CN=Computers," + str(db.domain_dn())

def begin(what):
    print("## " + what, flush=True)

def describe(dn, text):
    m = ldb.Message(ldb.Dn(db, dn))
    m["description"] = ldb.MessageElement(text, ldb.FLAG_MOD_REPLACE, "description")
    db.modify(m)

begin("add")
db.newuser("svc-one", "Made-up.1-for-this")
begin("modify")
describe("CN=svc-one," + users, "before")
begin("rename")
db.rename("CN=svc-one," + users, "CN=svc-two," + users)
begin("move")
db.rename("CN=svc-two," + users, "CN=svc-two," + computers)
begin("modify")
describe("CN=svc-two," + computers, "behind")
begin("delete")
db.delete("CN=svc-two," + computers)
END
/usr/bin/python3 "$dir/change.py" "$dir/dc" >"$dir/out" 2>&1 || fail "$(tail -5 "$dir/out")"
# What goes to the log file, where a build of Samba puts it there, is looked at too.
[[ ! -e $dir/dc/log ]] || fail "the audit went to the log file, so that it cannot be told apart by what was done"

printf '%-12s%-9s%s\n' done lines "JSON lines"
seen=$(awk '
  /^## / { if (what) print what, text, json; what = $2; text = json = 0 }
  /^DSDB Change / { text++ }
  /"type": "dsdbChange"/ { json++ }
  END { print what, text, json }' "$dir/out")
while read -r what text json; do printf '%-12s%-9s%s\n' "$what" "$text" "$json"; done <<<"$seen"
want='add 3 3
modify 1 1
rename 0 0
move 0 0
modify 1 1
delete 1 1'
[[ $seen == "$want" ]] || fail "this is not what was seen before"
echo "as on 2026-11-30: a rename and a move are in no line of the audit"
