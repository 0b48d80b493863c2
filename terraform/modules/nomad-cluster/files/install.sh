#!/usr/bin/env bash
# Makes a server or client of a fresh instance: packages, Nomad by version and checksum, folders, units. cloud-init calls it once; a second call
# changes nothing.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=/dev/null
. "${WADI_ENV:-/etc/wadi/cluster.env}"
# shellcheck source=/dev/null
. "${WADI_LIB:-/usr/local/lib/wadi}/common.sh"

install_nomad() {
  local zip=/var/tmp/nomad.zip sum
  case $(uname -m) in
    x86_64) sum=$WADI_NOMAD_SHA256_AMD64 arch=amd64 ;;
    aarch64) sum=$WADI_NOMAD_SHA256_ARM64 arch=arm64 ;;
    *) log "no Nomad for $(uname -m)"; return 1 ;;
  esac
  curl -sfL --retry 10 --retry-all-errors -o "$zip" "$WADI_NOMAD_DOWNLOADS/$WADI_NOMAD_VERSION/nomad_${WADI_NOMAD_VERSION}_linux_$arch.zip"
  echo "$sum  $zip" | sha256sum -c --quiet || { log "the checksum of Nomad $WADI_NOMAD_VERSION is not $sum"; return 1; }
  unzip -qo "$zip" nomad -d /usr/local/bin
  rm "$zip"
}

read -ra packages <<<"$WADI_PACKAGES"
retry 10 10 dnf install -y -q "${packages[@]}"
id nomad >/dev/null 2>&1 || useradd --system --home-dir /opt/nomad --shell /sbin/nologin nomad
install_nomad
mkdir -p "$NOMAD_DATA"
if [ "$WADI_ROLE" = server ]; then chown -R nomad:nomad /opt/nomad; fi
read -ra units <<<"$WADI_UNITS"
systemctl daemon-reload
systemctl enable "${units[@]}"
# Units wait for each other, and Nomad for its certificates: cloud-init need not.
systemctl start --no-block "${units[@]}"
