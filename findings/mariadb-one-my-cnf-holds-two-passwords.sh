#!/bin/bash
# MariaDB: one line of .my.cnf is another password to the command line client than to the
# programs that read it through the connector of the same source package.
#
# What is surprising: the [client] group is there so that all clients find one login. mariadb,
# mariadb-dump and mariadb-check end an unquoted value at a "#", wherever it stands, also within
# a word. libmariadb3 (Connector/C: PHP, Perl, Python and all else that sets
# MYSQL_READ_DEFAULT_FILE) knows comments at the start of a line alone and takes the "#" and
# what follows. So with "password=abc#def" one of the two logs in, whichever password the account
# has, and 1045 is what the other one gets. In quotes both read the same, and all else (blanks,
# escapes, a quote within quotes, ";") is read alike.
#
# Versions: mariadb-client and libmariadb3 1:10.11.19-0+deb12u1 (Debian 12).
# Seen on 2026-11-30, the password that each took from the line:
#
#   line of [client]         mariadb     libmariadb3
#   password=abc#def         abc         abc#def
#   password=abc #def        abc         abc #def
#   password=#abc            (none)      #abc
#   password="abc#def"       abc#def     abc#def
#   password='abc#def'       abc#def     abc#def
#   password=a\sb            a b         a b
#   password="a\"b"          a"b         a"b
#
# Who is hit: whoever writes a new password into such a file and looks whether "mariadb -e"
# logs in: the nightly dump does, the application does not, or the other way round. And whoever
# takes the password of a stolen file for the one that the client shows.
#
# How Rollcall copes: it does not write into an unquoted value with a "#" in it, and writes none
# there; in quotes it writes nothing that needs an escape. What it reads from such a file is
# believed only after the server took it.
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in mariadb-server mariadb-client libmariadb3 python3; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
done
for package in mariadb-client libmariadb3; do
  [[ $(installed $package) == 1:10.11.19-0+deb12u1 ]] || echo "note: seen with $package 1:10.11.19-0+deb12u1, here it is $(installed $package)"
done

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$dir"; }
trap stop EXIT
mkdir "$dir/tmp"
mariadb-install-db --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp" --user="$(id -un)" --auth-root-authentication-method=normal >"$dir/install.log" 2>&1 || fail "$(cat "$dir/install.log")"
mariadbd --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp" --user="$(id -un)" --socket="$dir/s" --skip-networking >"$dir/log" 2>&1 &
server=$!
for _ in {1..150}; do mariadb-admin --no-defaults -S "$dir/s" -u root ping >/dev/null 2>&1 && break; sleep 0.2; done
mariadb --no-defaults -S "$dir/s" -u root -e "create user bob@localhost"

# The least program that reads the file by the connector.
cat >"$dir/connect.py" <<'END'
import ctypes
import sys

READ_DEFAULT_FILE, READ_DEFAULT_GROUP = 4, 5
lib = ctypes.CDLL("libmariadb.so.3")
lib.mysql_init.restype = lib.mysql_real_connect.restype = ctypes.c_void_p
lib.mysql_options.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
lib.mysql_real_connect.argtypes = [ctypes.c_void_p] + 4 * [ctypes.c_char_p] + [ctypes.c_uint, ctypes.c_char_p, ctypes.c_ulong]
lib.mysql_errno.argtypes = [ctypes.c_void_p]
login = lib.mysql_init(None)
lib.mysql_options(login, READ_DEFAULT_FILE, sys.argv[1].encode())
lib.mysql_options(login, READ_DEFAULT_GROUP, b"client")
if lib.mysql_real_connect(login, None, None, None, None, 0, None, 0) is None:
    print(lib.mysql_errno(login))
else:
    print("in")
END

client() {
  local said
  said=$(mariadb --defaults-file="$dir/my.cnf" -N -e "select 'in'" 2>&1) && { echo in; return; }
  sed -n 's/^ERROR \([0-9]*\).*/\1/p' <<<"$said"
}
connector() { /usr/bin/python3 "$dir/connect.py" "$dir/my.cnf"; }

wrong=0
row() { # line, what the client takes it for, what the connector takes it for
  printf '[client]\nuser=bob\nsocket=%s\n%s\n' "$dir/s" "$1" >"$dir/my.cnf"
  chmod 600 "$dir/my.cnf"
  local password seen= expected=
  for password in "$2" "$3"; do
    mariadb --no-defaults -S "$dir/s" -u root -e "alter user bob@localhost identified by '$password'"
    seen+="$(client) $(connector); "
    [[ $password == "$2" ]] && expected+="in " || expected+="1045 "
    [[ $password == "$3" ]] && expected+="in; " || expected+="1045; "
  done
  printf '%-25s%-12s%-12s%s\n' "$1" "${2:-(none)}" "$3" "$seen"
  [[ $seen == "$expected" ]] || wrong=1
}
row 'password=abc#def' abc 'abc#def'
row 'password=abc #def' abc 'abc #def'
row 'password=#abc' '' '#abc'
row 'password="abc#def"' 'abc#def' 'abc#def'
row "password='abc#def'" 'abc#def' 'abc#def'
row 'password=a\sb' 'a b' 'a b'
row 'password="a\"b"' 'a"b' 'a"b'
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-30: what follows an unquoted # is a comment to mariadb and password to libmariadb3"
