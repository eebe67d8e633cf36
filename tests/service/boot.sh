#!/bin/sh
# Builds a small machine out of the host's /usr in namespaces of its own and becomes its systemd.
# Called by machine.py in new mount, PID, cgroup, network, UTS and IPC namespaces: boot.sh ROOT [HOST_FOLDER:FOLDER]...
# Nothing of the host can be written from inside, and nothing is left of the machine when its first process ends.
set -eu
root=$1
shift

mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$root"
cd "$root"
mkdir -p usr etc/systemd/system proc sys dev run tmp root home opt srv mnt old \
  var/tmp var/lib/systemd var/log/journal
chmod 1777 tmp var/tmp
mount --rbind /usr usr
mount -o remount,bind,ro usr
for name in bin sbin lib lib32 lib64; do
  if [ -L "/$name" ]; then cp -a "/$name" .; fi
done
for pair in "$@"; do
  mkdir -p "./${pair#*:}"
  mount --bind "${pair%%:*}" "./${pair#*:}"
  mount -o remount,bind,ro "./${pair#*:}"
done

mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
for name in null zero full random urandom tty autofs; do
  [ -e "/dev/$name" ] || continue
  touch "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 run run

cp -a /etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d etc/
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' >etc/group
printf 'passwd: files\ngroup: files\nhosts: files\n' >etc/nsswitch.conf
printf '127.0.0.1 localhost em.example.com\n' >etc/hosts
echo restorer >etc/hostname
: >etc/machine-id
ln -s /lib/systemd/system/multi-user.target etc/systemd/system/default.target
for unit in getty.target systemd-logind.service systemd-resolved.service systemd-timesyncd.service \
  systemd-networkd.service dbus.service dbus.socket systemd-udevd.service; do
  ln -s /dev/null "etc/systemd/system/$unit"
done

pivot_root . old
umount -l old
rmdir old
mount --make-rshared / # as a machine has it; systemd leaves that to whoever made the container
exec env -i container=namespaces PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --show-status=no --log-target=journal
