#!/bin/sh
# Builds the QUIC core: ../core.wasm from the crate in this folder, and for tests a hostile peer,
# tests/quic/hostile_core.wasm. `deno task quic:build` runs this and then records the hashes of the
# sources (sources.ts).
#
# Uses the Rust at hand when it has the wasm32-unknown-unknown target, with clang, llvm-ar, wasm-ld
# and wasm-opt (binaryen). Otherwise, as root on Debian or a relative: unpacks these tools from
# Debian packages into a private folder and builds in there with chroot. Nothing is installed.
#   RECEPTOR_WASM_TOOLCHAIN  that folder (default: receptor-wasm-toolchain in the user's cache)
#   RECEPTOR_WASM_SUITE      the Debian suite to take the tools from (default: sid)
#   RECEPTOR_WASM_NAMES=1    keeps function names, for profiling
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=wasm32-unknown-unknown
features='-C target-feature=+simd128,+bulk-memory'

fail() {
  echo "build.sh: $1" >&2
  exit 1
}

# Whether all tools are at hand without a private folder.
have_tools() {
  for tool in rustc cargo clang llvm-ar wasm-ld wasm-opt; do
    command -v "$tool" >/dev/null || return 1
  done
  [ -d "$(rustc --print target-libdir --target $target)" ]
}

# Builds the crate in $1 with the tools at hand; leaves core.wasm and hostile_core.wasm in it.
build_here() {
  cd "$1"
  export CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}"
  cargo fetch --locked --target $target
  # Without the builder's paths, so that the result does not depend on them.
  remap="--remap-path-prefix=$1=core"
  for crates in "$CARGO_HOME"/registry/src/*; do
    remap="$remap --remap-path-prefix=$crates=crates"
  done
  export CC_wasm32_unknown_unknown=clang AR_wasm32_unknown_unknown=llvm-ar
  export CFLAGS_wasm32_unknown_unknown='-O3 -msimd128 -mbulk-memory'
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld
  export RUSTFLAGS="$features $remap"
  names=
  if [ "${RECEPTOR_WASM_NAMES:-}" = 1 ]; then
    names=-g
    export CARGO_PROFILE_RELEASE_STRIP=none
  fi
  build_module core.wasm
  build_module hostile_core.wasm --features hostile
}

# build_module FILE [CARGO OPTIONS]
build_module() {
  file=$1
  shift
  cargo build --locked --release --target $target "$@"
  wasm-opt -O3 $names --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int \
    --enable-sign-ext --enable-mutable-globals --enable-reference-types --enable-multivalue \
    "target/$target/release/receptor_quic_core.wasm" -o "$file"
}

# Unpacks the tools into $1, if they are not there yet.
unpack_tools() {
  [ -x "$1/usr/bin/wasm-opt" ] && return
  [ "$(id -u)" = 0 ] || fail "needs Rust with $target, clang, lld and binaryen (or root, to unpack them)"
  command -v apt-get >/dev/null || fail "needs Rust with $target, clang, lld and binaryen (or apt-get)"
  # The mirror that this machine already uses.
  mirror=$(sed -n 's/^URIs:[[:space:]]*//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n1)
  [ -n "$mirror" ] || mirror=$(sed -n 's/^deb[[:space:]]\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n1)
  [ -n "$mirror" ] || fail "no Debian mirror configured"

  apt=$(mktemp -d)
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$1"
  : >"$apt/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror ${RECEPTOR_WASM_SUITE:-sid} main" >"$apt/sources.list"
  private_apt() {
    apt-get -qq -oAPT::Sandbox::User=root -oAcquire::Check-Valid-Until=false \
      -oAPT::Install-Recommends=0 -oDir::Etc::sourcelist="$apt/sources.list" \
      -oDir::Etc::sourceparts=/dev/null -oDir::State::Lists="$apt/lists" \
      -oDir::State::status="$apt/status" -oDir::Cache="$apt/cache" "$@" >&2
  }
  private_apt update
  private_apt install -y --download-only base-files bash coreutils ca-certificates \
    rustc cargo libstd-rust-dev-wasm32 clang lld llvm binaryen
  # This one first: it brings the links /bin, /lib and the like.
  dpkg -x "$apt"/cache/archives/base-files_*.deb "$1"
  for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$1"; done
  rm -rf "$apt"

  # What the packages' scripts would have set up.
  ln -sf bash "$1/usr/bin/sh"
  ln -sf gcc "$1/usr/bin/cc"
  [ -e "$1/dev/null" ] || mknod -m 666 "$1/dev/null" c 1 3
  [ -e "$1/dev/urandom" ] || mknod -m 666 "$1/dev/urandom" c 1 9
}

# Builds in the folder of unpacked tools $1.
build_inside() {
  cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
  mkdir -p "$1/etc/ssl/certs" "$1/core"
  cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
  rm -rf "$1/core/src" "$1/core/shims"
  cp -r "$here/Cargo.toml" "$here/Cargo.lock" "$here/src" "$here/shims" "$here/build.sh" "$1/core/"
  chroot "$1" /usr/bin/env HOME=/root CARGO_HOME=/cargo PATH=/usr/bin:/bin \
    RECEPTOR_WASM_NAMES="${RECEPTOR_WASM_NAMES:-}" sh /core/build.sh
}

# Inside of the folder of unpacked tools this folder is the one to build in.
if have_tools; then
  work=$here
  build_here "$here"
else
  tools=${RECEPTOR_WASM_TOOLCHAIN:-${XDG_CACHE_HOME:-$HOME/.cache}/receptor-wasm-toolchain}
  unpack_tools "$tools"
  build_inside "$tools"
  work=$tools/core
fi
if [ "$here" != /core ]; then
  mv "$work/core.wasm" "$here/../core.wasm"
  mv "$work/hostile_core.wasm" "$here/../../../tests/quic/hostile_core.wasm"
fi
