# A bridge with a container of redis and a client on it. To be sourced. All of it is in the demo's own network namespace
# and ends with that.

network_address=10.77.0.5
network_port=6379

network_bridge_up() {
  ip link add web0 type bridge && ip address add 10.77.0.1/24 dev web0 && ip link set web0 up
}

# Puts the namespace of a process on the bridge: PID VETH ADDRESS. What an engine does for its containers.
network_plug() {
  local pid=$1 veth=$2 address=$3
  ip link add "$veth" type veth peer name eth0 netns "$pid"
  ip link set "$veth" master web0 up
  nsenter --net="/proc/$pid/ns/net" sh -e -c "
    ip link set lo up
    ip address add $address/24 dev eth0
    ip link set eth0 up
    ip route add default via 10.77.0.1"
}

# redis-server in a root that has nothing but this host's /usr, with a network namespace of its own.
network_redis_start() {
  local dir=$1 name
  mkdir -p "$dir/bundle/rootfs"/{usr,proc,sys,dev,tmp,etc}
  for name in bin lib lib64 sbin; do ln -s "usr/$name" "$dir/bundle/rootfs/$name"; done
  command runc spec --bundle "$dir/bundle"
  /usr/bin/python3 - "$dir/bundle/config.json" "$network_port" <<'END'
import json, sys
path, port = sys.argv[1:]
with open(path) as file:
    config = json.load(file)
config["process"].update(terminal=False, rlimits=[], args=["/usr/bin/redis-server",
    "--bind", "0.0.0.0", "--port", port, "--protected-mode", "no", "--save", "", "--appendonly", "no", "--dir", "/tmp"])
config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})
config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
with open(path, "w") as file:
    json.dump(config, file)
END
  container_runc "$dir" run --detach --bundle "$dir/bundle" "$(container_id "$dir")" </dev/null >/dev/null 2>&1
}

# Sets client_pid. The client is in a namespace of its own, and waits there until it is on the bridge.
network_client_start() {
  local dir=$1
  detached "$dir/client-output" unshare --net sh -c \
    "until ip -o address show dev eth0 2>/dev/null | grep -q 10.77.0.9; do sleep 0.05; done
     exec /usr/bin/python3 '$demo_d/client.py' $network_address $network_port '$dir/count'" &
  client_pid=$!
  disown "$client_pid"
}

network_client_plug() {
  local deadline=$((SECONDS + 10))
  until [ "$(readlink "/proc/$client_pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do # not unshared yet
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
  network_plug "$client_pid" client0 10.77.0.9
}

network_count() { cat "$1/count" 2>/dev/null || echo 0; }

# The client counts on from COUNT, on the connection that it has.
network_client_goes_on() {
  local dir=$1 count=$2 deadline=$((SECONDS + 15)) now
  while [ $SECONDS -lt $deadline ]; do
    now=$(network_count "$dir")
    case $now in lost*) echo "the client $now" >&2; return 1 ;; esac
    [ "$now" -le "$((count + 5))" ] || return 0
    sleep 0.02
  done
  echo "the client still stands at $now" >&2
  return 1
}

network_client_stop() {
  if [ -n "$client_pid" ] && grep -aq client.py "/proc/$client_pid/cmdline"; then kill -KILL "$client_pid"; fi
}
