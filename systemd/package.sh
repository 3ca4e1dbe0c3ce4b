#!/bin/sh
# Builds spillway's packages for hosts with systemd: package.sh OUT [deb] [rpm]; without a kind, each whose tool is here.
#
# Takes what is in this tree: dist/ (npm run build), the production packages of package-lock.json out of node_modules, the units beside
# this script, and the Node that runs it, so that a host needs no Node of its own and an upgrade brings a tested one. Nothing is
# fetched. A package is for the architecture that it was built on, and for glibc 2.28 or later.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
out=${1:?usage: package.sh OUT [deb] [rpm]}
shift
kinds=${*:-$(command -v dpkg-deb >/dev/null && echo deb; command -v rpmbuild >/dev/null && echo rpm)}
[ -n "$kinds" ] || { echo 'package.sh: neither dpkg-deb nor rpmbuild is here: install dpkg or rpm' >&2; exit 1; }
[ -f "$root/dist/src/main.js" ] || { echo 'package.sh: there is no dist/: run npm ci && npm run build' >&2; exit 1; }

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
version=$(node -p "require('$root/package.json').version")
mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd)

# What runs, and how it is called.
lib=$stage/tree/usr/lib/spillway
mkdir -p "$lib/dist" "$stage/tree/usr/bin"
cp -R "$root/dist/src" "$root/dist/spillway.schema.json" "$lib/dist/"
cp "$root/package.json" "$lib/"
cp "$(node -p process.execPath)" "$lib/node"
# Every package of the lock file that is neither for development nor for another platform; a lock file of those alone is left beside.
node -e '
  const [root, lib, listed] = process.argv.slice(1);
  const { packages, ...lock } = require(root + "/package-lock.json");
  const { existsSync, cpSync, mkdirSync, writeFileSync } = require("node:fs");
  const { devDependencies, ...own } = require(root + "/package.json");
  const taken = { "": own };
  for (const [path, row] of Object.entries(packages)) {
    const { dev, devOptional, optional } = row;
    if (path === "" || dev || devOptional) continue;
    const from = root + "/" + path;
    if (!existsSync(from)) { if (optional) continue; throw new Error(path + " is not installed: run npm ci"); }
    // What is nested in it has a row of its own.
    const inside = (file) => !file.slice(from.length + 1).split("/").includes("node_modules");
    cpSync(from, lib + "/" + path, { recursive: true, filter: inside });
    taken[path] = row;
  }
  mkdirSync(listed);
  writeFileSync(listed + "/package.json", JSON.stringify(own));
  writeFileSync(listed + "/package-lock.json", JSON.stringify({ ...lock, packages: taken }));' "$root" "$lib" "$stage/listed"
# The bill of materials, with the hash of each package: for whoever asks which hosts have a component. Of the whole tree npm leaves out
# what development needs, too.
mkdir -p "$stage/tree/usr/share/doc/spillway"
(cd "$stage/listed" && npm sbom --sbom-format cyclonedx --package-lock-only) > "$stage/tree/usr/share/doc/spillway/sbom.cdx.json"
find "$lib" \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -type f -delete
cat > "$stage/tree/usr/bin/spillway" <<'WRAPPER'
#!/bin/sh
exec /usr/lib/spillway/node /usr/lib/spillway/dist/src/main.js "$@"
WRAPPER
chmod 0755 "$stage/tree/usr/bin/spillway" "$lib/node"

# What the system reads, and what people do.
place() { install -D -m "$1" "$2" "$stage/tree/$3"; }
place 0644 "$here/spillway.service" usr/lib/systemd/system/spillway.service
place 0644 "$here/spillway.socket" usr/lib/systemd/system/spillway.socket
place 0644 "$here/sysusers.conf" usr/lib/sysusers.d/spillway.conf
place 0644 "$here/tmpfiles.conf" usr/lib/tmpfiles.d/spillway.conf
place 0644 "$here/spillway.toml" etc/spillway/spillway.toml
place 0640 "$here/spillway.default" etc/default/spillway
place 0644 "$here/README.md" usr/share/doc/spillway/RUNBOOK.md
for file in "$here"/monitoring/*; do place 0644 "$file" "usr/share/doc/spillway/monitoring/$(basename -- "$file")"; done
place 0644 "$root/src/observe/TELEMETRY.md" usr/share/doc/spillway/TELEMETRY.md
for name in README.md CHANGELOG.md LICENSE; do place 0644 "$root/$name" "usr/share/doc/spillway/$name"; done
place 0644 "$root/LICENSE" usr/share/doc/spillway/copyright

build_deb() {
  tree=$stage/deb
  cp -R "$stage/tree" "$tree"
  mkdir "$tree/DEBIAN"
  printf '/etc/spillway/spillway.toml\n/etc/default/spillway\n' > "$tree/DEBIAN/conffiles"
  cat > "$tree/DEBIAN/control" <<CONTROL
Package: spillway
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: the spillway authors <spillway@localhost>
Installed-Size: $(du -sk "$stage/tree" | cut -f1)
Depends: libc6 (>= 2.28), libstdc++6 (>= 8), libgcc-s1 | libgcc1, systemd (>= 247)
Section: net
Priority: optional
Description: events from local programs to Amazon Kinesis Data Streams
 A daemon that takes events from the programs of a host and delivers them to Kinesis: fast, bounded, and nothing lost.
CONTROL
  for name in postinst prerm postrm; do install -m 0755 "$here/package/$name" "$tree/DEBIAN/$name"; done
  # The lowest level: Node is most of it, and higher ones win a tenth in minutes.
  dpkg-deb --root-owner-group -Zxz -z1 --build "$tree" "$out/spillway_${version}_$(dpkg --print-architecture).deb"
}

build_rpm() {
  rpmbuild -bb --quiet --define "_topdir $stage/rpm" --define "_rpmdir $out" --define "version_ $version" \
    --define "tree_ $stage/tree" --define "_rpmfilename spillway-%{version}-%{release}.%{arch}.rpm" "$here/package/spillway.spec"
  echo "rpm: $out/spillway-$version-1.$(rpm --eval '%{_arch}').rpm"
}

for kind in $kinds; do "build_$kind"; done
