package door

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Keeps is a software that goes on taking an old value from a copy of its own,
// as it is shipped unless it says otherwise. docs/doors.md has the table, and a
// test holds the two together.
type Keeps struct {
	// Name is what the campaign file calls it (software).
	Name string
	// What it is, with the version that was seen.
	What string
	// Types of door behind which it commonly is. Where it is Beneath, it may be
	// behind any that takes a name and a password.
	Types   []string
	Beneath bool
	// For says for how long, and Lasts the same where it is a time; 0 where it
	// ends by no time.
	For   string
	Lasts time.Duration
	// Ends says what ends it there.
	Ends string
	// Good says whether a good login with the new value ends it.
	Good string
	// Spells: it keeps each spelling of a login name apart.
	Spells bool
	// Refuses: while it keeps the old value it may refuse the new one, until
	// what it keeps is over.
	Refuses bool
	// Apart says what keeps its own at one address and cannot be chosen by who
	// asks; empty where nothing does.
	Apart string
}

// KeepsNone is the name of what keeps nothing, for which who writes the file
// vouches: an application of one's own is in no table.
const KeepsNone = "none"

// Keepers were seen on Debian 12's packages (2026-11-28).
var Keepers = []Keeps{
	{"saslauthd", "saslauthd 2.1.28 with `-c` (Debian's default), behind Postfix 3.7.11", []string{"submission", "smtps"}, true,
		"`-t`, 8 hours; use does not prolong it. For each service name apart (`smtpd_sasl_service`, `smtp` for submission and smtps; Cyrus IMAP, Exim and others have their own): name a door for each", 8 * time.Hour,
		"restart; no reload, no wrong login", "yes, for that service name and that spelling of the login name alone", true, false, ""},
	{"dovecot", "Dovecot 2.3.19 with `auth_cache_size`", []string{"imap", "imaps", "pop3", "pop3s", "submission", "smtps"}, false, "`auth_cache_ttl`, 1 hour", time.Hour,
		"`doveadm auth cache flush USER`, `doveadm reload`", "yes, unless a wrong login came first: then the new one is refused (`refused-at-door`)", false, true, ""},
	{"apache", "Apache 2.4.71 mod_authnz_ldap, mod_authn_socache", []string{"https", "http"}, false, "10 minutes, 15 with mod_authn_socache", 15 * time.Minute,
		"`apachectl graceful`", "yes, for that spelling of the login name alone", true, false, ""},
	{"squid", "Squid 5.7 with basic_ldap_auth (2026-11-30)", []string{"http-proxy", "https-proxy"}, false, "`credentialsttl`, 2 hours; use does not prolong it. Its ports share it, its processes (`workers`) do not: each has its own, and chance says which answers", 2 * time.Hour,
		"restart, or one wrong login of that user; no reload", "yes, of the process that answered and that spelling of the login name alone (capitals and small letters are one)", true, false, "each of its worker processes (workers) keeps its own"},
	{"nginx", "nginx 1.22.1 auth_request with proxy_cache and the password in its `proxy_cache_key`; without that it lets in whoever comes after a good login", []string{"https", "http"}, false, "`proxy_cache_valid`", 0,
		"removing the files of the cache; no reload", "no", true, false, ""},
	{"pcache", "slapd 2.5.13 with pcache", []string{"ldap", "ldaps"}, true, "the template's ttr", 0,
		"restart of the proxy", "no: it is refused", false, true, ""},
	{"freeradius", "FreeRADIUS 3.2.1 with a TLS session cache on disk", []string{"radius"}, false, "its lifetime, 24 hours", 24 * time.Hour,
		"removing the files of `persist_dir`", "no", false, false, ""},
	{"mariadb", "MariaDB 10.11", []string{"mysql"}, false, "not at all; what is written into `mysql.global_priv` itself, until `FLUSH PRIVILEGES`", 0, "", "", false, false, ""},
	{"samba-dc", "Samba as a domain controller, the password before the last", []string{"smb", "ldap", "ldaps"}, true, "`old password allowed period`, 1 hour, by NTLM and simple bind alike", time.Hour,
		"a second reset, to the same value too", "no", false, false, ""},
	{"snmpd", "snmpd 5.9.3, communities and users' keys", []string{"snmp", "snmpv2c"}, false, "communities until it is reloaded; a user's key for good, also where its `createUser` line has a new one or is taken out", 0,
		"SIGHUP or restart for communities; for a user neither: stop it, take the user's `usmUser` line out of `/var/lib/snmp/snmpd.conf`, which is read last, and start it with the new `createUser`", "no: it is refused", false, true, ""},
	{"sssd", "SSSD 2.8.2 with `cache_credentials` (2026-11-30), winbind 4.17.12 with cached logins", []string{"ssh", "ftp", "ftps"}, true, "while its directory is away, for ever (`offline_credentials_expiration`), also a value that it has refused since", 0,
		"a good login with the new value while the directory is there; no refused one", "yes, on that machine, once its directory is there, unless the value must be changed (`pwdReset`); while it is away the new one is refused", false, true, ""},
	{"freeradius-files", "FreeRADIUS 3.2.1, a client's shared secret and the password that its ldap module binds by (2026-11-30)", []string{"radius"}, false,
		"until it is restarted: a reload (SIGHUP) reads the files, says so, and takes users' passwords alone. The ldap module's connections go on until the next one is opened, which is refused then. A second reload within 5 seconds is dropped", 0,
		"restart", "no", false, false, ""},
	{"dovecot-passwd-file", "Dovecot 2.3.19 with a passwd-file (2026-11-30)", []string{"imap", "imaps", "pop3", "pop3s", "submission", "smtps"}, false,
		"until the file is changed again, where two changes fell into one second and someone logged in between them", 0,
		"`touch` of the file a second later, or `doveadm reload`; no flush", "no: it is refused", false, true, ""},
	{"pgbouncer", "PgBouncer 1.18.0 with `auth_file` (2026-11-30)", []string{"postgres"}, false, "until the file is changed and reloaded: over a session that it has open with the server, which was seen", 0,
		"the new value in the file, then SIGHUP or `RELOAD`; by `auth_query` it keeps none", "no: it is refused", false, true, ""},
	{KeepsNone, "`software: none`, an application that keeps no login and asks its directory each time", nil, false, "not at all, as whoever writes the file vouches", 0, "", "", false, false, ""},
}

