package config

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/notify/settings"
)

const beforeNotify = `device: esg-01
directories:
  corp:
    driver: openldap
    servers: [ldaps://ldap1.example.org]
    base: dc=example,dc=org
    bind: {dn: "cn=rollcall,dc=example,dc=org", password: kv/rollcall-bind#password}
sources:
  - {type: vault-kv, prefix: kv/apps/esg-01}
`

func TestWhoIsToldIsReadFromTheFile(t *testing.T) {
	c, err := load("campaign.yaml", t.TempDir(), []byte(beforeNotify+`notify:
  stall: 30s
  webhooks:
    - {name: soc, url: "https://hooks.example.org/rollcall", secret: kv/notify#soc, events: [start, end]}
  commands:
    - {name: pager, command: [/etc/rollcall/notify.d/page, --team, "sec ops"]}
  mail:
    - {name: duty, server: "mail.example.org:587", from: rollcall@example.org, to: [duty@example.org], login: rollcall, password: kv/notify#mail}
used_by:
  - {path: "kv/apps/esg-01/*", consumers: [postfix on mx1, postfix on mx2], reload: {command: [/etc/rollcall/reload.d/postfix]}}
  - {path: kv/apps/esg-01/relay, consumers: [a script of the duty, postfix on mx1]}
`))
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, c.Notify.Stall)
	require.Len(t, c.Notify.Targets, 3)
	soc := c.Notify.Targets[0]
	require.True(t, soc.Wants(settings.Start))
	require.False(t, soc.Wants(settings.Wave))
	require.True(t, c.Notify.Targets[1].Wants(settings.Wave), "all by default")
	require.False(t, c.Notify.Targets[1].Wants(settings.Reload))
	path := func(field string) credential.Path { return credential.Path{Mount: "kv", Path: "notify", Field: field} }
	require.Equal(t, []credential.Path{path("soc"), path("mail")}, c.NotifyReferences())
	at := func(p string) []credential.Path { return []credential.Path{{Mount: "kv", Path: p, Field: "password"}} }
	require.Equal(t, []string{"postfix on mx1", "postfix on mx2", "a script of the duty"}, c.Consumers(at("apps/esg-01/relay")))
	require.Empty(t, c.Consumers(at("apps/esg-02/relay")))

	var told settings.Told
	require.NoError(t, json.Unmarshal(c.Told(), &told))
	require.Len(t, told.All(), 4)
	require.Zero(t, told.Wait)
	c.Open = &OpenItems{Wait: Duration(4 * time.Hour)}
	require.NoError(t, json.Unmarshal(c.Told(), &told))
	require.Equal(t, 4*time.Hour, told.Wait)
	c.Scheduled, told = true, settings.Told{}
	require.NoError(t, json.Unmarshal(c.Told(), &told))
	require.Zero(t, told.Wait, "one of a schedule stays for nobody")
	c, err = load("campaign.yaml", t.TempDir(), []byte(beforeNotify))
	require.NoError(t, err)
	require.Nil(t, c.Told())
}

func TestWhatIsWrongAboutWhoIsToldIsSaidWithItsLine(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"a web hook in clear text", `notify: {webhooks: [{name: a, url: "http://hooks.example.org", secret: kv/n#a}]}`, "notify.webhooks[0].url: must be an address that begins with https://"},
		{"one without a key", `notify: {webhooks: [{name: a, url: "https://hooks.example.org"}]}`, "notify.webhooks[0].secret: missing"},
		{"a key in the file", `notify: {webhooks: [{name: a, url: "https://hooks.example.org", secret: whsec_c2VjcmV0}]}`, "a secret may not be written into this file"},
		{"a login in the address", `notify: {webhooks: [{name: a, url: "https://me:pw@hooks.example.org", secret: kv/n#a}]}`, "login in it"},
		{"a key that is rotated", `notify: {webhooks: [{name: a, url: "https://hooks.example.org", secret: kv/apps/esg-01/x#a}]}`, "lies below kv/apps/esg-01, which a source lists"},
		{"a key on our own mount", `notify: {webhooks: [{name: a, url: "https://hooks.example.org", secret: rollcall/staging/x#a}]}`, "is on Rollcall's own mount"},
		{"two of one name", "notify:\n  commands:\n    - {name: a, command: [/x/a]}\n    - {name: a, command: [/x/b]}", "name: the receiver on line 12 has this name already"},
		{"a shell's line", `notify: {commands: [{name: a, command: "page now"}]}`, "must be a list"},
		{"a relative program", `notify: {commands: [{name: a, command: [page]}]}`, "whole path of a program"},
		{"an event that is none", `notify: {commands: [{name: a, command: [/x/a], events: [started]}]}`, "unknown: started; one of start, wave, finding, stall, wait, end"},
		{"mail without a port", `notify: {mail: [{name: a, server: mail.example.org, from: a@example.org, to: [b@example.org]}]}`, "server: must be host:port"},
		{"mail to nobody", `notify: {mail: [{name: a, server: "mail.example.org:25", from: a@example.org}]}`, "to: missing"},
		{"a header in an address", `notify: {mail: [{name: a, server: "mail.example.org:25", from: a@example.org, to: ["Bcc: <b@example.org>"]}]}`, "to: must be the bare address"},
		{"a password without a login", `notify: {mail: [{name: a, server: "mail.example.org:25", from: a@example.org, to: [b@example.org], password: kv/n#a}]}`, "password: goes with login"},
		{"an unknown key", `notify: {stal: 10s}`, "notify.stal: unknown key"},
		{"too short a stall", `notify: {stall: 1s}`, "stall: must be from 10s"},
		{"consumers of nothing", `used_by: [{path: kv/apps/x}]`, "used_by[0].consumers: missing"},
		{"a field among consumers' paths", `used_by: [{path: "kv/apps/x#password", consumers: [a]}]`, "path: must be mount/path, without #field"},
		{"one path twice", "used_by:\n  - {path: kv/x, consumers: [a]}\n  - {path: kv/x, consumers: [b]}", "path: line 11 has this path already"},
		{"a reload of two sorts", `used_by: [{path: kv/x, consumers: [a], reload: {command: [/x/a], url: "https://a.example.org", secret: kv/n#a}}]`, "reload: must be one of command"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := load("campaign.yaml", t.TempDir(), []byte(beforeNotify+row.text+"\n"))
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), "c2VjcmV0")
			require.False(t, strings.Contains(err.Error(), "me:pw"))
		})
	}
}
