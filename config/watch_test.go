package config

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestWhatIsWatchedIsReadFromTheFile(t *testing.T) {
	dir := t.TempDir()
	c, err := load("campaign.yaml", dir, []byte(beforeNotify+`watch:
  files:
    - {file: slapd.log, authority: corp, server: ldap1}
    - {file: /var/log/vault.log, authority: vault, format: vault-audit}
  usual: [10.20.0.0/16, 192.0.2.1]
  indicators: [iocs.txt]
  zone: Europe/Berlin
  quiet: 2h
  listen:
    address: ":8514"
    certificate: watch.pem
    key: /etc/rollcall/watch-key.pem
    token: kv/rollcall-watch#token
    sources:
      sso: {format: sso}
      dc1: {authority: corp, server: dc1}
`))
	require.NoError(t, err)
	token := credential.Path{Mount: "kv", Path: "rollcall-watch", Field: "token"}
	require.Equal(t, &Watch{
		Line:  11,
		Files: []WatchedLog{{Path: filepath.Join(dir, "slapd.log"), Authority: "corp", Server: "ldap1"}, {Path: "/var/log/vault.log", Authority: "vault", Format: "vault-audit"}},
		Usual: []string{"10.20.0.0/16", "192.0.2.1/32"}, Indicators: []string{filepath.Join(dir, "iocs.txt")}, Zone: "Europe/Berlin", Quiet: Duration(2 * time.Hour),
		Listen: &Listen{Address: ":8514", Certificate: filepath.Join(dir, "watch.pem"), Key: "/etc/rollcall/watch-key.pem", Token: token,
			Sources: []WatchedLog{{Name: "dc1", Authority: "corp", Server: "dc1"}, {Name: "sso", Format: "sso"}}},
	}, c.Watch)
	require.Equal(t, []credential.Path{token}, c.WatchReferences())
	c, err = load("campaign.yaml", dir, []byte(beforeNotify))
	require.NoError(t, err)
	require.Nil(t, c.Watch)
	require.Empty(t, c.WatchReferences())
	_, err = load("campaign.yaml", dir, []byte(beforeNotify+"watch: {quiet: 1h}\n"))
	require.ErrorContains(t, err, "watch: names nothing")
	// The token itself is in no campaign file.
	_, err = load("campaign.yaml", dir, []byte(beforeNotify+"watch: {listen: {address: ':1', certificate: a, key: b, token: PLANTED-PLANTED, sources: {a: {}}}}\n"))
	require.ErrorContains(t, err, "token")
	require.NotContains(t, err.Error(), "PLANTED")
}
