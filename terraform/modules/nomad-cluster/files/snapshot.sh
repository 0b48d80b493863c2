#!/usr/bin/env bash
# Nomad's state to S3: `snapshot.sh save` every hour by the leader; `snapshot.sh restore s3://…` by hand, on any server. Root keys inside are wrapped by
# KMS: a snapshot is of use only to servers that may use the key.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=/dev/null
. "${WADI_ENV:-/etc/wadi/cluster.env}"
# shellcheck source=/dev/null
. "${WADI_LIB:-/usr/local/lib/wadi}/common.sh"

umask 077
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/wadi-snapshot.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
FILE="$WORK/state.snap"

save() {
  local place
  leader_only
  place="s3://$WADI_BACKUPS/raft/$(date -u +%Y/%m/%d/%H%M%S).snap"
  with_token "$WADI_TOKEN_SECRET" nomad operator snapshot save "$FILE" >/dev/null
  nomad operator snapshot inspect "$FILE" >/dev/null
  aws s3 cp --only-show-errors "$FILE" "$place"
  log "saved $place"
}

restore() {
  aws s3 cp --only-show-errors "$1" "$FILE"
  nomad operator snapshot inspect "$FILE"
  with_token "$WADI_TOKEN_SECRET" nomad operator snapshot restore "$FILE"
}

case ${1:-} in
  save) save ;;
  restore) restore "${2:?the snapshot, s3://…}" ;;
  *) log "usage: snapshot.sh save | restore s3://…"; exit 2 ;;
esac
