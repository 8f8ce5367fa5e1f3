package config

import (
	"encoding/base64"
	"encoding/binary"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
	"rollcall/internal/door"
)

// doorFurther reads the keys that a type of door has besides those of all, and
// says which of those have no use there.
func (f fields) doorFurther(t door.Type, d *door.Settings) {
	if t.TLS[0] == door.Itself {
		for _, key := range []string{"ca_file", "server_name"} {
			if f.has(key) {
				f.problem(key, "has no use here: %s knows no certificates", d.Type)
			}
		}
	}
	for _, key := range t.Keys {
		switch key {
		case "path":
			d.Path = f.doorPath("path")
		case "target":
			d.Path = f.doorTarget()
		case "mount":
			d.Path = f.doorMount(d)
		case "header":
			d.Header = f.doorHeader(d.Auth)
		case "form":
			d.Form = f.doorForm(d.Auth)
		case "host_key":
			d.HostKey = f.hostKey()
		case "database":
			d.Database = f.str("database")
		case "auth_protocol":
			if !f.meant(key, hashesMeant) {
				d.AuthProtocol = f.oneOf(key, "sha", []string{"md5", "sha", "sha224", "sha256", "sha384", "sha512"})
			}
		case "priv_protocol":
			d.PrivProtocol = f.oneOf(key, "", []string{"des", "aes", "aes192", "aes256", "aes192c", "aes256c"})
		case "one_account":
			d.OneAccount = f.boolean(key)
		case "reader":
			d.Reader = f.str(key)
		case "secret":
			f.doorSecret(t, d)
		}
	}
}

// doorSecret is where Vault holds what goes with a value besides: the secret
// that a RADIUS server and this machine as its client share, unless that is the
// value itself; or the passphrase with which a user of SNMPv3 signs, where the
// value is the one that encrypts.
func (f fields) doorSecret(t door.Type, d *door.Settings) {
	switch {
	case t.Reads && d.Reader == "":
		if f.has("secret") {
			f.problem("secret", "goes with reader, the account that may read mysql.global_priv: it is where Vault holds its value")
		}
	case t.Reads:
		d.Secret = f.reference("secret", "where Vault holds the value of reader: mount/path#field")
	case d.Auth == door.BySecret:
		if f.has("secret") {
			f.problem("secret", "has no use here: with auth: %s the value is that secret", d.Auth)
		}
	case !slices.Contains(t.Auth, door.ByPrivacy):
		d.Secret = f.reference("secret", "where Vault holds the secret that the server and this machine as its client share: mount/path#field")
	case d.Auth != door.ByPrivacy:
		f.noUse("auth: privacy", "secret")
	default:
		d.Secret = f.reference("secret", "where Vault holds the passphrase with which the user signs: mount/path#field")
		if d.PrivProtocol == "" {
			f.problem("priv_protocol", "missing: with auth: %s the value is the passphrase that encrypts", d.Auth)
		}
	}
}

// doorRealm is the realm that a login without one has there.
func (f fields) doorRealm(as door.Auth) string {
	realm := strings.TrimPrefix(f.str("realm"), "@")
	switch {
	case as.Nameless() && f.has("realm"):
		f.problem("realm", "has no use here: no name goes with the value (auth: %s)", as)
	case f.has("realm") && (realm == "" || strings.ContainsAny(realm, "@{}\\\r\n\x00 ")):
		f.problem("realm", "is the realm that a login without one has there, for example example.org")
	}
	return realm
}

// doorAuth is how the value is shown to a type that knows several ways.
func (f fields) doorAuth(t door.Type) door.Auth {
	if !f.has("auth") || !slices.Contains(t.Keys, "auth") {
		return ""
	}
	usual := "password"
	if slices.Contains(t.Keys, "path") {
		usual = "basic"
	}
	words := []string{usual}
	for _, a := range t.Auth {
		words = append(words, string(a))
	}
	if as := f.oneOf("auth", usual, words); as != usual {
		return door.Auth(as)
	}
	return ""
}

// doorPath is a page's.
func (f fields) doorPath(key string) string {
	const form = "the path of a page that the account may read and nobody without a login, for example /private/"
	s := f.required(key, form)
	if s == "" {
		return ""
	}
	if u, err := url.ParseRequestURI(s); err != nil || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || u.Fragment != "" ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
		f.problem(key, "must be %s", form)
		return ""
	}
	return s
}

// doorTarget is to where a proxy is asked for a tunnel.
func (f fields) doorTarget() string {
	const form = "host:port to which the account may have a tunnel, for example www.example.org:443; it is connected to, and nothing is sent there"
	s := f.required("target", form)
	if s == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(s)
	number, bad := strconv.ParseUint(port, 10, 16)
	u, odd := url.Parse("//" + s)
	if err != nil || bad != nil || number == 0 || odd != nil || u.Host != s || u.Hostname() != host || host == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		f.problem("target", "must be %s", form)
		return ""
	}
	return s
}

// doorMount is the login method of a Vault, as a path. The usual paths of
// approle and token say which they are.
func (f fields) doorMount(d *door.Settings) string {
	const form = "the login method's mount, with auth/ in front, for example auth/userpass"
	if d.Auth == door.ByToken && !f.has("mount") {
		return "/auth/token"
	}
	s := strings.Trim(f.required("mount", form), "/")
	if s == "" {
		return ""
	}
	if !strings.HasPrefix(s, "auth/") || strings.Contains(s, "//") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("?#%\\", r) }) {
		f.problem("mount", "must be %s", form)
		return ""
	}
	for method, as := range map[string]door.Auth{"auth/token": door.ByToken, "auth/approle": door.ByAppRole} {
		if s == method && d.Auth != as {
			f.problem("mount", "is the method of auth: %s: say so, or name another", as)
		}
	}
	if d.Auth == door.ByToken && s != "auth/token" {
		f.problem("mount", "has no use here: tokens are looked up at auth/token")
	}
	return "/" + s
}

