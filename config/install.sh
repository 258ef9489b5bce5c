#!/usr/bin/env bash
# Called by make install and make uninstall, after the build:
#
#     config/install.sh install|uninstall BUILD VERSION PREFIX [DESTDIR]
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."

action=$1
build=$2
version=$3
prefix=$4
destination=${5:-}$4
share=share/cgm

# fill: what a file says of places becomes true of the installed program.
fill()
{
    sed "s|@PREFIX@|$prefix|g; s|@VERSION@|$version|g; s|:-build/cgm}|:-$prefix/bin/cgm}|"
}

# place SOURCE NAME [COMMAND...]: a file under the prefix, through a filter if one is given.
# Programs and scripts remain what they are, everything else is for reading alone.
place()
{
    local source=$1 target=$destination/$2 mode=644
    shift 2
    if [[ $action == uninstall ]]; then
        rm -f "$target"
        return
    fi
    # Also job scripts, which a batch system reads.
    [[ ! -x $source && $(head -c 2 "$source" | tr -d '\0') != "#!" ]] || mode=755
    install -d -m 755 "$(dirname "$target")"
    "${@:-cat}" <"$source" >"$target.new"
    chmod "$mode" "$target.new"
    mv -f "$target.new" "$target"
    echo "$target"
}

place "$build/cgm" bin/cgm
place "$build/cgm.1" share/man/man1/cgm.1 fill
place README.md share/doc/cgm/README.md
place LICENSE share/doc/cgm/LICENSE
for file in config/*.ini; do
    place "$file" "$share/$file" sed 's|build/cgm|cgm|'
done
place config/mpi.sh "$share/config/mpi.sh" # for jobs on one machine
for file in jobs/*; do
    place "$file" "$share/$file" fill
done
place config/modulefile.lua "$share/modulefiles/cgm/$version.lua" fill

# Directories of our own; others stay, even if empty.
if [[ $action == uninstall ]]; then
    for directory in "$share"/{config,jobs,modulefiles/cgm,modulefiles,} share/doc/cgm; do
        rmdir "$destination/$directory" 2>/dev/null || true
    done
fi
