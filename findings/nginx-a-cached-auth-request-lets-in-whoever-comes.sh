#!/bin/bash
# nginx: an auth_request whose answer is cached lets in whoever comes next, with a wrong
# password and with none.
#
# What is surprising: nginx's manual says of auth_request that since 1.7.3 its answers can be
# cached (proxy_cache). What the cache knows an answer by is scheme, upstream and path unless
# proxy_cache_key says more, and the header Authorization is no part of it. HTTP forbids a
# shared cache to keep the answer to a request that has that header, unless the answer allows
# it (RFC 9111, 3.5); nginx keeps it all the same. So the first good login opens the page to
# everybody for as long as proxy_cache_valid says, and a password that was changed goes on
# being taken, as any other text is.
#
# Version: nginx 1.22.1-9+deb12u11 (Debian 12, nginx-light).
# Seen on 2026-11-30, in this order:
#
#   password            answer
#   a wrong one         401
#   the right one       200
#   a wrong one         200
#   none                200
#   the old one, after a change, with proxy_cache_key $http_authorization    200
#   the new one, then the old one, after a reload                            200, 200
#
# Who is hit: who caches auth_request as the manual says it can be, to spare a directory.
#
# How Rollcall copes: a page is asked for without a login first, and the first value that it
# takes has one of nobody's tried behind it: such a door lets in whoever comes, no campaign
# begins with it, and nothing is dead there (unguarded-door). With a key that has the password
# the old one is taken until proxy_cache_valid is over (cached-at-door); a good login with the
# new one does not end that, nor does a reload.
#
# 2026-11-30
set -euo pipefail

fail() { echo "$*" >&2; exit 1; }
installed() { dpkg-query -W -f '${Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^install ok installed //p'; }
for package in nginx curl openssl; do
  [[ -n $(installed $package) ]] || fail "the Debian 12 package $package is missing: apt-get install --no-install-recommends nginx-light curl openssl"
done
[[ $(installed nginx) == 1.22.1-9+deb12u11 ]] || echo "note: seen with nginx 1.22.1-9+deb12u11, here it is $(installed nginx)"

dir=$(mktemp -d)
chmod 755 "$dir"
server=
stop() { [[ -z $server ]] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }; server=; }
trap 'stop; rm -rf "$dir"' EXIT

# A port that nobody listens on.
port() {
  local p
  while p=$((20000 + RANDOM % 10000)); (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; do :; done
  echo "$p"
}
page=127.0.0.1:$(port)
behind=127.0.0.1:$(port)
password() { echo "alice:$(openssl passwd -apr1 "$1")" >"$dir/users.new" && chmod 644 "$dir/users.new" && mv "$dir/users.new" "$dir/users"; }

start() { # with further lines for the cache
  stop
  rm -rf "$dir/cache" "$dir/tmp"
  mkdir -p "$dir/pages" "$dir/cache" "$dir/tmp"
  chmod 777 "$dir/cache" "$dir/tmp"
  echo in >"$dir/pages/index.html"
  cat >"$dir/nginx.conf" <<END
daemon off;
pid $dir/pid;
error_log $dir/error.log;
events {}
http {
  access_log off;
  client_body_temp_path $dir/tmp; proxy_temp_path $dir/tmp; fastcgi_temp_path $dir/tmp;
  uwsgi_temp_path $dir/tmp; scgi_temp_path $dir/tmp;
  proxy_cache_path $dir/cache keys_zone=logins:1m;
  server {
    listen $behind;
    root $dir/pages;
    auth_basic x;
    auth_basic_user_file $dir/users;
  }
  server {
    listen $page;
    root $dir/pages;
    location / { auth_request /auth; }
    location = /auth {
      internal;
      proxy_pass http://$behind/index.html;
      proxy_cache logins;
      proxy_cache_valid 200 10m;
      $1
    }
  }
}
END
  nginx -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf" &
  server=$!
  for _ in $(seq 100); do (exec 3<>"/dev/tcp/${page%:*}/${page#*:}") 2>/dev/null && return; sleep 0.1; done
  fail "nginx did not start: $(cat "$dir/error.log")"
}
asks() { # what comes, for people, and the answer that is expected
  local what=$1 want=$2 got
  shift 2
  got=$(curl -s -o /dev/null -w '%{http_code}' "$@" "http://$page/index.html")
  printf '%-60s %s\n' "$what" "$got"
  [[ $got == "$want" ]] || fail "expected $want"
}

password old
start ''
asks "a wrong one" 401 -u alice:wrong
asks "the right one" 200 -u alice:old
asks "a wrong one" 200 -u alice:wrong
asks "none" 200

start 'proxy_cache_key $http_authorization;'
asks "with the password in the key: the right one" 200 -u alice:old
asks "a wrong one" 401 -u alice:wrong
password new
asks "changed: the new one" 200 -u alice:new
asks "the old one" 200 -u alice:old
kill -HUP "$server"
asks "reloaded: the old one" 200 -u alice:old
find "$dir/cache" -type f -delete
asks "its files removed: the old one" 401 -u alice:old
asks "the new one" 200 -u alice:new
