#!/bin/sh
# Ends the services when the package goes, and not when a newer one comes: dpkg
# gives "remove" or "upgrade", rpm how many versions are left.
set -e
case ${1:-} in
  remove | 0)
    if [ -d /run/systemd/system ]; then
      systemctl disable --now rollcall-worker.service rollcall-ledger.service || true
    else
      rm -f /etc/systemd/system/multi-user.target.wants/rollcall-worker.service \
        /etc/systemd/system/multi-user.target.wants/rollcall-ledger.service
    fi
    ;;
esac
