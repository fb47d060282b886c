# The demo's own crd, small things that it needs to know, and the end of everything. To be sourced by deploy/demo,
# which says what it works on: dir, build, criu, redis_port, and the pids.
# shellcheck disable=SC2154

export CRD_SOCKET

# Sets crd_pid and CRD_SOCKET. Leaves the host's /etc/crd alone.
crd_start() {
  local deadline=$((SECONDS + 30))
  CRD_SOCKET=unix://$dir/crd.sock
  detached "$dir/crd.log" "$build/daemon/crd" --socket "$dir/crd.sock" --state-dir "$dir/state" \
    --run-dir "$dir/run" --config /dev/null --criu "$criu" &
  crd_pid=$!
  until "$build/client/crctl" info >/dev/null 2>&1; do
    if is_gone "$crd_pid" || [ $SECONDS -ge $deadline ]; then
      die "crd does not answer: $(tail -n 3 "$dir/crd.log")"
    fi
    sleep 0.05
  done
}

crd_stop() {
  local pid=$crd_pid
  crd_pid=''
  kill -TERM "$pid" && wait "$pid"
}

is_gone() {
  local state
  state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 0
  [ "$state" = Z ] || [ "$state" = X ]
}

parent_of() { sed -n 's/^PPid:\t//p' "/proc/$1/status" 2>/dev/null; }

# These pids and their descendants, with commas.
tree_and() {
  ps -eo pid=,ppid= | awk -v roots="$*" '
    { parent[$1] = $2 }
    END {
      split(roots, list)
      for (i in list) root[list[i]] = 1
      for (pid in parent) {
        for (up = pid; up > 1 && !(up in root); up = parent[up]) { }
        if (up in root) { printf "%s%s", comma, pid; comma = "," }
      }
    }'
}

free_port() {
  /usr/bin/python3 -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1])'
}

mebi() { awk -v bytes="$1" 'BEGIN { printf "%.1f", bytes / 1048576 }'; }
milli() { awk -v micros="$1" 'BEGIN { printf "%.1f", micros / 1000 }'; }

# CRIU's cache of what the kernel can do, which it or crd puts into /run.
remember_kernel_cache() {
  local file
  kernel_cache_is_new=()
  for file in /run/criu.kdat /run/criu.kdat.tmp; do
    [ -e "$file" ] || kernel_cache_is_new+=("$file")
  done
}
forget_kernel_cache() { rm -f "${kernel_cache_is_new[@]}"; }

# What is left when the demo fails half-way: through crd as long as it lives, since it knows best.
end_what_crd_has() {
  local container names
  if [ -n "$crd_pid" ] && ! is_gone "$crd_pid"; then
    for container in $("$build/client/crctl" ps --quiet); do
      "$build/client/crctl" kill --signal KILL "$container" &&
        "$build/client/crctl" --timeout 10s wait "$container"
    done
    mapfile -t names < <("$build/client/crctl" list --all --quiet)
    [ ${#names[@]} = 0 ] || "$build/client/crctl" rm "${names[@]}"
    crd_stop
  fi
}

# And what crd was killed or could not be asked about: the processes in its cgroup, which are its and nobody else's.
end_what_is_in_its_cgroup() {
  local base below
  base=$(cat "$dir/state/cgroup") || return 0
  [ -n "$base" ] && [ -d "$base" ] || return 0
  echo 1 >"$base/cgroup.kill"
  sleep 0.2
  for below in "$base"/*/ "$base"; do rmdir "$below"; done
}

# CRIU's nftables table, which keeps a dumped connection alive until its restore. CRIU cuts its name off (as of 4.2).
remove_network_lock() {
  local table
  [ -n "$network_lock" ] || return 0
  for table in $(nft list tables inet | sed -n 's/^table inet \(CRIU-.*\)/\1/p'); do
    case $network_lock in "$table"*) nft delete table inet "$table" ;; esac
  done
}

end_programs() {
  [ -z "$box" ] || container_stop "$box"
  [ -z "$shop" ] || container_stop "$shop"
  network_client_stop
  [ -z "$tree_pid" ] || tree_stop "$dir/tree"
  if [ -n "$redis_pid" ] && grep -aq "redis-server 127.0.0.1:$redis_port" "/proc/$redis_pid/cmdline"; then
    kill -KILL "$redis_pid"
  fi
}

# Every step on its own: one that fails must not keep the others from being done.
cleanup() {
  local status=$?
  trap '' INT TERM HUP
  trap - ERR
  set +e
  if [ "$status" != 0 ] && [ -s "$dir/crd.log" ]; then
    echo "demo: the last that crd said:" >&2
    tail -n 5 "$dir/crd.log" >&2
  fi
  {
    end_what_crd_has
    end_what_is_in_its_cgroup
    end_programs
    remove_network_lock
    forget_kernel_cache
    rm -rf "$dir"
  } >/dev/null 2>&1
  exit "$status"
}