// hostKey are a server's public keys, one a line, as known_hosts or
// ssh-keyscan have them, with or without the host's name in front.
func (f fields) hostKey() string {
	const form = "the server's public key as ssh-keyscan prints it (compare it with the server's own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); several, one a line"
	s := f.required("host_key", form)
	found := false
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !isHostKey(strings.Fields(line)) {
			f.problem("host_key", "must be %s", form)
			return ""
		}
		found = true
	}
	if s != "" && !found {
		f.problem("host_key", "holds no key: %s", form)
	}
	return s
}

// isHostKey holds the name of a key's type against the one in the key (RFC
// 4253, 6.6).
func isHostKey(words []string) bool {
	for i := 0; i < min(2, len(words)-1); i++ {
		raw, err := base64.StdEncoding.DecodeString(words[i+1])
		if err != nil || len(raw) < 4 {
			continue
		}
		n := binary.BigEndian.Uint32(raw)
		if uint64(len(raw)) > 4+uint64(n) && string(raw[4:4+n]) == words[i] && slices.Contains(hostKeyTypes, words[i]) {
			return true
		}
	}
	return false
}

// hostKeyTypes are those that are still accepted.
var hostKeyTypes = []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"}

// doorFlush is what ends what a door keeps. It is told names, so nothing in it
// may be a value.
func (l *loader) doorFlush(f fields, c *Campaign) *door.Flush {
	const form = "one of command, a list without a shell ([/etc/rollcall/flush.d/dovecot, \"{login}\"]), and url, https"
	n := f.vals["flush"]
	if n == nil {
		return nil
	}
	before := len(l.errs.List)
	m := l.mapping(n, f.at("flush"), "command", "url")
	out := &door.Flush{URL: m.str("url")}
	if m.has("command") {
		for _, item := range m.list("command") {
			if item.Kind != yaml.ScalarNode || strings.ContainsRune(item.Value, 0) {
				m.problem("command", "must be a list of texts")
				return nil
			}
			out.Command = append(out.Command, item.Value)
		}
	}
	for _, text := range append(slices.Clone(out.Command), out.URL) {
		if what := credential.Discloses(text); what != "" {
			l.problem(n.Line, "%s: %s: neither a command nor an address may hold one; what is run is told names alone", f.at("flush"), what)
			return nil
		}
	}
	if len(l.errs.List) > before {
		return nil // one mistake, one line
	}
	for _, text := range out.Command {
		for _, what := range braced.FindAllString(text, -1) {
			if what != "{login}" {
				m.problem("command", "unknown: %s; known is {login}, the name with which the account logs in there; what is run is told names and no value", shownBraced(what))
				return nil
			}
		}
	}
	u, err := url.Parse(out.URL)
	switch {
	case (len(out.Command) > 0) == (out.URL != ""):
		f.problem("flush", "must be %s", form)
	case len(out.Command) > 0 && !strings.HasPrefix(out.Command[0], "/"):
		m.problem("command", "must begin with the whole path of a program, which lies in /etc/rollcall/flush.d of the worker")
	case out.URL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != ""):
		m.problem("url", "must be an address that begins with https://, without a login in it")
	case out.URL != "" && c.Containment != nil && slices.Contains(c.Containment.Addresses, strings.ToLower(u.Hostname())):
		m.problem("url", "is an address of the device (containment.addresses): whoever answers there would be told which logins are renewed")
	default:
		return out
	}
	return nil
}

// braced is what stands for something in a command.
var braced = regexp.MustCompile(`\{[^{}]*\}`)

func shownBraced(text string) string { return "{" + shown(strings.Trim(text, "{}")) + "}" }

// typesMeant are words that people have for types of doors.
var typesMeant = map[string]string{
	"sftp":       "SFTP is a part of SSH, with the same login: type: ssh (ftps is FTP over TLS)",
	"scp":        "it is a part of SSH, with the same login: type: ssh",
	"smtp":       "logins are at submission (port 587, STARTTLS) or smtps (port 465, TLS from the first byte on)",
	"mariadb":    "type: mysql is MariaDB's too",
	"postgresql": "type: postgres",
	"samba":      "type: smb",
	"cifs":       "type: smb",
	"snmpv3":     "type: snmp is SNMPv3",
	"snmpv2":     "type: snmpv2c",
	"web":        "type: https, or http",
	"squid":      "type: http-proxy, or https-proxy where the proxy itself speaks TLS",
	"proxy":      "type: http-proxy, or https-proxy where the proxy itself speaks TLS",
	"mail":       "one of imap, imaps, pop3, pop3s, submission, smtps, each a door of its own",
}

// hashesMeant are those for which no user of SNMPv3 signs.
var hashesMeant = map[string]string{
	"sha1": "sha is SHA-1",
	"sha2": "say which: sha224, sha256, sha384 or sha512",
	"sha3": "SNMPv3 knows no SHA-3: md5, sha (SHA-1), sha224, sha256, sha384 or sha512 (RFC 7860)",
}

// meant reports whether a key holds a word for which there is a better one, and
// says which.
func (f fields) meant(key string, words map[string]string) bool {
	n := f.vals[key]
	if n == nil || n.Kind != yaml.ScalarNode || words[strings.ToLower(n.Value)] == "" {
		return false
	}
	f.problem(key, "unknown: %s; %s", shown(n.Value), words[strings.ToLower(n.Value)])
	return true
}
