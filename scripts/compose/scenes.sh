# The scenes of compose-test.sh, in their order. Each ends with the whole stack up
# and a campaign of which every stolen value is dead.
export COMPOSE_PROJECT_NAME=rollcall POSTGRES_PASSWORD
POSTGRES_PASSWORD=$(openssl rand -hex 24)
# The example's campaign is over in a second. One that is slow can be disturbed.
slow=$work/campaign.yaml
files=(--project-directory "$root" -f "$root/docker-compose.yml" -f "$work/slow.yml")

compose() { docker-compose "${files[@]}" "$@"; }
rollcall() { compose run --rm --no-deps -T rollcall "$@" 2>>"$work/rollcall.err"; }
container() { compose ps -q "$1"; }
process() { docker inspect -f '{{.State.Pid}}' "$(container "$1")"; }

fail() { echo "compose-test: $*" >&2; return 1; }

says() { # words, file
  grep -qi -- "$1" "$2" || { head -n 20 "$2" >&2; fail "this does not say: $1"; }
}

show_state() {
  [[ -e $work/slow.yml ]] || return 0
  docker ps -a --format '{{.Names}}\t{{.Status}}' || true
  tail -n 30 "$work/rollcall.err" || true
  local service
  for service in worker ledger-worker temporal vault-open; do
    echo "--- $service"
    compose logs --no-color --tail=15 "$service" 2>&1 | cut -c1-300 || true
  done
}

# until_true waits for what is to come by itself.
until_true() { # seconds, what, command
  local n
  for ((n = 0; n < $1 * 2; n++)); do
    "${@:3}" >/dev/null 2>&1 && return
    sleep 0.5
  done
  fail "$2: not within $1 s"
}

# whole: every service of the stack runs, each one-time service ended well.
whole() {
  local service state
  for service in $(compose config --services); do
    [[ $service != rollcall ]] || continue
    state=$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "$(container "$service")") || return 1
    case $service in
      certificates | temporal-schema | temporal-namespace | vault-open | rollcall-init | logins) [[ $state = "exited 0 "* ]] || return 1 ;;
      postgresql | temporal | vault | openldap) [[ $state = "running 0 healthy" ]] || return 1 ;;
      *) [[ $state = "running 0 "* ]] || return 1 ;;
    esac
  done
}

# up is what a person types, and again after whatever happened.
up() {
  compose up -d "$@" >>"$work/up.log" 2>&1 || { tail -n 20 "$work/up.log" >&2; return 1; }
  until_true 120 "the stack is up" whole
}

# The ledgers, as the machine that keeps the volume sees them.
ledgers() { docker volume inspect -f '{{.Mountpoint}}' rollcall_ledger; }
entries() { "$kept/rollcall" ledger cat --jsonl --ledger "$(ledgers)/$campaign"; }
count() { entries 2>/dev/null | grep -c "\"event\":\"$1\"" || true; }
some_dead() { (($(count outcome) > 0)); }
closed() { (($(count campaign-closed) > 0)); }

# begin starts a campaign and waits until it has something dead, and not all.
begin() {
  campaign=$(rollcall start | tr -d '\r')
  [[ $campaign = esg-01-* ]] || fail "start said: $campaign"
  until_true 120 "a first one is dead" some_dead
  (($(count outcome) < 5)) || fail "all was over before anything could be disturbed"
}

# finish waits for the end, and holds the campaign to it.
finish() {
  until_true 300 "the campaign ends" closed
  rollcall report --ledger "/var/lib/rollcall/ledger/$campaign" >"$work/report"
  says '5 listed · 5 dead' "$work/report"
  rollcall ledger verify >"$work/verified"
  says VERIFIED "$work/verified"
}

disturbed() { # what is said, command
  begin
  say "  $1, with $(count outcome) of 5 dead"
  "${@:2}"
  finish
}

# A crash of a service is not `docker kill`, after which nothing is restarted.
crash() { # service; it has to come back by itself
  local before
  before=$(process "$1")
  kill -9 "$before"
  back() { local now; now=$(process "$1") && [[ $now != 0 && $now != "$before" ]]; }
  until_true 120 "$1 is back" back "$1"
  up # Vault is sealed then
}
halt() { compose stop "$1" >/dev/null 2>&1; sleep 3; up; }
sever() { # network, service
  docker network disconnect "rollcall_$1" "$(container "$2")"
  sleep 10
  docker network connect "rollcall_$1" "$(container "$2")"
  up
}
restart_engine() {
  engine_stop
  engine_start
  up
}
image() { docker inspect -f '{{.Image}}' "$(container worker)"; }
upgrade() {
  local old
  old=$(image)
  compose build worker >"$work/build.log" 2>&1 || { tail "$work/build.log" >&2; return 1; }
  up
  [[ $(image) != "$old" ]] || fail "the worker still runs the old image"
}

scene_up() {
  sed 's/^    base:/    rate_per_second: 2\n&/' deploy/campaign.yaml >"$slow"
  printf 'limits: {batch: 1, parallel: 1, retry_min: 1s, retry_max: 5s}\n' >>"$slow"
  sed -n '/^version/p' docker-compose.yml >"$work/slow.yml"
  printf 'services:\n  rollcall: {volumes: ["%s:/etc/rollcall/campaign.yaml:ro"]}\n  rollcall-init: {volumes: ["%s:/etc/rollcall/campaign.yaml:ro"]}\n' \
    "$slow" "$slow" >>"$work/slow.yml"
  up --build
}

scene_campaign() {
  rollcall list >"$work/list"
  says svc-05 "$work/list"
  begin
  rollcall watch >"$work/watched" || fail "watch ended with exit code $?"
  finish
  local ca
  ca=$(docker volume inspect -f '{{.Mountpoint}}' rollcall_ca)/ca.crt
  on_host curl -fsS http://127.0.0.1:8080/ >"$work/ui"
  says '<html' "$work/ui"
  on_host curl -fsS --cacert "$ca" https://127.0.0.1:8200/v1/sys/health >"$work/health"
  says '"sealed":false' "$work/health"
  on_host env LDAPTLS_CACERT="$ca" ldapsearch -x -H ldaps://127.0.0.1:6360 -b '' -s base namingContexts >"$work/contexts"
  says dc=example "$work/contexts"
}

services="worker ledger-worker temporal postgresql vault openldap temporal-ui"
scene_killed() { for s in $services; do disturbed "kill -9 of $s" crash "$s"; done; }
scene_stopped() { for s in $services; do disturbed "stop of $s" halt "$s"; done; }
scene_cut() {
  disturbed "worker without the directory" sever directory worker
  disturbed "worker without Vault" sever vault worker
  disturbed "Temporal without its database" sever database temporal
  disturbed "ledger worker without Temporal" sever temporal ledger-worker
}
scene_engine_restarted() { disturbed "restart of the engine" restart_engine; }

# The older Rollcall is that of an earlier commit (FROM=commit).
scene_upgraded() {
  local from=${FROM:-$(git rev-list -n 1 --skip=30 HEAD)}
  mkdir "$work/older"
  git archive "$from" | tar -C "$work/older" -x
  docker build -q -t rollcall:local "$work/older" >"$work/build.log" 2>&1 || { tail "$work/build.log" >&2; return 1; }
  up
  disturbed "upgrade from ${from:0:12}" upgrade
}

scene_down() {
  compose --profile cli down --volumes >/dev/null 2>&1
  [[ -z $(docker ps -aq)$(docker volume ls -q) ]] || fail "containers or volumes are left"
}