// Words say what ends an old value that it took, and whether the new one does.
func (k Keeps) Words() string {
	if k.Ends == "" {
		return k.What + ": keeps none"
	}
	return k.What + ": " + k.Ends + "; a good login with the new value: " + k.Good
}

// Row is a keeper as docs/doors.md has it.
func (k Keeps) Row() string {
	return strings.ReplaceAll("| "+strings.Join([]string{k.What, k.For, k.Ends, k.Good}, " | ")+" |", "|  ", "| ")
}

// Keeper is the software of that name.
func Keeper(name string) (Keeps, bool) {
	i := slices.IndexFunc(Keepers, func(k Keeps) bool { return k.Name == name })
	if i < 0 {
		return Keeps{}, false
	}
	return Keepers[i], true
}

// KeeperNames are those that may be behind a door of that type, in the order of
// the table; what keeps nothing may be behind any. Another software's way to
// keep logins would have the door asked less than it must be.
func KeeperNames(kind string) (out []string) {
	for _, k := range Keepers {
		if k.Name == KeepsNone || slices.Contains(k.Types, kind) || k.Beneath && !Types[kind].Uncounted {
			out = append(out, k.Name)
		}
	}
	return out
}

// Session is what goes on when the password that began it is dead. No login
// from outside shows it.
type Session struct {
	What  string
	Types []string // of door, at which it was begun
	Lives string
	End   string
}

// Sessions outlive the password, whatever is rotated.
var Sessions = []Session{
	{"IMAP (Dovecot)", []string{"imap", "imaps"}, "as long as it is used", "`doveadm kick USER` first, then restart: a restart alone can leave it running"},
	{"POP3 (Dovecot)", []string{"pop3", "pop3s"}, "as long as it is used", "`doveadm kick USER`"},
	{"SMTP (Postfix) that has logged in", []string{"submission", "smtps"}, "as long as it sends", "`postfix stop`, then start; a reload does not"},
	{"SMB (Samba 4.17)", []string{"smb"}, "as long as it is used, also of an account that is disabled", "`smbcontrol smbd close-share SHARE` for that share; the session with the process of its user (`smbstatus -b`), or a restart"},
	{"MariaDB 10.11", []string{"mysql"}, "as long as it is used, 8 hours idle (`wait_timeout`); a new password, `ACCOUNT LOCK` and `DROP USER` do not end it", "`KILL USER name`"},
	{"FTP", []string{"ftp", "ftps"}, "as long as it is used", "restart of the server"},
	{"a tunnel through a proxy (Squid 5.7)", []string{"http-proxy", "https-proxy"}, "as long as it is used", "restart of the proxy"},
	{"SSH", []string{"ssh"}, "as long as it is open, with the old key too", "end the session's `sshd` process"},
	{"PostgreSQL", []string{"postgres"}, "as long as it is used", "`pg_terminate_backend`; those of the roles that it rotates Rollcall ends"},
	{"a form's session (Apache mod_auth_form 2.4)", []string{"https", "http"}, "`SessionMaxAge`, for ever without it; name and password are in the cookie and are checked at each page", "the change itself, once `LDAPCacheTTL` is over"},
	{"a TLS session of EAP that can be resumed (FreeRADIUS 3.2.1)", []string{"radius"}, "its `lifetime`, 24 hours", "removing the files of `persist_dir`, and a restart where it keeps none"},
	{"network access (RADIUS)", []string{"radius"}, "until the session time that the server gave, or until it ends", "a disconnect request (RFC 5176), or at the switch or gateway"},
	{"Vault: a token of an earlier login", []string{"vault"}, "its TTL, whatever becomes of the login", "`vault lease revoke -prefix auth/MOUNT/login/NAME` (of an AppRole `auth/MOUNT/login`); nothing ends a batch token"},
	{"bound LDAP connections", []string{"ldap", "ldaps"}, "as long as they are used", "closing them on every server (docs/rights.md says how)"},
	{"Kerberos tickets of accounts of Active Directory", []string{"smb", "ldap", "ldaps", "ssh", "https", "http", "imap", "imaps"}, "10 hours, renewable for a week", "disable the account until they end"},
}

