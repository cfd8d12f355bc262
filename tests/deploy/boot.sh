#!/bin/sh
# Boots this machine's own system in a container of its own, with nothing changed outside of it, and runs
# booted.ts as a service there, beside causeway.service as deploy/ has it. For root, in a mount namespace of its own:
#   unshare --mount tests/deploy/boot.sh CHECKOUT DENO OUTPUT_DIRECTORY
set -eu
checkout=$1 deno=$2 output=$3
layers=$(mktemp -d)
mount -t tmpfs none "$layers"
mkdir "$layers/upper" "$layers/work" "$layers/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
root=$layers/root

# Of the services that are installed here none is started but the journal.
rm -rf "$root"/etc/systemd/system/*.wants "$root/etc/systemd/system/causeway.service.d"
mkdir -p "$root/opt/causeway" "$root/opt/cache" "$root/etc/causeway" "$root/etc/systemd/system/causeway.service.d"
cp -r "$checkout/main.ts" "$checkout/deno.json" "$checkout/deno.lock" "$checkout/src" "$root/opt/causeway/"
cp "$deno" "$root/opt/deno"
npm=$(DENO_NO_UPDATE_CHECK=1 "$deno" info --json | sed -n 's/.*"npmCache": "\(.*\)".*/\1/p')
chmod -R a+rX "$root/opt"
cp "$checkout/deploy/causeway.service" "$checkout/deploy/causeway.socket" "$root/etc/systemd/system/"
cat >"$root/etc/systemd/system/causeway.service.d/test.conf" <<EOF
[Service]
ExecStart=
ExecStart=/opt/deno run -P --cached-only --no-check /opt/causeway/main.ts serve --config /etc/causeway/causeway.toml
Environment=DENO_DIR=/opt/cache NO_COLOR=1
WatchdogSec=3
LoadCredential=tls.key:/etc/causeway/tls.key
LoadCredential=tls.crt:/etc/causeway/tls.crt
LoadCredential=ca.pem:/etc/causeway/ca.pem
EOF
mkdir -p "$root/etc/systemd/system/causeway.socket.d"
cat >"$root/etc/systemd/system/causeway.socket.d/test.conf" <<EOF
[Socket]
ListenStream=
ListenStream=127.0.0.1:444
EOF
cat >"$root/etc/systemd/system/booted.service" <<EOF
[Unit]
After=systemd-journald.service dbus.socket
Requires=systemd-journald.service
[Service]
Type=oneshot
WorkingDirectory=$checkout
Environment=HOME=/root NO_COLOR=1 DENO_NO_UPDATE_CHECK=1 PATH=$PATH
ExecStart=$deno test -A --no-check --cached-only tests/deploy/booted.ts
ExecStopPost=-/bin/journalctl --no-pager --unit=causeway.service --unit=causeway.socket --lines=60
ExecStopPost=/bin/systemctl --no-block --force exit
StandardOutput=append:/output/report
StandardError=append:/output/report
EOF
systemd-nspawn --quiet --directory="$root" --register=no --keep-unit --console=pipe --private-network \
  --bind="$output:/output" --bind-ro="$checkout" --bind-ro="$npm:/opt/cache/npm" --boot systemd.unit=booted.service >"$output/console" 2>&1 </dev/null
