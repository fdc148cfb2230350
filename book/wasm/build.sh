#!/usr/bin/env bash
# Compiles the reference for the page and writes book/js/wasm.js; with --check it writes nothing and says whether that
# file is what it would write. Needs Debian or Ubuntu on x86-64 and rustup's cargo: rustup ships a linker for
# WebAssembly but not always its std, so Debian's compiler builds one from Debian's sources, unpacked under target/ and
# installed nowhere. Exit code 1: the file is another; 3: the tools could not be had.
set -euo pipefail
cd "$(dirname "$0")/../.."
debian=$PWD/target/debian-rust
file=book/js/wasm.js

compiler() {
    [ -x "$debian/usr/bin/rustc" ] && return
    command -v apt-get >/dev/null || return
    apt-get update -qq >/dev/null 2>&1 || return
    local std llvm
    std=$(apt-cache depends libstd-rust-web-dev | awk '/Depends: libstd-rust-web-[0-9]/{print $2; exit}')
    llvm=$(apt-cache depends "$std" | awk '/Depends: libllvm/{print $2; exit}')
    mkdir -p "$debian/deb"
    (
        cd "$debian/deb"
        apt-get download -qq rustc-web libstd-rust-web-dev "$std" "$llvm" rust-web-src >/dev/null 2>&1 &&
            for deb in *.deb; do dpkg -x "$deb" "$debian" || exit; done && rm -- *.deb
    )
}
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/rust-lld
compiler && [ -x "$linker" ] || { echo "no compiler for WebAssembly: rustc-web, rust-web-src or rust-lld is missing"; exit 3; }

# No path of this machine is in the file, and no line number, so that a comment changes no byte.
export LD_LIBRARY_PATH=$debian/usr/lib/x86_64-linux-gnu RUSTC=$debian/usr/bin/rustc RUSTC_BOOTSTRAP=1
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker
export CARGO_PROFILE_RELEASE_OPT_LEVEL=s CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_PANIC=abort
export CARGO_PROFILE_RELEASE_STRIP=true CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_INCREMENTAL=0
export RUSTFLAGS="-Zlocation-detail=none"
cargo rustc --quiet --locked --release -p ppo-wasm --lib --crate-type cdylib -Zbuild-std=std,panic_abort \
    --target wasm32-unknown-unknown --target-dir target/wasm
wasm=target/wasm/wasm32-unknown-unknown/release/live.wasm
unset RUSTC LD_LIBRARY_PATH RUSTFLAGS RUSTC_BOOTSTRAP

made=$(mktemp)
trap 'rm -f "$made"' EXIT
{
    echo "// The reference crate, compiled for the page: written by book/wasm/build.sh."
    echo "// compiler: $(LD_LIBRARY_PATH=$debian/usr/lib/x86_64-linux-gnu "$debian/usr/bin/rustc" --version)"
    echo "// wasm: $(wc -c <$wasm) bytes, sha256 $(sha256sum <$wasm | cut -d' ' -f1)"
    echo "// sources: sha256 $(cargo run --quiet -p ppo-wasm --example sources)"
    printf 'window.PPO_WASM = `\n'
    base64 -w 108 <$wasm
    printf '`;\n'
} >"$made"

if [ "${1:-}" = --check ]; then
    cmp "$made" $file || { echo "$file is not what book/wasm/build.sh writes: run it"; exit 1; }
    echo "equal: $file, $(wc -c <$wasm) bytes of WebAssembly"
else
    mkdir -p "${file%/*}"
    cat "$made" >$file
    sed -n 's,^// ,,p' $file
fi
