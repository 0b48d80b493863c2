# What the scripts of an instance share: the log, the instance's metadata (IMDSv2 only), secrets, and Nomad's address. It is sourced, after
# /etc/wadi/cluster.env; it holds no secret and writes none to the log.
# shellcheck shell=bash

RUN=${WADI_RUN:-/run/wadi}
NOMAD_DATA=${WADI_NOMAD_DATA:-/opt/nomad/data}
export NOMAD_ADDR=${NOMAD_ADDR:-https://127.0.0.1:4646}
export NOMAD_CACERT=${NOMAD_CACERT:-$RUN/tls/ca.pem}
export AWS_DEFAULT_REGION=${WADI_AWS_REGION:-}

log() {
  echo "wadi: $*" >&2
}

now() {
  date +%s
}

# A value of the instance's metadata; fails if there is none.
imds() {
  local token
  token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token) || return 1
  curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/$1"
}

instance_id() {
  imds meta-data/instance-id
}

node_id() {
  cat "$NOMAD_DATA/client/client-id"
}

# The text of a secret; fails if it has none yet.
secret() {
  aws secretsmanager get-secret-value --secret-id "$1" --query SecretString --output text 2>/dev/null
}

# The text a secret had before; fails if there was none.
former_secret() {
  aws secretsmanager get-secret-value --secret-id "$1" --version-stage AWSPREVIOUS --query SecretString --output text 2>/dev/null
}

# Writes a secret from a file unless a version of this name is there already: of several servers the first wins, and the others fail here.
# The name is hashed because AWS takes 32 to 64 characters.
create_version() {
  local arn=$1 name=$2 file=$3 token
  token=$(printf '%s' "$arn $name" | sha256sum | cut -c1-64)
  aws secretsmanager put-secret-value --secret-id "$arn" --client-request-token "$token" --secret-string "file://$file" >/dev/null 2>&1
}

# The management token, for the servers' own errands: in the environment of one command, never in a file or an argument.
with_token() {
  local token
  token=$(secret "$1") || return 1
  shift
  NOMAD_TOKEN=$token "$@"
}

# Tries again every few seconds, for a limited number of times.
retry() {
  local times=$1 pause=$2
  shift 2
  until "$@"; do
    times=$((times - 1))
    [ "$times" -gt 0 ] || return 1
    sleep "$pause"
  done
}

# Ends the script unless this server leads: errands that must happen once are the leader's. Fails if Nomad does not answer.
leader_only() {
  leads || { log "another server leads: nothing to do"; exit 0; }
}

leads() {
  local leader
  leader=$(nomad operator api /v1/status/leader) || { log "Nomad does not answer"; exit 1; }
  [ "$leader" = "\"$(imds meta-data/local-ipv4):4647\"" ]
}
