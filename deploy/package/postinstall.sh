#!/bin/sh
# dpkg gives "configure" and the version that was there before; rpm gives how many
# versions there are now.
set -e

for user in rollcall rollcall-ledger; do
  getent group "$user" >/dev/null || groupadd --system "$user"
  getent passwd "$user" >/dev/null ||
    useradd --system --gid "$user" --home-dir "/var/lib/$user" --no-create-home --shell /usr/sbin/nologin \
      --comment "Rollcall" "$user"
  # Before the first start there must be a place for the login.
  [ -d "/var/lib/$user" ] || install -d -m 0700 -o "$user" -g "$user" "/var/lib/$user"
done

# Nothing is enabled or started: both need a login first. What runs already goes
# on with the new program once it has finished what it has in hand.
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart --no-block rollcall-worker.service rollcall-ledger.service || true
fi
