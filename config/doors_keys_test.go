package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
)

const someHostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0kVDbhPDXgYFmZ2OKoyvtjVYZqkZ0qm0bdWq4jPq5b"

func withDoor(t *testing.T, text string) (*Campaign, error) {
	t.Helper()
	return load("c.yaml", t.TempDir(), []byte("device: esg-01\nexposure: [{from: 2022-10-10}]\ndoors:\n  here: {for: [{kind: shared-secret}], "+text+"}\nsources: [{type: vault-kv, prefix: kv/a}]\n"))
}

func TestADoorHasTheKeysOfItsType(t *testing.T) {
	for text, want := range map[string]door.Settings{
		`type: https, address: www.example.org, path: /private/?a=b`:                             {Address: "www.example.org:443", TLS: door.Implicit, Path: "/private/?a=b"},
		`type: http, address: www.example.org, path: /, insecure: true`:                          {Address: "www.example.org:80", TLS: door.ClearText, Path: "/"},
		`type: ssh, address: host.example.org, host_key: "` + someHostKey + `"`:                  {Address: "host.example.org:22", TLS: door.Itself, HostKey: someHostKey},
		`type: ssh, address: 192.0.2.1, host_key: "host.example.org ` + someHostKey + `"`:        {Address: "192.0.2.1:22", TLS: door.Itself, HostKey: "host.example.org " + someHostKey},
		`type: radius, address: radius.example.org, secret: kv/radius/prover#secret`:             {Address: "radius.example.org:1812", TLS: door.Itself, Secret: credential.Path{Mount: "kv", Path: "radius/prover", Field: "secret"}},
		`type: vault, address: vault.example.org, mount: auth/userpass/`:                         {Address: "vault.example.org:8200", TLS: door.Implicit, Path: "/auth/userpass"},
		`type: ftp, address: ftp.example.org`:                                                    {Address: "ftp.example.org:21", TLS: door.StartTLS},
		`type: ftps, address: ftp.example.org`:                                                   {Address: "ftp.example.org:990", TLS: door.Implicit},
		`type: mysql, address: db.example.org`:                                                   {Address: "db.example.org:3306", TLS: door.StartTLS},
		`type: mysql, address: db.example.org, insecure: true`:                                   {Address: "db.example.org:3306", TLS: door.ClearText},
		`type: snmp, address: printer.example.org`:                                               {Address: "printer.example.org:161", TLS: door.Itself, AuthProtocol: "sha"},
		`type: snmp, address: printer.example.org, auth_protocol: sha512, priv_protocol: aes256`: {Address: "printer.example.org:161", TLS: door.Itself, AuthProtocol: "sha512", PrivProtocol: "aes256"},
		`type: radius, address: radius.example.org, auth: shared-secret`:                         {Address: "radius.example.org:1812", TLS: door.Itself},
		`type: snmp, address: printer.example.org, auth: privacy, priv_protocol: aes, secret: kv/net/printer#auth`: {Address: "printer.example.org:161", TLS: door.Itself, AuthProtocol: "sha", PrivProtocol: "aes",
			Secret: credential.Path{Mount: "kv", Path: "net/printer", Field: "auth"}},
		`type: http-proxy, address: proxy.example.org, target: "www.example.org:443", insecure: true`: {Address: "proxy.example.org:3128", TLS: door.ClearText, Path: "www.example.org:443"},
		`type: https-proxy, address: proxy.example.org, target: "www.example.org:443"`:                {Address: "proxy.example.org:3129", TLS: door.Implicit, Path: "www.example.org:443"},
		`type: snmpv2c, address: printer.example.org, insecure: true`:                                 {Address: "printer.example.org:161", TLS: door.ClearText},
		`type: smb, address: files.example.org`:                                                       {Address: "files.example.org:445", TLS: door.Itself},
		`type: ldap, address: ldap.example.org`:                                                       {Address: "ldap.example.org:389", TLS: door.StartTLS},
	} {
		c, err := withDoor(t, text)
		require.NoError(t, err, text)
		got := c.Doors["here"]
		require.Equal(t, want, door.Settings{Address: got.Address, TLS: got.TLS, Path: got.Path, HostKey: got.HostKey, Database: got.Database, Secret: got.Secret, AuthProtocol: got.AuthProtocol, PrivProtocol: got.PrivProtocol}, text)
	}
	c, err := withDoor(t, `type: ldaps, address: ldap.example.org`)
	require.NoError(t, err)
	require.Equal(t, "{name}", c.Doors["here"].Login, "a bind goes by the DN")
}

