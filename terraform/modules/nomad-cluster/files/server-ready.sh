#!/usr/bin/env bash
# After Nomad started on a server: waits for a leader, bootstraps the ACLs with the token that is in Secrets Manager (whoever comes second finds it
# done), makes the token with which clients drain themselves, and tells the group that this server is one. It may run any number of times.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=/dev/null
. "${WADI_ENV:-/etc/wadi/cluster.env}"
# shellcheck source=/dev/null
. "${WADI_LIB:-/usr/local/lib/wadi}/common.sh"

umask 077
WORK=$(mktemp -d "$RUN/ready.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

has_leader() {
  [ -n "$(nomad operator api /v1/status/leader 2>/dev/null | tr -d '"\n')" ]
}

# Tokens go through pipes: arguments can be read by everybody on the machine.
bootstrap() {
  local answer
  answer=$(secret "$WADI_TOKEN_SECRET" | jq -R '{BootstrapSecret: .}' |
    curl -s --cacert "$NOMAD_CACERT" -X PUT --data @- -w '\n%{http_code}' "$NOMAD_ADDR/v1/acl/bootstrap")
  case $answer in
    *$'\n'200) log "ACLs are bootstrapped" ;;
    *"bootstrap already done"*) ;;
    *) log "no ACLs yet (HTTP ${answer##*$'\n'})"; return 1 ;;
  esac
}

# What a client may do with the token it drains itself by; no more. A token that this cluster does not know is of one that is gone.
make_drain_token() {
  if with_token "$WADI_DRAIN_TOKEN_SECRET" nomad acl token self >/dev/null 2>&1; then return 0; fi
  with_token "$WADI_TOKEN_SECRET" nomad acl policy apply -description "clients drain themselves" wadi-drain - >/dev/null <<'POLICY'
node {
  policy = "write"
}
namespace "*" {
  capabilities = ["read-job"]
}
POLICY
  with_token "$WADI_TOKEN_SECRET" nomad acl token create -name wadi-drain -type client -policy wadi-drain -json >"$WORK/token.json"
  jq -rj .SecretID "$WORK/token.json" >"$WORK/secret"
  create_version "$WADI_DRAIN_TOKEN_SECRET" "$(jq -r .AccessorID "$WORK/token.json")" "$WORK/secret"
  log "clients have a token to drain themselves by"
}

# A voter whose quorum is healthy; only then may the group end another server.
is_voter() {
  with_token "$WADI_TOKEN_SECRET" nomad operator api /v1/operator/autopilot/health |
    jq -e --arg address "$(imds meta-data/local-ipv4)" '.Healthy and any(.Servers[]; (.Address | startswith($address + ":")) and .Voter and .Healthy)' >/dev/null
}

retry 120 5 has_leader || { log "the servers found no leader within ten minutes"; exit 1; }
retry 24 5 bootstrap
if leads; then make_drain_token; fi
retry 120 5 is_voter || { log "this server is no healthy voter after ten minutes"; exit 1; }
aws autoscaling complete-lifecycle-action --lifecycle-hook-name "$WADI_LAUNCH_HOOK" --auto-scaling-group-name "$WADI_GROUP" \
  --instance-id "$(instance_id)" --lifecycle-action-result CONTINUE || log "no lifecycle action waits"
