#!/usr/bin/env bash
# The key that encrypts the servers' gossip. `gossip.sh config` writes it, from Secrets Manager, to where Nomad reads it at start (memory, not disk).
# `gossip.sh rotate` makes the ring follow the secret: the new key is given to all servers, then used, and only then the others are dropped, so
# that no server is ever cut off. Every server calls it each hour; the leader alone acts.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=/dev/null
. "${WADI_ENV:-/etc/wadi/cluster.env}"
# shellcheck source=/dev/null
. "${WADI_LIB:-/usr/local/lib/wadi}/common.sh"

umask 027

config() {
  local place="$RUN/nomad.d"
  mkdir -p "$place"
  # Clients gossip with nobody and may not read the key.
  [ "$WADI_ROLE" = server ] || return 0
  { printf 'server {\n  encrypt = "'; secret "$WADI_GOSSIP_SECRET" | tr -d '\n'; printf '"\n}\n'; } >"$place/gossip.hcl.new"
  chgrp -R nomad "$RUN"
  chmod 0640 "$place/gossip.hcl.new"
  mv "$place/gossip.hcl.new" "$place/gossip.hcl"
}

keyring() {
  with_token "$WADI_TOKEN_SECRET" nomad operator api "$@"
}

# The key is in a pipe, not in arguments, which everybody on the machine could read.
change() {
  printf '{"Key": "%s"}' "$2" | keyring -X PUT "/v1/agent/keyring/$1" >/dev/null
}

rotate() {
  local wanted keys key
  leader_only
  wanted=$(secret "$WADI_GOSSIP_SECRET")
  keys=$(keyring /v1/agent/keyring/list | jq -r '.Keys | keys[]')
  [ "$keys" != "$wanted" ] || return 0
  change install "$wanted"
  change use "$wanted"
  log "the gossip has a new key"
  while read -r key; do
    [ "$key" = "$wanted" ] || { change remove "$key"; log "a former key is dropped"; }
  done <<<"$keys"
}

case ${1:-} in
  config) config ;;
  rotate) rotate ;;
  *) log "usage: gossip.sh config|rotate"; exit 2 ;;
esac
