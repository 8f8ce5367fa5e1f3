# A Docker engine of our own for compose-test.sh: in a network namespace, with its
# data, its socket and its process id below $work. Nothing of the machine's own
# network or firewall is touched, and with the namespace all of it is gone.
namespace=rollcall-compose
export DOCKER_HOST=unix://$work/docker.sock

on_host() { nsenter --net="/run/netns/$namespace" "$@"; }

engine_start() {
  ip netns list | grep -qw "$namespace" || ip netns add "$namespace"
  ip -n "$namespace" link set lo up
  ip -n "$namespace" address replace 192.0.2.53/32 dev lo
  if [[ ! -e $work/names.pid ]]; then
    on_host python3 "$root/scripts/compose/names.py" 192.0.2.53 9>&- &
    echo $! >"$work/names.pid"
  fi
  # A mount namespace too: what it mounts ends with it.
  on_host unshare --mount --propagation private dockerd --data-root "$work/data" --exec-root "$work/exec" \
    --pidfile "$work/dockerd.pid" --host "$DOCKER_HOST" --dns 192.0.2.53 >>"$work/dockerd.log" 2>&1 9>&- &
  local n
  for ((n = 0; n < 600; n++)); do
    docker version >/dev/null 2>&1 && return
    sleep 0.1
  done
  tail -n 20 "$work/dockerd.log" >&2
  return 1
}

# engine_stop ends the engine, by its process id, and waits for it.
engine_stop() {
  local pid
  pid=$(cat "$work/dockerd.pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  tail --pid="$pid" -f /dev/null
}

# engine_remove leaves nothing behind: containers, engine, namespace, data.
engine_remove() {
  local left
  left=$(docker ps -aq 2>/dev/null) && [[ -n $left ]] && docker rm -f $left >/dev/null
  engine_stop
  [[ ! -e $work/names.pid ]] || kill "$(cat "$work/names.pid")"
  ip netns list | grep -qw "$namespace" && ip netns delete "$namespace"
  find /sys/fs/cgroup -depth -type d -path '*/docker*' -exec rmdir {} + 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
