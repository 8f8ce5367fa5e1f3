package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"rollcall/internal/credential"
	"rollcall/internal/door/doortest"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// startSSHD is an SSH server of its own, which no account of the estate has.
func startSSHD(t *testing.T, e *estate.Estate) *lab.SSHD {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := filepath.Join(e.Dir, "sshd")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	s, err := lab.StartSSHD(ctx, lab.SSHDOptions{Dir: dir, Accounts: []lab.Account{{UID: "else", Password: "of-somebody-else-1"}}})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

// Doors that are not what the campaign file says are found before anything is
// set, by the worker that would ask them: a host key that is another one, a
// certificate for another name, another protocol, a page that everybody gets. A
// door that is only silent keeps nothing from beginning. Who goes on all the
// same has them in the ledger, and what they take is open.
func TestNoCampaignBeginsWithADoorThatIsNotTheOneOfItsFile(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1})
	e.Directory = waitsLong
	m, s := startDovecot(t, e, 0), startSSHD(t, e)
	bare := doortest.Start(t, lab.StartDovecot, lab.DovecotOptions{Dir: t.TempDir(), CA: e.CA, Directory: e.Slapd, AtOnce: true, NoTLS: true})
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	other, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	_, _, real, _, _, err := ssh.ParseKnownHosts([]byte(s.HostKey))
	require.NoError(t, err)
	vault := strings.TrimPrefix(strings.TrimPrefix(e.Vault.Client().Address(), "http://"), "https://")
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5s, batch: 20}\n"+fmt.Sprintf(`doors:
  shell: {type: ssh, address: %q, host_key: %q, timeout: 1m, for: [{directory: corp}]}
  mail: {type: imaps, address: %q, server_name: mail.example.net, ca_file: ca.pem, timeout: 1m, for: [{directory: corp}]}
  odd: {type: pop3, address: %q, ca_file: ca.pem, timeout: 1m, for: [{directory: corp}]}
  page: {type: http, insecure: true, address: %q, path: /v1/sys/health, timeout: 1m, for: [{directory: corp}]}
  gone: {type: imaps, address: %q, ca_file: ca.pem, timeout: 1m, for: [{directory: corp}]}
  bare: {type: imap, address: %q, ca_file: ca.pem, timeout: 1m, for: [{directory: corp}]}
`, s.Address("password"), string(ssh.MarshalAuthorizedKey(other)), m.Address("imaps"), s.Address("password"), vault, freeAddress(t), bare.Address("imap")))
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lineOf := func(door string) int {
		for i, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(line, "  "+door+":") {
				return i + 1
			}
		}
		return 0
	}
	u := newUser(t, e, file)
	u.env = append(u.env, vaultWaitsLong)
	u.must("init")
	says := []string{
		fmt.Sprintf("door shell (line %d of the campaign file, ssh://%s): its host key is %s (ssh-ed25519), and not the one of host_key, %s (ssh-ed25519); somebody in between", lineOf("shell"), s.Address("password"), ssh.FingerprintSHA256(real), ssh.FingerprintSHA256(other)),
		fmt.Sprintf("door mail (line %d of the campaign file, imaps://%s): its certificate is for ", lineOf("mail"), m.Address("imaps")),
		"and not for mail.example.net; see that address, server_name and ca_file",
		fmt.Sprintf("door odd (line %d of the campaign file, pop3://%s): it speaks SSH; see that type and port", lineOf("odd"), s.Address("password")),
		fmt.Sprintf("door page (line %d of the campaign file, http://%s): a user that cannot exist is let in, so that a login there proves nothing; close it", lineOf("page"), vault),
		fmt.Sprintf("door bare (line %d of the campaign file, imap://%s): it begins no TLS (BAD to STARTTLS); let it begin TLS, or name type imaps, which has it from the first byte on, with its port", lineOf("bare"), bare.Address("imap")),
	}
	plain := func(r ran) string { return strings.Join(strings.Fields(r.out+r.err), " ") }
	for command, code := range map[string]int{"list": 2, "plan": 2, "run": 1} {
		r := u.run(command)
		require.Equal(t, code, r.code, "%s: %s%s", command, r.out, r.err)
		for _, line := range says {
			require.Contains(t, plain(r), line, command)
		}
		require.NotContains(t, plain(r), "door gone (line", command)
	}
	told := plain(u.run("doctor"))
	require.Contains(t, told, "imap://"+bare.Address("imap")+" it begins no TLS (BAD to STARTTLS) -> let it begin TLS, or name type imaps")
	a := accountsNamed(e, "svc-esg-0001")[0]
	require.True(t, binds(t, e, e.Slapd.LDAPS(), a.DN, credential.NewSecret(a.Password)), "nothing was changed")

	const why = "the mail team mends its certificate tomorrow"
	r := u.run("run", "--override", "the mail must flow")
	require.Equal(t, 1, r.code, "who answers for the device has not looked at doors")
	require.Contains(t, r.err, "--unfit-doors")
	r = u.run("run", "--unfit-doors", why)
	require.Equal(t, 2, r.code, "%s%s", r.out, r.err)
	c := u.ledger().Credentials[0]
	require.Contains(t, []protocol.Reason{protocol.ReasonDoorSilent, protocol.ReasonDoorGuest}, c.Reason)
	require.False(t, binds(t, e, e.Slapd.LDAPS(), a.DN, credential.NewSecret(a.Password)), "it is dead at its own servers, and open at the doors")
	warned := 0
	for _, f := range u.ledger().Findings {
		if f.Code == credential.FindingUnfitDoor {
			require.Contains(t, f.Detail, "went on all the same: "+why)
			warned++
		}
	}
	require.Equal(t, 5, warned)
	var of []string
	for _, a := range u.ledger().Actions {
		if a.Event == ledger.DoorNotAsked {
			require.Equal(t, why, a.Why)
			require.Contains(t, a.Who, "@")
			require.False(t, a.At.IsZero())
			of = append(of, a.What)
		}
	}
	require.Equal(t, []string{"bare", "mail", "odd", "page", "shell"}, of)
	require.Contains(t, strings.Join(strings.Fields(u.run("report").out), " "), "went on although door shell is not what the campaign file says, and is not asked: "+why)
	u.must("ledger", "verify")
}
