# bash completion for crctl(1)

# Ids and names of what crd has; nothing when it does not answer at once.
_crctl_ask() {
  local socket=()
  [ -z "$2" ] || socket=(--socket "$2")
  timeout 1 crctl "${socket[@]}" "$1" --all --json 2>/dev/null |
    grep -oE '"(id|name)":"[^"]+"' | cut -d'"' -f4
}

_crctl() {
  local cur prev words cword
  if declare -F _init_completion >/dev/null; then
    _init_completion || return
  else
    cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
  fi
  COMPREPLY=()

  local commands='checkpoint restore list ls ps show events wait kill forget check verify import-images rm network info version'
  local dump='--leave-running --tcp-established --file-locks --ext-unix-sk --shell-job --link-remap
    --tcp-skip-in-flight --ghost-limit --network'
  local options='--socket --json --timeout --help'

  local command='' socket='' i
  for ((i = 1; i < cword; i++)); do
    case ${words[i]} in
      --socket) socket=${words[++i]} ;;
      --timeout) ((++i)) ;;
      -*) ;;
      *) [ -n "$command" ] || command=${words[i]} ;;
    esac
  done

  case $prev in
    --socket | --log | --pidfile | --root | --bundle | --console-socket)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return ;;
    --pid)
      mapfile -t COMPREPLY < <(compgen -W "$(ps -eo pid= 2>/dev/null)" -- "$cur")
      return ;;
    -s | --signal)
      mapfile -t COMPREPLY < <(compgen -W 'HUP INT QUIT KILL USR1 USR2 TERM CONT STOP' -- "$cur")
      return ;;
    --runtime)
      if [ "$command" != ps ]; then
        mapfile -t COMPREPLY < <(compgen -W 'runc crun' -- "$cur")
        return
      fi ;;
    --timeout | --name | --ghost-limit | --since | --id | --map | --mount | --cgroup-parent | --reserve-for | --subnet | --gateway | --mac | --for)
      return ;;
  esac

  local checkpoints=no containers=no
  case $command in
    '') options="$options --version $commands" ;;
    checkpoint)
      options="$options --pid --name --runtime --root --force --kill-exec --rootfs-diff --network-mode --reserve-for $dump" containers=yes
      if [ "$prev" = --network-mode ]; then
        mapfile -t COMPREPLY < <(compgen -W 'hold release' -- "$cur")
        return
      fi ;;
    restore)
      options="$options --name --wait --tcp-established --tcp-close --network --map --new-address --log --inherit-stdio --pidfile
        --bundle --mount --cgroup-parent --console-socket --rootfs-diff --no-rootfs-diff"
      checkpoints=yes ;;
    list | ls) options="$options --all --quiet" ;;
    ps) options="$options --all --quiet --runtime --root" ;;
    show) checkpoints=yes containers=yes ;;
    events) options="$options --follow --since" ;;
    wait | forget) containers=yes ;;
    kill) options="$options --signal" containers=yes ;;
    check) options="$options --pid --runtime --root --kill-exec --rootfs-diff $dump" checkpoints=yes containers=yes ;;
    verify | rm) checkpoints=yes ;;
    network)
      options="$options --bridge --subnet --gateway --all --mac --host-interface --for --reserve-for --network"
      [[ $cur = -* || $prev != network ]] ||
        mapfile -t COMPREPLY < <(compgen -W 'ls create rm reservations reserve release' -- "$cur")
      [[ $cur = -* ]] || return 0 ;;
    import-images) options="$options --bundle --name --runtime --root --id" ;;
  esac
  local candidates=$options
  if [[ $cur != -* ]]; then
    [ "$checkpoints" = no ] || candidates+=" $(_crctl_ask list "$socket")"
    [ "$containers" = no ] || candidates+=" $(_crctl_ask ps "$socket")"
    # Options come up once a dash is typed.
    [ -z "$command" ] || candidates=${candidates#"$options"}
    [ -n "$command" ] || candidates=$commands
  fi
  mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$cur")
}

complete -F _crctl crctl
