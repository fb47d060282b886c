#!/bin/bash
# usage: systemd_world.sh COMMAND...
# Boots a systemd of its own and runs COMMAND beside it, in its pid, mount, cgroup, uts and ipc namespaces; exits as that
# does, once nothing is left. The root file system is the host's. Of cgroups only cgroup2 is there, and nothing above
# those of this world. No unit of the host's is started, but D-Bus, which systemd takes for its own only by that name.
set -euo pipefail
self=$(readlink -f "$0")

die() { echo "systemd_world: $*" >&2; exit 1; }

unit() { printf '%s\n' '[Unit]' 'DefaultDependencies=no' "${@:2}" >"/run/units/$1"; }

# As pid 1 of the new namespaces; $1 takes what systemd says.
init() {
  umount -R /sys/fs/cgroup
  mount -t proc -o nosuid,nodev,noexec proc /proc
  # What is the host's is seen and not changed.
  mount --bind -o ro /proc/sys /proc/sys
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs /sys 2>/dev/null || mount --bind -o ro /sys /sys
  mount --bind -o ro /dev /dev
  mount -t devpts -o newinstance,mode=620,ptmxmode=666,gid=5 devpts /dev/pts
  mount -t tmpfs -o nosuid,nodev shm /dev/shm
  [ ! -e /dev/console ] || mount --bind /dev/null /dev/console
  mount --bind "$1" /dev/kmsg
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
  umount -R /run/netns 2>/dev/null || true
  mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
  mkdir -p /run/lock /run/dbus /run/units
  # Without one systemd takes this for the first boot, and writes presets to /etc.
  tr -d - </proc/sys/kernel/random/uuid >/run/machine-id
  [ ! -e /etc/machine-id ] || mount --bind /run/machine-id /etc/machine-id
  unit world.target Wants=dbus.socket Wants=dbus.service
  for target in sysinit basic sockets shutdown umount; do unit "$target.target"; done
  unit dbus.socket '[Socket]' ListenStream=/run/dbus/system_bus_socket
  unit dbus.service Requires=dbus.socket After=dbus.socket '[Service]' Type=notify \
    'ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation'
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=crd-test \
    SYSTEMD_UNIT_PATH=/run/systemd/transient:/run/systemd/system:/run/units \
    SYSTEMD_GENERATOR_PATH=/run/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/none \
    /lib/systemd/systemd --system --unit=world.target --log-target=kmsg --show-status=no
}

# A root cgroup with a process in it could not give controllers to those within.
inside() {
  mkdir -p "$cgroup/run"
  (echo $BASHPID >"$cgroup/run/cgroup.procs"
    exec nsenter -t "$first" -p -m -C -u -i --wdns="$PWD" -- setpriv --pdeathsig KILL -- "$@")
}

# The world ends with its first process, and that with the one that holds it.
end() {
  [ -z "${holder:-}" ] || kill -KILL "$holder" 2>/dev/null || true
  echo 1 >"$cgroup/cgroup.kill"
  for _ in {1..100}; do
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.1
  done
  [ ! -d "$cgroup" ] || echo "systemd_world: cannot remove $cgroup" >&2
  rm -rf "$state"
}

if [ "${1:-}" = --init ]; then init "$2"; fi
[ $# -gt 0 ] || die "usage: systemd_world.sh COMMAND..."

cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/crd-test-world-$$
state=$(mktemp -d -t crd-test-world.XXXXXX)
: >"$state/log"
mkdir "$cgroup"
trap end EXIT

setpriv --pdeathsig KILL unshare --fork --kill-child --pid --mount --propagation private --uts --ipc \
  bash -c 'echo 0 >"$1/cgroup.procs" && exec unshare --cgroup "$0" --init "$2"' "$self" "$cgroup" "$state/log" \
  </dev/null >>"$state/log" 2>&1 &
holder=$!
disown
for _ in {1..150}; do
  sleep 0.1
  first=$(tr -d ' ' <"/proc/$holder/task/$holder/children") || die "did not boot: $(tail -5 "$state/log")"
  [ -n "$first" ] && [ -S "/proc/$first/root/run/dbus/system_bus_socket" ] || continue
  [ "$(inside systemctl is-system-running 2>/dev/null || true)" != running ] || ready=yes
  [ -z "${ready:-}" ] || break
done
[ -n "${ready:-}" ] || die "is not ready: $(tail -5 "$state/log")"
inside umount /proc/sys
inside "$@"
