#!/usr/bin/env bash
# Certificates of Nomad, made on the instances, so that no private key passes through Terraform. Servers: read the authorities from Secrets Manager
# (the first server makes the one that is missing), issue their own certificate, and lay down one for all clients. Clients: fetch that. It runs
# before Nomad starts and then every hour, changes nothing that is good for another third of its life, and reloads Nomad when something changed.
# Rotation needs no more than a new value of the settings' parameter: {generations, issuing, certificate_days, supplied}.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=/dev/null
. "${WADI_ENV:-/etc/wadi/cluster.env}"
# shellcheck source=/dev/null
. "${WADI_LIB:-/usr/local/lib/wadi}/common.sh"

umask 027
mkdir -p "$RUN/tls"
WORK=$(mktemp -d "$RUN/work.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

setting() {
  jq -r ".$1" "$WORK/settings.json"
}

# Makes an authority and its secret; of several servers that try, one wins.
make_authority() {
  local generation=$1 name=$2 place="$WORK/new-$1"
  if [ "$(setting supplied)" = true ]; then
    log "the secret $name has no value: put {\"certificate\", \"private_key\"} of your authority into it; Nomad waits for that"
    return 1
  fi
  mkdir "$place"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/O=Wadi/CN=Nomad $WADI_NAME $generation" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -out "$place/ca.pem" -keyout "$place/key.pem" 2>/dev/null
  jq -n --rawfile certificate "$place/ca.pem" --rawfile private_key "$place/key.pem" \
    '{$certificate, $private_key}' >"$place/secret.json"
  create_version "$name" first "$place/secret.json" || log "another server has made the authority $generation"
}

# Lays down ca-N.pem and ca-N-key.pem in the work folder.
read_authority() {
  local generation=$1 name="$WADI_AUTHORITY_SECRETS/$1"
  if ! secret "$name" >"$WORK/authority.json"; then
    make_authority "$generation" "$name"
    retry 10 1 secret "$name" >"$WORK/authority.json"
  fi
  jq -er .certificate "$WORK/authority.json" >"$WORK/ca-$generation.pem"
  jq -er .private_key "$WORK/authority.json" >"$WORK/ca-$generation-key.pem"
}

# Whether a certificate is of the issuing authority and has more than a third of its life before it.
is_good() {
  local certificate=$1
  [ -s "$certificate" ] &&
    openssl verify -CAfile "$WORK/ca-$ISSUING.pem" "$certificate" >/dev/null 2>&1 &&
    openssl x509 -in "$certificate" -noout -checkend $((DAYS * 86400 / 3)) >/dev/null
}

# Issues a certificate: cert.pem and key.pem in a folder of its own, whose name it prints.
issue() {
  local role=$1 place="$WORK/$1"
  shift
  mkdir "$place"
  (cd "$place" && nomad tls cert create "-$role" -region "$WADI_NOMAD_REGION" -days "$DAYS" \
    -ca "$WORK/ca-$ISSUING.pem" -key "$WORK/ca-$ISSUING-key.pem" "$@" >/dev/null)
  mv "$place/$WADI_NOMAD_REGION-$role-nomad.pem" "$place/cert.pem"
  mv "$place/$WADI_NOMAD_REGION-$role-nomad-key.pem" "$place/key.pem"
  echo "$place"
}

# Puts files where Nomad reads them. Prints what changed.
lay() {
  local from=$1 to="$RUN/tls/$2"
  cmp -s "$from" "$to" && return 0
  install -m 0640 "$from" "$to.new"
  [ "$WADI_ROLE" = client ] || chgrp nomad "$to.new"
  mv "$to.new" "$to"
  echo "$2"
}

publish_authorities() {
  local known
  known=$(aws ssm get-parameter --name "$WADI_CA_PARAMETER" --query Parameter.Value --output text 2>/dev/null || true)
  [ "$known" = "$(cat "$WORK/ca.pem")" ] ||
    aws ssm put-parameter --name "$WADI_CA_PARAMETER" --type String --overwrite --value "file://$WORK/ca.pem" >/dev/null
}

clients_are_served() {
  secret "$WADI_CLIENT_CERTIFICATE_SECRET" >"$WORK/known.json" || return 1
  jq -r .certificate "$WORK/known.json" >"$WORK/known.pem"
  [ "$(jq -r .authorities "$WORK/known.json")" = "$(cat "$WORK/ca.pem")" ] && is_good "$WORK/known.pem"
}

# One certificate serves all clients: a client proves that it is one, and nothing else hangs on it.
publish_clients() {
  local bundle="$WORK/bundle.json" place
  if clients_are_served; then return 0; fi
  place=$(issue client)
  jq -n --rawfile authorities "$WORK/ca.pem" --rawfile certificate "$place/cert.pem" --rawfile private_key "$place/key.pem" \
    '{authorities: ($authorities | rtrimstr("\n")), $certificate, $private_key}' >"$bundle"
  # Named after what it follows from, so that all servers mean the same version; where that name was used before
  # (a rotation taken back), the version is written without a name.
  create_version "$WADI_CLIENT_CERTIFICATE_SECRET" "$(sha256sum <"$WORK/ca.pem") $(($(now) / (DAYS * 28800)))" "$bundle" ||
    retry 5 2 clients_are_served || aws secretsmanager put-secret-value --secret-id "$WADI_CLIENT_CERTIFICATE_SECRET" --secret-string "file://$bundle" >/dev/null
}

serve() {
  local generation place="$RUN/tls"
  # The issuing authority first: some readers take one certificate only.
  : >"$WORK/ca.pem"
  for generation in $(jq -r '[.issuing] + (.generations - [.issuing]) | .[]' "$WORK/settings.json"); do
    read_authority "$generation"
    cat "$WORK/ca-$generation.pem" >>"$WORK/ca.pem"
  done
  publish_authorities
  publish_clients
  is_good "$place/cert.pem" || place=$(issue server -additional-ipaddress "$(imds meta-data/local-ipv4)")
  changed=$(lay "$WORK/ca.pem" ca.pem; lay "$place/cert.pem" cert.pem; lay "$place/key.pem" key.pem)
}

work() {
  secret "$WADI_CLIENT_CERTIFICATE_SECRET" >"$WORK/bundle.json" || { log "no server has issued a certificate yet"; exit 1; }
  jq -er .authorities "$WORK/bundle.json" >"$WORK/ca.pem"
  jq -er .certificate "$WORK/bundle.json" >"$WORK/cert.pem"
  jq -er .private_key "$WORK/bundle.json" >"$WORK/key.pem"
  changed=$(lay "$WORK/ca.pem" ca.pem; lay "$WORK/cert.pem" cert.pem; lay "$WORK/key.pem" key.pem)
}

changed=
aws ssm get-parameter --name "$WADI_CERTIFICATES_PARAMETER" --query Parameter.Value --output text >"$WORK/settings.json"
ISSUING=$(setting issuing)
DAYS=$(setting certificate_days)
if [ "$WADI_ROLE" = server ]; then serve; else work; fi

if [ -n "$changed" ]; then
  log "changed: $(echo "$changed" | tr '\n' ' ')"
  ! systemctl is-active --quiet nomad.service || systemctl reload nomad.service
fi
