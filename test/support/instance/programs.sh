#!/usr/bin/env bash
# Stands in for the programs that the scripts of an instance call (aws, curl, systemctl, nomad, chgrp), one file under many names. What they know is in
# the folder $TEST_MACHINE: metadata/, secrets/, parameters/, allocations.json; every call is a line of `log`, as far as a test asks for it.
set -euo pipefail

cd "$TEST_MACHINE"
WORK=$OLDPWD
NAME=$(basename "$0")
ALL=("$@")

option() {
  local i
  for ((i = 0; i < ${#ALL[@]}; i++)); do
    if [ "${ALL[i]}" = "$1" ]; then
      echo "${ALL[i + 1]}"
      return
    fi
  done
  echo "${2:-}"
}

file_of() {
  echo "$1/$(tr -c 'a-zA-Z0-9\n' _ <<<"$2")"
}

text_of() {
  case $1 in file://*) cat "${1#file://}" ;; *) printf '%s' "$1" ;; esac
}

aws_call() {
  local place
  case "$1 $2" in
    "secretsmanager get-secret-value")
      place=$(file_of secrets "$(option --secret-id)")
      [ -f "$place/text" ] && cat "$place/text" && echo
      ;;
    "secretsmanager put-secret-value")
      place=$(file_of secrets "$(option --secret-id)")
      mkdir -p "$place"
      # A version of this name may be written once.
      mkdir "$place/$(option --client-request-token "$$")" 2>/dev/null || exit 254
      text_of "$(option --secret-string)" >"$place/new.$$"
      mv "$place/new.$$" "$place/text"
      echo "secret written: $(option --secret-id)" >>log
      ;;
    "ssm get-parameter") cat "$(file_of parameters "$(option --name)")" ;;
    "ssm put-parameter") text_of "$(option --value)" >"$(file_of parameters "$(option --name)")" ;;
    "autoscaling "*) echo "$2" >>log ;;
    *) exit 2 ;;
  esac
}

curl_call() {
  case ${ALL[-1]} in
    */api/token) echo token ;;
    *) cat "metadata/$(tr / _ <<<"${ALL[-1]#*/latest/meta-data/}")" 2>/dev/null || exit 22 ;;
  esac
}

# An authority's signature with openssl, where Nomad would do it.
issue() {
  local role=${1#-}
  cd "$WORK"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$role.global.nomad" -keyout "global-$role-nomad-key.pem" -out request.pem 2>/dev/null
  openssl x509 -req -in request.pem -CA "$(option -ca)" -CAkey "$(option -key)" -CAcreateserial -days "$(option -days)" -out "global-$role-nomad.pem" 2>/dev/null
  rm request.pem
}

nomad_call() {
  case "$1 $2" in
    "tls cert") issue "$4" ;;
    "node drain")
      if [ -f refuse-drain ]; then
        echo "drain refused" >>log
        exit 1
      fi
      echo "drain $(option -deadline)" >>log
      ;;
    "operator api") cat allocations.json ;;
    *) exit 2 ;;
  esac
}

case $NAME in
  aws) aws_call "$@" ;;
  curl) curl_call ;;
  nomad) nomad_call "$@" ;;
  systemctl)
    case $* in
      is-active*) [ -f nomad-runs ] ;;
      kill*) rm -f nomad-runs && echo "$*" >>log ;;
      *) echo "$*" >>log ;;
    esac
    ;;
esac
