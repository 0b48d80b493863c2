#!/usr/bin/env bash
# Hears that this instance has to go: its group ends it, spot takes it back in two minutes, or AWS recommends to leave. A client is drained: Wadi's
# controller sees that, checkpoints and moves the workers, and only when none is left does the group get its leave. A server leaves the quorum.
# A later notice that leaves less time shortens the drain. It ends when the instance may go; systemd starts it again if it fails.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=/dev/null
. "${WADI_ENV:-/etc/wadi/cluster.env}"
# shellcheck source=/dev/null
. "${WADI_LIB:-/usr/local/lib/wadi}/common.sh"

PAUSE=${WADI_DRAIN_PAUSE:-5}
# Spot gives two minutes; ten seconds are for Nomad to stop.
SPOT_SECONDS=100
HEARTBEAT_SECONDS=30
# Past the drain's deadline Nomad kills what is left; this long it may take to.
GRACE_SECONDS=15

# The most urgent notice: none, rebalance, terminate or spot.
notice() {
  if imds meta-data/spot/instance-action >/dev/null; then
    echo spot
  elif [ "$(imds meta-data/autoscaling/target-lifecycle-state || true)" = Terminated ]; then
    echo terminate
  elif imds meta-data/events/recommendations/rebalance >/dev/null; then
    echo rebalance
  else
    echo none
  fi
}

urgency() {
  case $1 in
    none) echo 0 ;;
    rebalance) echo 1 ;;
    terminate) echo 2 ;;
    spot) echo 3 ;;
  esac
}

# Tells Nomad to take everything off this node within so many seconds.
begin_drain() {
  local seconds=$1 reason=$2
  log "instance goes ($reason): drains within $seconds s"
  with_token "$WADI_TOKEN_SECRET" nomad node drain -enable -yes -detach -deadline "${seconds}s" \
    -m "instance goes: $reason" "$(node_id)"
}

# Tasks that still run here, the node's own system jobs aside. Fails if Nomad does not answer.
tasks_left() {
  with_token "$WADI_TOKEN_SECRET" nomad operator api "/v1/node/$(node_id)/allocations" | jq '
    [.[] | select(.ClientStatus == "running" or .ClientStatus == "pending")
         | select(.Job.Type as $type | ["system", "sysbatch"] | index($type) | not)] | length'
}

lifecycle() {
  aws autoscaling "$@" --lifecycle-hook-name "$WADI_DRAIN_HOOK" --auto-scaling-group-name "$WADI_GROUP" --instance-id "$(instance_id)"
}

# The group may go on; without a hook that waits (spot, or an instance ended by hand) there is nothing to complete.
let_go() {
  lifecycle complete-lifecycle-action --lifecycle-action-result CONTINUE || log "no lifecycle action waits"
}

stop_client() {
  log "$1: stops Nomad"
  systemctl stop nomad.service || log "Nomad did not stop"
  let_go
}

# Only an interrupt makes a server leave the quorum (leave_on_interrupt): a plain restart of the unit keeps it in.
stop_server() {
  log "$1: leaves the quorum"
  systemctl kill --signal=SIGINT nomad.service || log "Nomad does not run"
  retry 30 1 nomad_stopped || log "Nomad did not leave within 30 s"
  systemctl stop nomad.service || log "Nomad did not stop"
  let_go
}

nomad_stopped() {
  ! systemctl is-active --quiet nomad.service
}

serve() {
  local current
  while true; do
    current=$(notice)
    # A recommendation alone is no reason to change the quorum: the group follows with its hook if it acts on it.
    if [ "$current" = terminate ] || [ "$current" = spot ]; then
      stop_server "$current"
      return
    fi
    sleep "$PAUSE"
  done
}

work() {
  local current=none drained=none next ends=0 beat=0 left
  while true; do
    next=$(notice)
    if [ "$(urgency "$next")" -gt "$(urgency "$current")" ]; then
      current=$next
      ends=$(($(now) + $(allowed_seconds "$current")))
    fi
    if [ "$current" != "$drained" ]; then
      if begin_drain "$(allowed_seconds "$current")" "$current"; then drained=$current; else log "Nomad took no drain; it is asked again"; fi
    fi
    # After a recommendation the node is empty and waits: the group replaces it and then asks for it.
    if [ "$(urgency "$current")" -ge 2 ]; then
      left=$(tasks_left || echo unknown)
      if { [ "$left" = 0 ] && [ "$drained" = "$current" ]; } || [ "$(now)" -gt $((ends + GRACE_SECONDS)) ]; then
        stop_client "$current with $left tasks left"
        return
      fi
      if [ "$(now)" -ge "$beat" ]; then
        log "waits for $left tasks"
        lifecycle record-lifecycle-action-heartbeat || true
        beat=$(($(now) + HEARTBEAT_SECONDS))
      fi
    fi
    sleep "$PAUSE"
  done
}

allowed_seconds() {
  if [ "$1" = spot ]; then echo "$SPOT_SECONDS"; else echo "$WADI_DRAIN_DEADLINE_SECONDS"; fi
}

if [ "$WADI_ROLE" = server ]; then serve; else work; fi
