#!/bin/sh
# @NAME@ @VERSION@ in one file: this launcher, then (binary) a Deno runtime and the program.
# The first start unpacks both into a private cache folder; every start then becomes Deno itself
# (exec: same process id, signals, stdin, stdout and exit code). The fast path runs no other
# programs but ls and base64. tools/build.ts fills in the names between at signs.
name=@NAME@
runtime=deno-@RUNTIME_ID@
app=@NAME@-@APP_ID@

# A file that was unpacked here, is ours, and has not been changed since.
intact() {
  [ -s "$1" ] && [ -O "$1" ] && [ -e "${1%/*}/stamp" ] && ! [ "$1" -nt "${1%/*}/stamp" ]
}

# A cache folder that nobody else can have created.
trusted() {
  [ -d "$1" ] && [ -O "$1" ] && ! [ -h "$1" ]
}

# A cache folder in which, and above which, nobody but us and root can put anything. Shared folders
# such as /tmp, where only owners may rename what is theirs, may be above it.
alone() (
  place=$(cd -P "$1" && pwd -P) || exit 1
  above=$place
  set -- "$place/$runtime" "$place/$app" "$place"
  while [ -n "$above" ]; do
    above=${above%/*}
    set -- "$@" "${above:-/}"
  done
  LC_ALL=C ls -ldn "$@" | {
    seen=
    while read -r mode _ uid rest; do
      seen=/${rest#*/}
      [ "$uid" = 0 ] || [ -O "$seen" ] || exit 1
      case $mode in
        ????????w[tT]*) case $seen in "$place"*) exit 1 ;; esac ;;
        ????????w*) exit 1 ;;
      esac
    done
    [ -n "$seen" ]
  }
)

ready() {
  trusted "$1" && trusted "$1/$runtime" && trusted "$1/$app" &&
    intact "$1/$runtime/deno" && [ "$1/$runtime/$name" -ef "$1/$runtime/deno" ] &&
    for file in @APP_FILES@; do intact "$1/$app/$file" || return 1; done &&
    alone "$1" && cache=$(cd -P "$1" && pwd -P)
}

# piece OFFSET LENGTH FOLDER FILE: unpacks into FOLDER/FILE, completely or not at all. Sets its time
# back so that no stamp is older, whoever made the stamp.
piece() {
  new=$3/.$4.$$
  tail -c "+$1" "$0" | head -c "$2" | gzip -dc >"$new" && chmod 700 "$new" &&
    touch -t 200001010000 "$new" && mv -f "$new" "$3/$4" ||
    { rm -f "$new"; echo "$3: cannot write, or $0 is damaged or incomplete"; return 1; }
}

# stamp FOLDER: its files are complete, and safe on disk in case of a power cut.
stamp() {
  { sync "$1"/* 2>/dev/null || sync; } && : >"$1/stamp"
}

# Runs in a subshell; says on stdout what went wrong. Two at once do no harm: every file is put in
# place by a rename, with the same content, and stamped afterwards. Both programs share one runtime;
# ps shows the name of the link that it was started by.
unpack() (
  umask 077
  mkdir -p "$1" 2>/dev/null && trusted "$1" ||
    { echo "$1: cannot be created, or is not ours alone"; return 1; }
  mkdir -p "$1/$runtime" "$1/$app" && trusted "$1/$runtime" && trusted "$1/$app" ||
    { echo "$1: holds something that is not ours"; return 1; }
  alone "$1" ||
    { echo "$1: it, or a folder above it, is another user's or may be written by everybody"; return 1; }
  deno=$1/$runtime/deno
  if ! intact "$deno"; then
    piece @RUNTIME_OFFSET@ @RUNTIME_LENGTH@ "$1/$runtime" deno || return 1
  fi
  "$deno" --version >/dev/null 2>&1 || {
    rm -f "$deno"
    echo "$1: programs cannot run from there (noexec?), or Deno cannot run on this system"
    return 1
  }
  [ "$1/$runtime/$name" -ef "$deno" ] || {
    rm -f "$1/$runtime/$name"
    ln -s deno "$1/$runtime/$name" 2>/dev/null || [ "$1/$runtime/$name" -ef "$deno" ] || return 1
  }
  stamp "$1/$runtime" || return 1
  @APP_PIECES@
  stamp "$1/$app"
) 2>&1

# Calls "$1 FOLDER" for each possible cache folder until one succeeds. Root never uses a folder
# inside somebody's home, which its owner could swap.
each_cache() {
  if [ -n "${RECEPTOR_CACHE-}" ]; then "$1" "$RECEPTOR_CACHE"; return; fi
  if [ -n "${CACHE_DIRECTORY-}" ]; then "$1" "${CACHE_DIRECTORY%%:*}" && return; fi
  if [ -w /var/cache ]; then "$1" /var/cache/receptor && return; fi
  if [ -n "${XDG_CACHE_HOME-}" ]; then
    "$1" "$XDG_CACHE_HOME/receptor" && return
  elif [ -n "${HOME-}" ]; then
    "$1" "$HOME/.cache/receptor" && return
  fi
  "$1" "${TMPDIR:-/tmp}/receptor-$(id -u)"
}

unpack_and_note() {
  said=$(unpack "$1") && ready "$1" && return
  reasons="$reasons
  ${said:-$1: the unpacked files do not stay}"
  return 1
}

if ! each_cache ready; then
  reasons=
  command -v gzip >/dev/null || { echo "$name: needs gzip to unpack itself" >&2; exit 1; }
  each_cache unpack_and_note || {
    echo "$name: found no folder to unpack into; RECEPTOR_CACHE can name one.$reasons" >&2
    exit 1
  }
fi

# The program restores the environment that we were given (see tools/restore_environment.ts), which
# no shell passes on unchanged. Not as arguments, which everybody can see; in pieces, since Linux
# limits each variable to 128 KiB.
pieces=$(base64 -w 100000 <"/proc/$$/environ") || {
  echo "$name: needs base64 and /proc to pass its environment on" >&2
  exit 1
}
number=0
for piece in $pieces; do
  export "RECEPTOR_OUTER_ENVIRONMENT_$number=$piece"
  number=$((number + 1))
done
export RECEPTOR_OUTER_ENVIRONMENT="$number"
export DENO_DIR="$cache/$app/deno" DENO_NO_UPDATE_CHECK=1
exec "$cache/$runtime/$name" run @DENO_FLAGS@ "$cache/$app/@ENTRY@" "$@"
exit