func TestAKeyOfADoorThatDoesNotHoldIsToldWithItsReason(t *testing.T) {
	for text, want := range map[string]string{
		`type: https, address: www.example.org`:                                              "c.yaml:4: doors.here.path: missing: the path of a page that the account may read and nobody without a login",
		`type: https, address: www.example.org, path: private`:                               "c.yaml:4: doors.here.path: must be the path of a page",
		`type: https, address: www.example.org, path: "//other.example.org/"`:                "doors.here.path: must be",
		`type: https, address: www.example.org, path: "/a b"`:                                "doors.here.path: must be",
		`type: https, address: www.example.org, path: "/a\r\nX: y"`:                          "doors.here.path: must be",
		`type: http, address: www.example.org, path: /`:                                      "doors.here.insecure: this type crosses the network in clear text",
		`type: https-proxy, address: proxy.example.org`:                                      "c.yaml:4: doors.here.target: missing: host:port to which the account may have a tunnel",
		`type: https-proxy, address: proxy.example.org, target: "https://www.example.org/"`:  "doors.here.target: must be host:port",
		`type: https-proxy, address: proxy.example.org, target: www.example.org`:             "doors.here.target: must be host:port",
		`type: https-proxy, address: proxy.example.org, target: "a b:443"`:                   "doors.here.target: must be host:port",
		`type: https-proxy, address: proxy.example.org, target: "a\r\nX: y:443"`:             "doors.here.target: must be host:port",
		`type: https-proxy, address: proxy.example.org, target: "u@a:443"`:                   "doors.here.target: must be host:port",
		`type: https-proxy, address: proxy.example.org, target: "a:0"`:                       "doors.here.target: must be host:port",
		`type: http-proxy, address: proxy.example.org, target: "a:443"`:                      "doors.here.insecure: this type crosses the network in clear text",
		`type: squid, address: proxy.example.org`:                                            "type: http-proxy, or https-proxy where",
		`type: ssh, address: host.example.org`:                                               "doors.here.host_key: missing: the server's public key as ssh-keyscan prints it",
		`type: ssh, address: host.example.org, host_key: "SHA256:47DEQpj8HBSa"`:              "doors.here.host_key: must be the server's public key",
		`type: ssh, address: host.example.org, host_key: "ssh-rsa AAAAC3NzaC1lZDI1NTE5"`:     "doors.here.host_key: must be",
		`type: ssh, address: host.example.org, host_key: "# none"`:                           "doors.here.host_key: holds no key",
		`type: ssh, address: h.example.org, host_key: "` + someHostKey + `", insecure: true`: "doors.here.insecure: this type has no clear text",
		`type: ssh, address: h.example.org, host_key: "` + someHostKey + `", server_name: h`: "doors.here.server_name: has no use here: ssh knows no certificates",
		`type: vault, address: vault.example.org`:                                            "doors.here.mount: missing: the login method's mount",
		`type: vault, address: vault.example.org, mount: userpass`:                           "doors.here.mount: must be the login method's mount",
		`type: radius, address: radius.example.org`:                                          "doors.here.secret: missing: where Vault holds the secret that the server and this machine",
		`type: radius, address: radius.example.org, secret: testing123`:                      "secret: a secret may not be written into this file",
		`type: radius, address: r.example.org, auth: shared-secret, secret: kv/a#b`:          "doors.here.secret: has no use here: with auth: shared-secret the value is that secret",
		`type: radius, address: r.example.org, auth: shared-secret, login: "{account}"`:      "doors.here.login: has no use here",
		`type: snmp, address: printer.example.org, secret: kv/a#b`:                           "doors.here.secret: goes with auth: privacy",
		`type: snmp, address: printer.example.org, auth: privacy, secret: kv/a#b`:            "doors.here.priv_protocol: missing: with auth: privacy the value is the passphrase that encrypts",
		`type: snmp, address: printer.example.org, auth: privacy, priv_protocol: aes`:        "doors.here.secret: missing: where Vault holds the passphrase with which the user signs",
		`type: mysql, address: db.example.org, database: mysql`:                              "database: unknown key",
		`type: mysql, address: db.example.org, reader: sees`:                                 "secret: missing: where Vault holds the value of reader",
		`type: mysql, address: db.example.org, secret: "kv/db#password"`:                     "secret: goes with reader",
		`type: snmpv2c, address: printer.example.org`:                                        "doors.here.insecure: this type crosses the network in clear text",
		`type: snmp, address: printer.example.org, auth_protocol: sha-1`:                     "doors.here.auth_protocol: unknown: ",
		`type: smb, address: files.example.org, insecure: true`:                              "doors.here.insecure: this type has no clear text",
		`type: ftp, address: ftp.example.org, path: /`:                                       "path: unknown key",
	} {
		_, err := withDoor(t, text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestWhatADoorKeepsAndWhatEndsIt(t *testing.T) {
	const imaps = `type: imaps, address: mail.example.org, `
	c, err := withDoor(t, imaps+`cache: 30m, software: dovecot, flush: {command: [/etc/rollcall/flush.d/dovecot, "{login}"]}`)
	require.NoError(t, err)
	require.Equal(t, 30*time.Minute, c.Doors["here"].Cache)
	require.Equal(t, "dovecot", c.Doors["here"].Software)
	require.Equal(t, &door.Flush{Command: []string{"/etc/rollcall/flush.d/dovecot", "{login}"}}, c.Doors["here"].Flush)
	c, err = withDoor(t, imaps+`realm: "@example.org"`)
	require.NoError(t, err)
	require.Equal(t, "example.org", c.Doors["here"].Realm)
	_, err = withDoor(t, `type: https, address: www.example.org, path: /a, auth: bearer, realm: example.org`)
	require.ErrorContains(t, err, "doors.here.realm: has no use here: no name goes with the value (auth: bearer)")
	c, err = withDoor(t, imaps+`flush: {url: "https://automation.example.org/flush"}`)
	require.NoError(t, err)
	require.Equal(t, "https://automation.example.org/flush", c.Doors["here"].Flush.URL)
	for text, want := range map[string]string{
		`software: dovecott`:          "doors.here.software: unknown: dovecott; did you mean dovecot?",
		`software: mariadb`:           "doors.here.software: unknown: mariadb; one of saslauthd, dovecot, pcache",
		`cache: 48h`:                  "doors.here.cache: ",
		`machines: 5`:                 "doors.here.machines: ",
		`flush: {}`:                   "doors.here.flush: must be one of command, a list without a shell",
		`flush: {command: [doveadm]}`: "doors.here.flush.command: must begin with the whole path of a program",
		`flush: {command: [/a, [b]]}`: "doors.here.flush.command: must be a list of texts",
		`realm: "a@example.org"`:      "doors.here.realm: is the realm that a login without one has there",
		`realm: "{account}"`:          "doors.here.realm: is the realm",
		`flush: {command: [/a], url: "https://x.org/"}`: "doors.here.flush: must be one of command",
		`flush: {url: "http://x.org/"}`:                 "doors.here.flush.url: must be an address that begins with https://",
		`flush: {url: "https://a:PLANTED1@x.org/"}`:     "a URL with a login in it",
		`flush: {shell: "x"}`:                           "shell: unknown key",
	} {
		_, err := withDoor(t, imaps+text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "PLANTED1")
	}
	_, err = withDoor(t, `type: imaps, address: mail.example.org, software: sssd`)
	require.NoError(t, err, "PAM may stand behind any service")
	c, err = withDoor(t, `type: vault, address: vault.example.org, mount: auth/a, software: none`)
	require.NoError(t, err, "an application of one's own")
	require.Zero(t, c.Doors["here"].Keeping())
	for _, also := range []string{`cache: 30m`, `flush: {url: "https://automation.example.org/flush"}`} {
		_, err = withDoor(t, imaps+`software: none, `+also)
		require.ErrorContains(t, err, "doors.here.software: none says that nothing is kept there, and cache or flush that something is")
	}
	_, err = withDoor(t, `type: vault, address: vault.example.org, mount: auth/a, software: squid`)
	require.ErrorContains(t, err, "doors.here.software: unknown: squid")
	const atDevice = "device: esg-01\nexposure: [{from: 2022-10-10}]\ncontainment: {how: off, at: 2023-06-08T09:00:00Z, addresses: [192.0.2.10]}\ndoors:\n  here: {type: imaps, address: mail.example.org, for: rows, flush: {url: \"https://192.0.2.10/flush\"}}\nsources: [{type: vault-kv, prefix: kv/a}]\n"
	_, err = load("c.yaml", t.TempDir(), []byte(atDevice))
	require.ErrorContains(t, err, "doors.here.flush.url: is an address of the device")
	c, err = load("c.yaml", t.TempDir(), []byte("device: esg-01\nexposure: [{from: 2022-10-10}]\ndoors:\n  here: {type: imaps, address: mail.example.org, for: rows}\nsources: [{type: vault-kv, prefix: kv/a}]\n"))
	require.NoError(t, err)
	require.Empty(t, c.Doors["here"].For)
}

// A door may be one machine of several: the name that its certificate has, and
// the address behind an @, as servers have it.
func TestADoorNamesAMachineByNameAndAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][2]string{
		"mail.example.org":                   {"mail.example.org:993", ""},
		"Mail.Example.org.":                  {"mail.example.org:993", ""},
		"mail.example.org@10.0.0.5":          {"mail.example.org:993", "10.0.0.5"},
		"mail.example.org:1993@2001:db8::1":  {"mail.example.org:1993", "2001:db8::1"},
		"mail.example.org@[::ffff:10.0.0.5]": {"mail.example.org:993", "10.0.0.5"},
	} {
		c, err := withDoor(t, `type: imaps, address: "`+address+`"`)
		require.NoError(t, err, address)
		require.Equal(t, want, [2]string{c.Doors["here"].Address, c.Doors["here"].At}, address)
	}
	for _, address := range []string{"me@mail.example.org", "10.0.0.4@10.0.0.5", "me@mail.example.org@10.0.0.5", "@10.0.0.5", "mail.example.org@"} {
		_, err := withDoor(t, `type: imaps, address: "`+address+`"`)
		require.ErrorContains(t, err, "doors.here.address: ", address)
	}
}

// One server may have several doors, of which each asks something else.
func TestTwoDoorsAtOnePlaceAskDifferentThings(t *testing.T) {
	t.Parallel()
	two := func(a, b string) error {
		_, err := load("c.yaml", t.TempDir(), []byte("device: esg-01\nexposure: [{from: 2022-10-10}]\ndoors:\n  a: {for: rows, "+a+"}\n  b: {for: rows, "+b+"}\nsources: [{type: vault-kv, prefix: kv/a}]\n"))
		return err
	}
	const vault, snmp, page = "type: vault, address: vault.example.org, mount: auth/esg, auth: approle, login: ", "type: snmp, address: printer.example.org", "type: https, address: www.example.org, path: "
	for _, row := range [][2]string{{vault + "role-1", vault + "role-2"}, {snmp, snmp + ", auth: privacy, priv_protocol: aes, secret: kv/a#b"}, {page + "/a", page + "/b"}} {
		require.NoError(t, two(row[0], row[1]), row)
		require.ErrorContains(t, two(row[0], row[0]+", timeout: 30s"), "doors.b: is the same door as doors.a", row)
	}
}

func TestWhatIsOnlyEndedHasNoDoor(t *testing.T) {
	t.Parallel()
	_, err := load("c.yaml", t.TempDir(), []byte("device: esg-01\nexposure: [{from: 2022-10-10}]\ndoors:\n  a: {type: https, address: www.example.org, path: /, auth: bearer, for: [{kind: vault-token}]}\nsources: [{type: vault-kv, prefix: kv/a}]\n"))
	require.ErrorContains(t, err, "c.yaml:4: doors.a.for[0].kind: vault-token has no door: Rollcall ends it by its accessor, never reads its value")
}

// A word that people have for a type gets its cure, and a mistake one line.
func TestAMistakeInADoorIsOneLineThatSaysWhatToDo(t *testing.T) {
	const mail = "type: imaps, address: mail.example.org, for: [{kind: shared-secret}], "
	for text, want := range map[string]string{
		"type: sftp, address: h.example.org, for: rows":                              "doors.here.type: unknown: sftp; SFTP is a part of SSH, with the same login: type: ssh",
		"type: smtp, address: h.example.org, for: rows":                              "doors.here.type: unknown: smtp; logins are at submission (port 587, STARTTLS) or smtps (port 465,",
		"type: snmp, address: h.example.org, for: rows, auth_protocol: sha3":         "doors.here.auth_protocol: unknown: sha3; SNMPv3 knows no SHA-3: md5, sha (SHA-1), sha224",
		"type: imaps, address: mail.example.org, for: [{kind: ldap-pasword}]":        "doors.here.for[0].kind: unknown: ldap-pasword",
		"type: imaps, address: mail.example.org, for: [{dirctory: corp}]":            "doors.here.for[0].dirctory: unknown key: did you mean directory?",
		mail + "flush: doveadm reload":                                               "doors.here.flush: is a single value, but this must be a mapping",
		mail + "flush: {command: doveadm}":                                           "doors.here.flush.command: is a single value, but this must be a list",
		mail + `flush: {command: [/etc/rollcall/flush.d/x, "{login}", "{pasword}"]}`: "doors.here.flush.command: unknown: {pasword}; known is {login}",
		mail + `flush: {command: [/bin/sh, -c, "echo {value} {pasword}"]}`:           "doors.here.flush.command: unknown: {value}; known is {login}, the name with which the account logs in there; what is run is told names and no value",
	} {
		_, err := load("c.yaml", t.TempDir(), []byte("device: esg-01\nexposure: [{from: 2022-10-10}]\ndoors:\n  here: {"+text+"}\nsources: [{type: vault-kv, prefix: kv/a}]\n"))
		var all *Errors
		require.ErrorAs(t, err, &all, text)
		require.Len(t, all.List, 1, "%s: %v", text, err)
		require.ErrorContains(t, err, "c.yaml:4: "+want)
	}
}
