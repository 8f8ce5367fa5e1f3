#!/bin/bash
# Makes a Debian machine ready to build, test and demonstrate Rollcall: checks
# Go and installs missing packages. The second time it does nothing. With the word
# release or compose also what `make release-test` or `make compose-test` needs.
#
# slapd, Samba, 389 Directory Server, PostgreSQL and the services in front of them are needed as
# programs only: no system-wide service of theirs is set up or started, and one that already runs is
# left alone.
set -euo pipefail

packages=(slapd ldap-utils)
# An Active Directory domain controller (its VFS modules are for provisioning), and
# ip for the network namespace that it runs in.
packages+=(samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind iproute2)
# 389 Directory Server, and what makes its certificate database.
packages+=(389-ds-base libnss3-tools openssl)
packages+=(postgresql-15)
# Doors: services in front of a directory.
packages+=(dovecot-imapd dovecot-pop3d dovecot-ldap apache2-bin proftpd-core proftpd-mod-ldap proftpd-mod-crypto
  openssh-server freeradius freeradius-ldap mariadb-server postfix sasl2-bin libsasl2-modules snmpd pgbouncer squid)
# What SSSD's programs need, which are unpacked below.
packages+=(libsss-certmap0 libsss-idmap0 libsss-nss-idmap0 libnfsidmap1 libsemanage2 libref-array1 libini-config5 libdhash1 libldb2
  libnl-route-3-200 libkeyutils1 libjansson4 libpopt0 libc-ares2 libgssapi-krb5-2 libp11-kit0)
# Units of systemd are looked at by its own tool; it need not run.
packages+=(systemd)
# Terminals of several widths, for tests of what people see.
packages+=(tmux)
case ${1:-} in
  '') ;;
  release) packages+=(debootstrap systemd-container procps) ;;
  compose) packages+=(debootstrap docker.io docker-compose iptables dpkg-dev curl util-linux) ;;
  *) echo "setup: $1: release, compose or nothing" >&2; exit 1 ;;
esac
need_go=1.26.8 # of engine/go.mod, the highest of the three modules

if ! command -v go >/dev/null; then
  echo "setup: Go is missing. Install Go $need_go or later: https://go.dev/doc/install" >&2
  exit 1
fi
have_go=$(go env GOVERSION | sed 's/^go//')
if [[ $(printf '%s\n%s\n' "$need_go" "$have_go" | sort -V | head -n 1) != "$need_go" ]]; then
  echo "setup: Go $have_go is too old: Temporal's server needs $need_go. Install it from https://go.dev/doc/install" >&2
  exit 1
fi

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$p")
done
sssd=/var/cache/rollcall-lab/sssd # lab.SSSDRoot
if ((${#missing[@]} == 0)) && [[ -e $sssd/usr/sbin/sssd ]]; then
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: these packages are missing and there is no sudo: ask root to run" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# SSSD's packages would change how this machine lets people in (PAM, nsswitch.conf) when they are
# installed. So they are unpacked where nobody looks but the tests, in a namespace of their own.
unpack_sssd() {
  local dir
  [[ ! -e $sssd/usr/sbin/sssd ]] || return 0
  dir=$(mktemp -d)
  chmod 755 "$dir"
  # The lists of packages may be missing where nothing else was.
  (cd "$dir" && get=(apt-get -q -o APT::Sandbox::User=root download sssd-common sssd-ldap sssd-krb5-common libpam-sss)
    "${get[@]}" >/dev/null 2>&1 || { "${as_root[@]}" apt-get -q update >/dev/null && "${get[@]}" >/dev/null; })
  for deb in "$dir"/*.deb; do dpkg -x "$deb" "$dir/root"; done
  "${as_root[@]}" mkdir -p "$sssd"
  "${as_root[@]}" cp -R "$dir/root/lib/." "$dir/root/usr/lib/"
  "${as_root[@]}" cp -R "$dir/root/usr" "$sssd/new"
  "${as_root[@]}" chown -R 0:0 "$sssd/new"
  "${as_root[@]}" mv "$sssd/new" "$sssd/usr"
  rm -rf "$dir"
}

if ((${#missing[@]} == 0)); then
  unpack_sssd
  exit 0
fi

echo "setup: installing ${missing[*]} (about a minute)"

# Debian starts a service when its package is installed, unless policy-rc.d says
# no (deb-systemd-invoke(1p)). An administrator's own policy stays in force.
policy=/usr/sbin/policy-rc.d
ours=()
trap '((${#ours[@]} == 0)) || "${as_root[@]}" rm -f "${ours[@]}"' EXIT
if [[ ! -e $policy ]]; then
  ours+=("$policy")
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
# Without this the package sets up a directory, with a password nobody knows.
echo 'slapd slapd/no_configuration boolean true' | "${as_root[@]}" debconf-set-selections
# Without this the package sets up a relay of this machine's mail.
echo 'postfix postfix/main_mailer_type select No configuration' | "${as_root[@]}" debconf-set-selections
# Without this the package makes a cluster for port 5432 (create_main_cluster in
# pg_createcluster(1)), which would start at boot. Without a cluster its service does nothing.
clusters=/etc/postgresql-common/createcluster.d
no_cluster=$clusters/rollcall-setup.conf
if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
  ours+=("$no_cluster")
  "${as_root[@]}" mkdir -p "$clusters"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_cluster" >/dev/null
fi

apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
# Nothing of the machine's own is taken away: postfix has no place beside another mail server, nor
# mariadb-server beside MySQL.
"${apt[@]}" install -y --no-remove --no-install-recommends "${missing[@]}"

# What came with us need not come up at boot either.
came=()
[[ " ${missing[*]} " == *" slapd "* ]] && came+=(slapd)
[[ " ${missing[*]} " == *" samba "* ]] && came+=(smbd nmbd samba-ad-dc)
[[ " ${missing[*]} " == *" winbind "* ]] && came+=(winbind)
[[ " ${missing[*]} " == *" dovecot-imapd "* ]] && came+=(dovecot)
[[ " ${missing[*]} " == *" proftpd-core "* ]] && came+=(proftpd)
[[ " ${missing[*]} " == *" openssh-server "* ]] && came+=(ssh)
[[ " ${missing[*]} " == *" freeradius "* ]] && came+=(freeradius)
[[ " ${missing[*]} " == *" mariadb-server "* ]] && came+=(mariadb)
[[ " ${missing[*]} " == *" postfix "* ]] && came+=(postfix)
[[ " ${missing[*]} " == *" sasl2-bin "* ]] && came+=(saslauthd)
[[ " ${missing[*]} " == *" squid "* ]] && came+=(squid)
[[ " ${missing[*]} " == *" snmpd "* ]] && came+=(snmpd)
[[ " ${missing[*]} " == *" pgbouncer "* ]] && came+=(pgbouncer)
[[ " ${missing[*]} " == *" docker.io "* ]] && came+=(docker docker.socket containerd)
[[ " ${missing[*]} " == *" 389-ds-base "* ]] && came+=(dirsrv.target dirsrv-snmp)
if ((${#came[@]} > 0)) && command -v systemctl >/dev/null; then
  "${as_root[@]}" systemctl disable "${came[@]}" >/dev/null 2>&1 || true
fi

unpack_sssd
