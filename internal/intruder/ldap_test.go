package intruder

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// feeding runs an intruder in the background, as the demo's process would.
type feeding struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *watched
	done chan error
}

func startIntruder(t *testing.T, stolen ...Stolen) *feeding {
	t.Helper()
	r, w := io.Pipe()
	f := &feeding{t: t, in: w, out: newWatched(), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { f.done <- Run(ctx, r, f.out) }()
	f.send(Command{Command: Pause, PauseMS: 5})
	for _, s := range stolen {
		f.send(s)
	}
	return f
}

func (f *feeding) send(v any) {
	f.t.Helper()
	b, err := json.Marshal(v)
	require.NoError(f.t, err)
	_, err = f.in.Write(append(b, '\n'))
	require.NoError(f.t, err)
}

func (f *feeding) finish() ([]Result, Summary) {
	f.t.Helper()
	require.NoError(f.t, f.in.Close())
	require.NoError(f.t, <-f.done)
	results, sum, err := ReadResults(strings.NewReader(f.out.String()))
	require.NoError(f.t, err)
	return results, sum
}

func newDirectory(t *testing.T, p lab.SlapdPolicy, accounts ...lab.Account) *lab.Slapd {
	t.Helper()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(t.Context(), lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Policy: p, Accounts: accounts})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	return s
}

func trusting(t *testing.T, ca string) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(ca)))
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}

func reset(t *testing.T, s *lab.Slapd, uid, password string) {
	t.Helper()
	c, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.PasswordModify(ldap.NewPasswordModifyRequest(s.AccountDN(uid), "", password))
	require.NoError(t, err)
}

func TestStolenPasswordsAreFollowedFromAcceptedToRefusedOnEveryServer(t *testing.T) {
	s := newDirectory(t, lab.SlapdPolicy{MaxFailure: 10},
		lab.Account{UID: "one", Password: "Stolen-Value-One-1"}, lab.Account{UID: "two", Password: "Stolen-Value-Two-2"})
	servers := []string{s.LDAPS(), s.LDAP()} // the second by StartTLS
	steal := func(uid, password string) Stolen {
		return Stolen{ID: "corp/" + uid, Kind: LDAP, Servers: servers, CAPEM: s.CA, DN: s.AccountDN(uid), Password: password}
	}
	f := startIntruder(t, steal("one", "Stolen-Value-One-1"), steal("two", "Stolen-Value-Two-2"))
	for _, server := range servers {
		f.out.waitFor(t, `"change"`, "corp/one", server, `"to":"accepted"`)
		f.out.waitFor(t, `"change"`, "corp/two", server, `"to":"accepted"`)
	}

	reset(t, s, "one", "Fresh-Value-One-9")
	died := time.Now()
	for _, server := range servers {
		f.out.waitFor(t, `"change"`, "corp/one", server, `"to":"refused","detail":"Invalid Credentials"`)
	}
	f.send(Command{Command: Report})
	f.out.waitFor(t, `"summary"`, `"credentials":2,"open":1`)
	results, sum := f.finish()

	require.Len(t, results, 4)
	for _, r := range results {
		require.Positive(t, r.Successes)
		require.Equal(t, Login, r.Via)
		if r.ID == "corp/one" {
			require.Equal(t, "refused", r.State)
			require.False(t, r.FirstRefusal.Before(r.LastSuccess.Time))
			require.LessOrEqual(t, r.Tries-r.Successes, quietAfter+1, "refused tries on %s", r.Server)
		} else {
			require.Equal(t, "accepted", r.State)
			require.True(t, r.FirstRefusal.IsZero())
		}
	}
	require.Equal(t, 2, sum.Credentials)
	require.Equal(t, 1, sum.Open)
	require.Empty(t, Judge(results, []Death{{"corp/one", died}}))
	early := Judge(results, []Death{{"corp/two", died}})
	require.Len(t, early, 2, "the one that lives is not dead on either server")
	require.Equal(t, GotIn, early[0].What)

	require.NotContains(t, f.out.String(), "Value")
	require.NotContains(t, f.out.String(), "ou=people")

	// Both URLs are one server here, so it saw at most twice quietAfter+1
	// refusals.
	c, err := ldap.DialURL(s.LDAPS(), ldap.DialWithTLSConfig(trusting(t, s.CA)))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Bind(s.AccountDN("one"), "Fresh-Value-One-9"), "the account is not locked")
}

func TestAServerThatGoesAwayAndComesBackIsNotARefusal(t *testing.T) {
	s := newDirectory(t, lab.SlapdPolicy{}, lab.Account{UID: "one", Password: "Stolen-Value-One-1"})
	f := startIntruder(t, Stolen{ID: "corp/one", Kind: LDAP, Servers: []string{s.LDAPS()}, CAPEM: s.CA, DN: s.AccountDN("one"), Password: "Stolen-Value-One-1"})
	f.out.waitFor(t, `"change"`, `"to":"accepted"`)
	require.NoError(t, s.Stop(t.Context()))
	f.out.waitFor(t, `"change"`, `"to":"unreachable"`)
	f.send(Command{Command: Report})
	f.out.waitFor(t, `"summary"`, `"open":1`)
	require.NoError(t, s.Restart(t.Context()))
	f.out.waitFor(t, `"change"`, `"from":"unreachable","to":"accepted"`)
	results, _ := f.finish()
	require.True(t, results[0].FirstRefusal.IsZero())
}

func TestACertificateOfAnotherAuthorityIsNotTrusted(t *testing.T) {
	s := newDirectory(t, lab.SlapdPolicy{}, lab.Account{UID: "one", Password: "Stolen-Value-One-1"})
	other, err := lab.NewCA()
	require.NoError(t, err)
	f := startIntruder(t, Stolen{ID: "corp/one", Kind: LDAP, Servers: []string{s.LDAPS(), s.LDAP()}, CAPEM: string(other.PEM), DN: s.AccountDN("one"), Password: "Stolen-Value-One-1"})
	for _, server := range []string{s.LDAPS(), s.LDAP()} {
		f.out.waitFor(t, `"change"`, server, `"to":"unreachable"`)
	}
	_, sum := f.finish()
	require.Zero(t, sum.Successes)
}
