#!/bin/bash
# .netrc: curl, wget and Python take different passwords from the same lines, without a warning.
#
# What is surprising: one .netrc serves all programs of a user, and its lines look as if nothing
# could be read in two ways. Of two lines for one machine curl and wget take the first and Python
# takes the last. A backslash outside quotes is a character to curl and an escape to wget and
# Python; between quotes it is an escape to all three. A password that begins with "#" is that to
# Python, and the beginning of a comment to curl, which sends the name with an empty password,
# and to wget, which sends nothing; within a word "#" is a character to all. A default line
# before the machine's is curl's answer for that machine, and the others know better (to put it
# last is what the format asks for).
#
# Versions: curl 7.88.1-10+deb12u14, wget 1.21.3-1+deb12u1, python3.11 3.11.2-6+deb12u6
# (Debian 12).
# Seen on 2026-11-30, the password that each took ("-": an empty one, or none):
#
#   in the file                       curl      wget      Python
#   password abc#def                  abc#def   abc#def   abc#def
#   password #abc                     -         -         #abc
#   password a\b                      a\b       ab        ab
#   password a\\b                     a\\b      a\b       a\b
#   password "a\\b"                   a\b       a\b       a\b
#   password "a b"                    a b       a b       a b
#   a line with old, one with new     old       old       new
#   default with old, then the line   old       new       new
#
# Who is hit: whoever appends a new password to the file and tries it with one program: a script
# in Python has the new one, and curl and git (which uses it) go on with the old one. And whoever
# takes the password of a stolen file for what one of the programs shows: it is refused, and
# the one that the thief read is not.
#
# How Rollcall copes: it takes no password out of a .netrc. Of a secret that is one the account
# refuses the text as it stands, so nothing is written there. The passwords that it makes have
# none of these characters, unless the campaign file asks for more symbols.
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
while read -r package known; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends $package"
  [[ $(installed $package) == "$known" ]] || echo "note: seen with $package $known, here it is $(installed $package)"
done <<'END'
curl 7.88.1-10+deb12u14
wget 1.21.3-1+deb12u1
python3.11 3.11.2-6+deb12u6
END

dir=$(mktemp -d)
server=
stop() { if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$dir"; }
trap stop EXIT
cd "$dir"
export HOME=$dir
for name in http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy NETRC WGETRC CURL_HOME; do unset "$name"; done

# A web server that asks for a login and answers with the one that it was given.
cat >server.py <<'END'
import base64
import http.server


class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        login = self.headers.get("Authorization")
        text = base64.b64decode(login.split()[1]) if login else b""
        self.send_response(200 if login else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
print(server.server_port, flush=True)
server.serve_forever()
END
/usr/bin/python3.11 server.py >port &
server=$!
for _ in {1..100}; do [[ -s port ]] && break; sleep 0.1; done
url=http://127.0.0.1:$(<port)/
cat >read.py <<'END'
import netrc

name, _, password = netrc.netrc().authenticators("127.0.0.1")
print(name + ":" + password)
END

password() { # what a program answered: the password, or "-"
  local text
  text=$(cat)
  [[ $text == *:?* ]] && echo "${text#*:}" || echo -
}
wrong=0
row() { # name, file, what curl, wget and Python take
  local seen
  printf '%s\n' "$2" >.netrc
  chmod 600 .netrc
  seen=("$(curl -s --netrc "$url" | password)" "$(wget -q -O - "$url" | password)" "$(/usr/bin/python3.11 read.py | password)")
  printf '%-34s%-10s%-10s%s\n' "$1" "${seen[@]}"
  [[ "${seen[*]}" == "$3 $4 $5" ]] || wrong=1
}
line() { echo "machine 127.0.0.1 login bob password $1"; }
plain() { row "password $1" "$(line "$1")" "$2" "$3" "$4"; }
plain 'abc#def' 'abc#def' 'abc#def' 'abc#def'
plain '#abc' - - '#abc'
plain 'a\b' 'a\b' ab ab
plain 'a\\b' 'a\\b' 'a\b' 'a\b'
plain '"a\\b"' 'a\b' 'a\b' 'a\b'
plain '"a b"' 'a b' 'a b' 'a b'
row "a line with old, one with new" "$(line old; line new)" old old new
row "default with old, then the line" "$(echo default login bob password old; line new)" old new new
[[ $wrong == 0 ]] || fail "this is not what the head of the script says"
echo "as on 2026-11-30: one .netrc holds other passwords for curl, for wget and for Python"
