# A container that the demo checkpoints. To be sourced; every function names the directory that it works in first.

container_limit=$((64 << 20))

# The id must be nobody else's: cgroups are called like it.
container_id() { echo "crd-demo-${1##*.}"; }

container_runc() {
  local dir=$1
  shift
  command runc --root "$dir/runc" "$@"
}

# A shell in a root of busybox that counts in memory, and writes how far it is to a bind mount, /data.
container_start() {
  local dir=$1 name deadline=$((SECONDS + 10))
  mkdir -p "$dir/data" "$dir/bundle/rootfs"/{bin,proc,sys,dev,tmp,data}
  cp /bin/busybox "$dir/bundle/rootfs/bin/"
  for name in sh cat mv sleep echo; do ln -s busybox "$dir/bundle/rootfs/bin/$name"; done
  command runc spec --bundle "$dir/bundle"
  /usr/bin/python3 - "$dir" "$container_limit" <<'END'
import json, sys
directory, limit = sys.argv[1], int(sys.argv[2])
with open(directory + "/bundle/config.json") as file:
    config = json.load(file)
config["process"].update(terminal=False, rlimits=[], args=["/bin/sh", "-c",
    "i=0; while :; do i=$((i+1)); echo $i >/data/new; mv /data/new /data/count; sleep 0.1; done"])
config["mounts"].append({"destination": "/data", "type": "bind", "source": directory + "/data", "options": ["rbind", "rw"]})
config["linux"]["resources"]["memory"] = {"limit": limit}
with open(directory + "/bundle/config.json", "w") as file:
    json.dump(config, file)
END
  container_runc "$dir" run --detach --bundle "$dir/bundle" "$(container_id "$dir")" </dev/null >/dev/null 2>&1 || return 1
  until [ -s "$dir/data/count" ]; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}

container_count() { cat "$1/data/count"; }

# "running" or "stopped", by runc's own word.
container_status() { container_runc "$1" list --format json | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)[0]["status"])'; }
container_pid() { container_runc "$1" list --format json | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)[0]["pid"])'; }

# What the container itself sees of its limit.
container_memory_limit() {
  container_runc "$1" exec "$(container_id "$1")" /bin/sh -c \
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'
}

# It goes on from COUNT.
container_goes_on() {
  local dir=$1 count=$2 deadline=$((SECONDS + 10))
  until [ "$(container_count "$dir")" -gt "$((count + 2))" ]; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
  [ "$(container_count "$dir")" -lt "$((count + 1000))" ]
}

container_stop() { [ ! -d "$1/runc" ] || container_runc "$1" delete --force "$(container_id "$1")"; }
