# Programs that the demo checkpoints. To be sourced; every function names what it works on in its arguments.

demo_d=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

# Runs a command in its own session with stdio in files and nothing else open: what the caller's shell left open
# (a terminal, a pipe) would belong to the program too, and could not be checkpointed with it.
detached() {
  local log=$1 fd
  shift
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || exec {fd}>&-
  done
  exec setsid "$@" </dev/null >"$log" 2>&1
}

# --- a tree of processes with a TCP connection among them ---

# Sets tree_pid.
tree_start() {
  local dir=$1
  mkdir -p "$dir"
  detached "$dir/output" /usr/bin/python3 "$demo_d/tree.py" run "$dir" &
  tree_pid=$!
  disown "$tree_pid" # the shell is not to announce how it ended
  tree_status "$dir" >/dev/null
}

# What tree_check is to compare with must be taken while the tree is gone: only then does all progress come after it.
tree_status() { /usr/bin/python3 "$demo_d/tree.py" status "$1"; }
tree_check() { /usr/bin/python3 "$demo_d/tree.py" check "$1" "$2"; }
tree_stop() { /usr/bin/python3 "$demo_d/tree.py" stop "$1"; }

# --- redis ---

redis_keys=4096

# Sets redis_pid. Nothing on disk, so that what is there after a restore came out of memory.
redis_start() {
  local dir=$1 port=$2
  mkdir -p "$dir"
  cat >"$dir/redis.conf" <<END
bind 127.0.0.1
port $port
dir $dir
save ""
appendonly no
daemonize no
END
  detached "$dir/output" redis-server "$dir/redis.conf" &
  redis_pid=$!
  disown "$redis_pid"
  redis_wait "$port" || {
    echo "redis: does not answer on port $port: $(tail -n 1 "$dir/output")" >&2
    return 1
  }
}

redis_wait() {
  local deadline=$((SECONDS + 10))
  until [ "$(redis-cli -p "$1" ping 2>/dev/null)" = PONG ]; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}

# 4 MiB, each value different.
redis_fill() {
  local port=$1
  awk -v keys="$redis_keys" 'BEGIN {
    for (k = 1; k <= keys; k++) {
      value = ""
      while (length(value) < 1024) value = value sprintf("%07d.", k * 7919 + length(value))
      printf "SET key:%d %s\r\n", k, value
    }
  }' | redis-cli -p "$port" --pipe >/dev/null
}

redis_digest() {
  seq -f 'GET key:%.0f' 1 "$redis_keys" | redis-cli -p "$1" | sha256sum | cut -d' ' -f1
}

# Prints how many visits there were, this one included.
redis_visit() { redis-cli -p "$1" incr visits; }

# DIGEST and VISITS as they were before: the data is the same, and writing goes on where it stopped.
redis_check() {
  local port=$1 digest=$2 visits=$3 now
  redis_wait "$port" || { echo "redis: does not answer on port $port" >&2; return 1; }
  now=$(redis_digest "$port")
  [ "$now" = "$digest" ] || { echo "redis: the data had the digest $digest and has $now" >&2; return 1; }
  now=$(redis_visit "$port")
  [ "$now" = $((visits + 1)) ] || { echo "redis: the counter was $visits and went on as $now" >&2; return 1; }
  echo "redis answers on port $port, its $redis_keys values are unchanged, its counter went from $visits to $now"
}

redis_stop() { redis-cli -p "$1" shutdown nosave >/dev/null 2>&1 || true; }