// Row is a session as docs/doors.md has it.
func (s Session) Row() string {
	return "| " + strings.Join([]string{s.What, s.Lives, s.End}, " | ") + " |"
}

// Outlives are the sessions that may go on behind a door of that type.
func Outlives(kind string) (out []Session) {
	for _, s := range Sessions {
		if slices.Contains(s.Types, kind) {
			out = append(out, s)
		}
	}
	return out
}

// Keepers are what may stand there and go on taking an old value: the software
// that the campaign file names, else all that commonly is behind its type.
func (s Settings) Keepers() (out []Keeps) {
	for _, k := range Keepers {
		if k.Name == s.Software || s.Software == "" && slices.Contains(k.Types, s.Type) {
			out = append(out, k)
		}
	}
	return out
}

// Keeping is for how long a door may go on taking an old value, as far as the
// campaign file or the table of software says; 0: nobody knows. A software
// that the file does not name is the one of its type that keeps it longest.
func (s Settings) Keeping() time.Duration {
	if s.Cache > 0 {
		return s.Cache
	}
	var most time.Duration
	for _, k := range s.Keepers() {
		most = max(most, k.Lasts)
	}
	return most
}

// Settles is how long it takes, from when an old value was refused, until no
// process can take it any more that keeps logins of its own: who asks cannot
// choose which of them answers. 0: one answers for all, or nothing there is
// known to do so.
func (s Settings) Settles() (lasts time.Duration) {
	for _, k := range s.Apart() {
		lasts = max(lasts, cmp.Or(s.Cache, k.Lasts))
	}
	return lasts
}

// Apart is what may serve there by several processes with logins of their own.
// A software that the file names, and that is what stands behind such a door
// (Beneath), says nothing of that.
func (s Settings) Apart() (out []Keeps) {
	for _, k := range Keepers {
		named, known := Keeper(s.Software)
		other := known && k.Name != s.Software && (s.Software == KeepsNone || slices.Contains(named.Types, s.Type))
		if k.Apart != "" && slices.Contains(k.Types, s.Type) && s.Processes != 1 && !other {
			out = append(out, k)
		}
	}
	return out
}

// Refusers are those of Keepers that may refuse the new value.
func (s Settings) Refusers() (out []Keeps) {
	for _, k := range s.Keepers() {
		if k.Refuses {
			out = append(out, k)
		}
	}
	return out
}

// MayKeep reports whether a refusal of the new value may come from what the
// door keeps, so that it may be over once that is. Where the file names the
// software its word is taken; else an answer that shows that it came from
// elsewhere is none.
func (s Settings) MayKeep(said Said) bool {
	return len(s.Refusers()) > 0 && (s.Software != "" || said.Keeps != "" || !Types[s.Type].TellsKeeper)
}

// unknownRefusal is how long a refusal is taken to be kept where nobody knows.
const unknownRefusal = time.Hour

// Refusing is for how long a door may go on refusing the new value because of
// what it keeps: as the campaign file says, else the table of software; known
// is false where neither does. 0: a refusal there is none that it keeps, or
// nothing counts them, so that no try is to be spared.
func (s Settings) Refusing() (lasts time.Duration, known bool) {
	all := s.Refusers()
	if len(all) == 0 || !s.Locks() {
		return 0, true
	}
	if s.Cache > 0 {
		return s.Cache, true
	}
	for _, k := range all {
		lasts = max(lasts, k.Lasts)
	}
	if lasts == 0 {
		return unknownRefusal, false
	}
	return lasts, true
}
