#!/bin/sh
# Install the Debian packages that lie beside this script, without network, so that nothing but their content
# decides what comes out. Run as root: once to turn an unpacked base into an installed one, once for further packages.
set -eu
here=${0%/*}
umask 022
unset TMPDIR
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TZ=UTC
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
export SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1

# No service is ever started.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d

# All at once: the files of a base are there already, but no package is configured, so dependencies cannot hold yet.
dpkg --force-depends --force-confold --force-unsafe-io --install "$here"/*.deb < /dev/null
dpkg --configure --pending < /dev/null
dpkg --audit
if [ -n "$(dpkg --audit)" ]; then
    exit 1
fi
rm -f /usr/sbin/policy-rc.d

# Bytecode that holds no time: the packages' own scripts write some that does.
python=$(command -v python3 || true)
if [ "$python" = /usr/bin/python3 ]; then
    find /usr/lib/python3 /usr/lib/python3.* /usr/share -depth -type d -name __pycache__ -exec rm -rf {} +
    python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3 /usr/lib/python3.* > /dev/null || true
fi

# What differs from one time to the next, or is only a copy or a cache.
find /var/log -type f -exec rm -f {} +
rm -rf /tmp/* /tmp/.[!.]* /var/tmp/* /root/.cache /run/*
rm -rf /var/cache/ldconfig /var/cache/fontconfig/* /var/cache/man/* /var/cache/apt/*.bin /var/lib/apt/lists/*
rm -f /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- /etc/.pwd.lock
# Debian 11's fontconfig names font folders by random numbers, for caches that are gone by now.
find /usr/share/fonts /usr/local/share/fonts -name .uuid -exec rm -f {} + 2> /dev/null || true
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/catalog/database /etc/ssh/ssh_host_*_key*
if [ -e /etc/machine-id ]; then
    : > /etc/machine-id
fi
# The day of a password's last change, as of the epoch above.
if [ -e /etc/shadow ]; then
    sed -i -E 's/^([^:]*:[^:]*):[0-9]+:/\1:3652:/' /etc/shadow
fi
rm -rf "$here"
rmdir --ignore-fail-on-non-empty "${here%/*}"
