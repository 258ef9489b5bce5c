#!/usr/bin/env bash
# A Debian package of what is built: config/deb.sh BUILD VERSION MPI, by make deb, leaves
# BUILD/cgm_VERSION_ARCHITECTURE.deb. It depends on the libraries that the program is linked with,
# in the versions that this machine's packages ask for, and on the launcher of its MPI.
#
# Environment: DEBFULLNAME and DEBEMAIL, who makes the package; SOURCE_DATE_EPOCH, its date.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$1
version=$2
mpi=$3
sources=$PWD
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
maintainer="${DEBFULLNAME:-cgm authors} <${DEBEMAIL:-cgm@example.org}>"
work=$build/deb
root=$PWD/$work/root
doc=$root/usr/share/doc/cgm
rm -rf "$work"
mkdir -p "$work/debian" "$root/DEBIAN"

# Debian's own places for the license, which libraries share, and packed texts.
config/install.sh install "$build" "$version" /usr "$root" >/dev/null
strip --strip-unneeded --remove-section=.comment "$root/usr/bin/cgm"
rm "$doc/LICENSE"
gzip -9n "$root/usr/share/man/man1/cgm.1"

# dep5 TEXT: as a field's continued lines.
dep5()
{
    sed 's/^$/./; s/^/ /' <<<"$1"
}

license=$(dep5 "$(sed '1,/^Copyright/d' LICENSE | sed '/./,$!d')")
year=$(sed -nE 's/^Copyright \(c\) ([0-9-]+).*/\1/p' LICENSE)
random123=$(sed -n '/^License: BSD-3-clause$/{h;n;/^ /{x;p;x;:a;p;n;/^ /ba}}' \
    /usr/share/doc/librandom123-dev/copyright)
while IFS= read -r line; do
    case $line in
    @LICENSE@) echo "$license" ;;
    @RANDOM123@) echo "$random123" ;;
    *) echo "${line/@YEAR@/$year}" ;;
    esac
done <config/debian/copyright >"$doc/copyright"
cat >"$work/debian/changelog" <<END
cgm ($version) unstable; urgency=low

  * Packaged from the sources, revision $("$build/cgm" --version | sed -n 's/^git: *//p').

 -- $maintainer  $(date -R -u -d "@$epoch")
END
gzip -9nc "$work/debian/changelog" >"$doc/changelog.gz"
sed "s/@MAINTAINER@/$maintainer/" config/debian/control >"$work/debian/control"

cd "$work"
dpkg-shlibdeps -Tsubstvars root/usr/bin/cgm
launcher=openmpi-bin
[[ $mpi == openmpi ]] || launcher=$mpi
dpkg-gencontrol -pcgm -Tsubstvars -Proot -n"cgm_$version.deb" -V"mpi:Depends=$launcher" \
    -ffiles -ldebian/changelog -cdebian/control
(cd root && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >root/DEBIAN/md5sums
find root -exec touch -h -d "@$epoch" {} +
package=cgm_${version}_$(dpkg --print-architecture).deb
SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group -Zxz --build root "$sources/$build/$package"
