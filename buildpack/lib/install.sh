# What the build needs, in CACHE_DIR/selkie: Node where the stack and earlier buildpacks have none, and Selkie. Sourced by bin/compile.

NODE_VERSION=22.23.3
NODE_MIRROR=https://nodejs.org/dist
SELKIE_PACKAGE=selkie@0.1.0

heading() { echo "-----> $*"; }
say() { echo "       $*"; }
fail() {
  echo " !     $*" >&2
  exit 1
}

# The config var NAME of the app, else the value that stands above.
setting() {
  if [ -n "$settings" ] && [ -s "$settings/$1" ]; then cat "$settings/$1"; else echo "${!1}"; fi
}

has_node() {
  command -v npm >/dev/null && node -e '
    const [major, minor] = process.versions.node.split(".");
    process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1);' 2>/dev/null
}

install_node() {
  if has_node; then
    say "Node $(node --version) of this build"
    return
  fi
  local folder=$cache/node-$NODE_VERSION
  if [ -x "$folder/bin/node" ]; then say "Node v$NODE_VERSION from the cache"; else download_node "$folder"; fi
  export PATH="$folder/bin:$PATH"
  has_node || fail "Cannot run Node v$NODE_VERSION of \"$folder\": it needs x86-64 and the C library of Heroku's stacks"
}

fetch() { curl -fsSL --retry 3 "$1" -o "$2"; }

# The folder appears whole or not at all: a build that was ended leaves nothing for the next one.
download_node() {
  local archive=node-v$NODE_VERSION-linux-x64.tar.gz
  local from scratch
  from=$(setting NODE_MIRROR)/v$NODE_VERSION
  rm -rf "$cache"/node-*
  scratch=$(mktemp -d "$cache/node-new.XXXXXX")
  { fetch "$from/$archive" "$scratch/$archive" && fetch "$from/SHASUMS256.txt" "$scratch/sums"; } ||
    fail "Cannot download Node: found no \"$archive\" with its SHASUMS256.txt at \"$from\""
  (cd "$scratch" && grep "  $archive\$" sums | sha256sum --check --status) ||
    fail "Cannot use the Node that was downloaded: its SHA-256 is not that of \"$from/SHASUMS256.txt\""
  mkdir "$scratch/node"
  tar -xzf "$scratch/$archive" -C "$scratch/node" --strip-components=1
  mv "$scratch/node" "$1"
  rm -rf "$scratch"
  say "Node v$NODE_VERSION, downloaded"
}

install_selkie() {
  local package folder=$cache/package
  package=$(setting SELKIE_PACKAGE)
  # A file may change under its name.
  local key=$package
  if [ -f "$package" ]; then key="$package $(sha256sum <"$package")"; fi
  if [ "$(cat "$folder/key" 2>/dev/null)" = "$key" ]; then
    say "$(selkie_name) from the cache"
    return
  fi
  rm -rf "$folder"
  mkdir "$folder"
  if ! npm install --prefix "$folder" --cache "$folder/npm" --ignore-scripts --omit=dev \
    --no-audit --no-fund --no-package-lock --no-update-notifier --loglevel=error "$package" >"$folder/log" 2>&1; then
    sed 's/^/       /' "$folder/log"
    fail "Cannot install \"$package\" by npm: see above; the config var SELKIE_PACKAGE names another version, archive or address"
  fi
  rm -rf "$folder/npm"
  echo "$key" >"$folder/key"
  say "$(selkie_name)"
}

selkie_name() {
  echo "Selkie $(node "$cache/package/node_modules/selkie/bin/selkie" --version)"
}
