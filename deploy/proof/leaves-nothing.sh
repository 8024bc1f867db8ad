#!/usr/bin/env bash
# In a root: installs twice, uninstalls, and fails unless every file is as it was before. Aside are apt's own books
# and the copies that useradd keeps of the files before.
set -euo pipefail
[[ -d /mnt/repository ]] || {
    echo "error: this changes the system that it runs in: give it to deploy/proof/in-root.sh, as deploy/README.md says" >&2
    exit 2
}

books=(/var/lib/apt /var/lib/dpkg /var/cache /var/log)
elsewhere=(/proc /sys /dev /run /mnt /tmp)
readonly books elsewhere

# Kind, mode, owner and name of everything, and the digest of every file.
list() {
    local folder omit=()
    for folder in "${books[@]}" "${elsewhere[@]}"; do omit+=(-path "$folder" -prune -o); done
    find / "${omit[@]}" -printf '%y %m %U:%G %p %l\n' | sort
    find / "${omit[@]}" -type f ! -path '/etc/*-' -print0 | sort -z | xargs -0 sha256sum
}

installer=${INSTALLER:-/mnt/repository/deploy/install.sh}
useradd --system somebody && userdel somebody # any machine in use has these copies
ldconfig
list >/mnt/before
"$installer" "$@"
"$installer" "$@"
lightcam-edge run /mnt/repository/lightcam_edge/samples/bird.jpg
dpkg-query --show --showformat '${Package}\n' | wc -l
"$installer" --uninstall
list >/mnt/after
diff /mnt/before /mnt/after
echo "Nothing is left: $(wc -l </mnt/after) lines are the same"
