package ldapbind

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func opened(s door.Settings) door.Door { return Open(s) }

type office struct{ doortest.Office }

func newOffice(t *testing.T, tellsLocked bool) *office {
	t.Helper()
	accounts := lab.SeedAccounts("svc-", 8)
	accounts[1].Attrs = map[string][]string{"pwdAccountLockedTime": {"000001010000Z"}}
	accounts[2].ChangedAt = time.Now().Add(-40 * 24 * time.Hour)
	accounts[3].Attrs = map[string][]string{"pwdReset": {"TRUE"}}
	s := &office{doortest.NewOffice(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{TellLocked: tellsLocked, MaxFailure: 100, MustChange: true}, Accounts: accounts})}
	c, err := s.Directory.AdminConn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	m := ldap.NewModifyRequest("cn=default,ou=policies,"+s.Directory.BaseDN(), nil)
	m.Replace("pwdMaxAge", []string{"2592000"})
	require.NoError(t, c.Modify(m))
	return s
}

func (s *office) proxy(o lab.SlapdProxyOptions) *lab.SlapdProxy {
	s.T.Helper()
	o.Dir, o.CA, o.Behind = s.T.TempDir(), s.CA, s.Directory
	return doortest.Start(s.T, lab.StartSlapdProxy, o)
}

func (s *office) settings(kind, url string) door.Settings {
	address := strings.TrimPrefix(strings.TrimPrefix(url, "ldaps://"), "ldap://")
	return door.Settings{Type: kind, Address: address, TLS: door.Types[kind].TLS[0], CA: string(s.CA.PEM), Timeout: 30 * time.Second}
}

func (s *office) ask(at door.Settings, uid string, value credential.Secret) protocol.Reply {
	s.T.Helper()
	return doortest.Ask(s.T, Open(at), s.Directory.AccountDN(uid), value)
}

var wrong = doortest.Wrong

// Each cell of the table, in the three ways of securing it, without and with
// ppolicy_use_lockout.
func TestWhatADirectorysAnswersMean(t *testing.T) {
	t.Parallel()
	for _, tell := range []bool{false, true} {
		s := newOffice(t, tell)
		clear := s.settings("ldap", s.Directory.LDAP())
		clear.TLS = door.ClearText
		for name, at := range map[string]door.Settings{
			"ldap": s.settings("ldap", s.Directory.LDAP()), "ldaps": s.settings("ldaps", s.Directory.LDAPS()), "clear text": clear,
		} {
			require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")), name)
			require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong), name)
			require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")), name)
			require.Equal(t, protocol.Refused, s.ask(at, "nobody", wrong), "slapd hides who is there")
			locked := protocol.Refused
			if tell {
				locked = protocol.Locked
			}
			require.Equal(t, locked, s.ask(at, "svc-0002", s.Right("svc-0002")), name)
			require.Equal(t, locked, s.ask(at, "svc-0002", wrong), name)
			require.Equal(t, protocol.PasswordExpired, s.ask(at, "svc-0003", s.Right("svc-0003")), "the value was right")
			require.Equal(t, protocol.Refused, s.ask(at, "svc-0003", wrong), name)
			require.Equal(t, protocol.MustChange, s.ask(at, "svc-0004", s.Right("svc-0004")), "the value was right")
			require.Equal(t, protocol.Refused, s.ask(at, "svc-0004", wrong), name)
			// Servers take these for an anonymous login.
			require.Equal(t, protocol.NotThisWay, s.ask(at, "svc-0001", credential.Secret{}), name)
			require.Equal(t, protocol.NotThisWay, doortest.Ask(t, Open(at), "", wrong), name)
			require.Equal(t, protocol.NotThisWay, doortest.Ask(t, Open(at), "no name of a directory", wrong), name)
			software, err := Open(at).Software(t.Context())
			require.NoError(t, err)
			require.Equal(t, "OpenLDAP", software)
		}
		s.Directory.Process().Pause()
		hangs := clear
		hangs.Timeout = 300 * time.Millisecond
		require.Equal(t, protocol.Unreachable, s.ask(hangs, "svc-0001", s.Right("svc-0001")))
		s.Directory.Process().Resume()
	}
}

func TestWhatAProxysAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t, false)
	plain := s.proxy(lab.SlapdProxyOptions{})
	at := s.settings("ldaps", plain.Address("ldaps"))
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong))
	require.Equal(t, protocol.PasswordExpired, s.ask(at, "svc-0003", s.Right("svc-0003")), "the policy's word comes through")
	require.Equal(t, protocol.MustChange, s.ask(at, "svc-0004", s.Right("svc-0004")), "the policy's word comes through")

	// Rules that ask for more than the door's settings: whatever the value.
	strict := s.settings("ldap", s.proxy(lab.SlapdProxyOptions{Conf: []string{"security simple_bind=128"}}).Address("ldap"))
	require.Equal(t, protocol.Accepted, s.ask(strict, "svc-0001", s.Right("svc-0001")))
	strict.TLS = door.ClearText
	for _, value := range []credential.Secret{s.Right("svc-0001"), wrong} {
		require.Equal(t, protocol.NotThisWay, s.ask(strict, "svc-0001", value), "confidentiality required")
		require.Equal(t, protocol.NotThisWay, s.ask(s.settings("ldaps", s.proxy(lab.SlapdProxyOptions{Conf: []string{"disallow bind_simple"}}).Address("ldaps")), "svc-0001", value), "unwilling to perform")
	}

	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", s.Right("svc-0001")), "52")
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", wrong), "52")
}

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t, false)
	subject := doortest.Subject{At: s.settings("ldaps", s.Directory.LDAPS()), Open: opened, Login: s.Directory.AccountDN("svc-0001"), Value: s.Right("svc-0001")}
	subject.Certificates(t)
	subject.NotTLS(t)
	subject.At = s.settings("ldap", s.Directory.LDAP())
	subject.Certificates(t)
	subject.Foul(t)
	subject.At.TLS = door.ClearText
	// Packets that promise 2 GiB, and that nest without an end.
	subject.Foul(t, "\x30\x84\x7f\xff\xff\xff\x02\x84\x7f\xff\xff\xf0", "\x30\x80")
	subject.Cut(t, subject.At, subject.Value, protocol.Accepted)
	subject.Cut(t, subject.At, wrong, protocol.Refused)
	subject.Login = s.Directory.AccountDN("svc-0003")
	subject.Cut(t, subject.At, s.Right("svc-0003"), protocol.PasswordExpired)
	subject.Login = s.Directory.AccountDN("svc-0004")
	subject.Cut(t, subject.At, s.Right("svc-0004"), protocol.MustChange)
}

// What servers that no test here starts say: the sub-codes of domain
// controllers (Samba 4.17 was tried: 52e, 533, 701, 773 and 775), and results
// of RFC 4511.
func TestWhatResultsMean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]protocol.Reply{
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 52e, v2580": protocol.Refused,
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 525, v2580": protocol.Gone,
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 773, v2580": protocol.PasswordExpired,
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 533, v2580": protocol.Restricted,
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 775, v2580": protocol.Locked,
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 999, v2580": protocol.NotThisWay,
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error":                  protocol.NotThisWay,
		"": protocol.Refused,
	} {
		require.Equal(t, want, refusal(ldap.NewError(ldap.LDAPResultInvalidCredentials, errors.New(text)), noPolicyError).Reply, text)
	}
	for code, want := range map[uint16]protocol.Reply{
		ldap.LDAPResultConstraintViolation: protocol.Locked, ldap.LDAPResultUnavailable: protocol.Unreachable, ldap.LDAPResultBusy: protocol.Unreachable,
		ldap.LDAPResultUnwillingToPerform: protocol.NotThisWay, ldap.LDAPResultInappropriateAuthentication: protocol.NotThisWay,
		ldap.LDAPResultConfidentialityRequired: protocol.NotThisWay, ldap.ErrorNetwork: protocol.Unreachable, 4000: protocol.Unreachable, 118: protocol.NotThisWay,
	} {
		require.Equal(t, want, refusal(ldap.NewError(code, errors.New("said")), noPolicyError).Reply, code)
	}
}

func TestADirectoryThatBeginsNoTLSIsNotTheDoorOfTheFile(t *testing.T) {
	t.Parallel()
	s := newOffice(t, false)
	at := s.settings("ldap", s.proxy(lab.SlapdProxyOptions{NoTLS: true}).Address("ldap"))
	doortest.Subject{At: at, Login: s.Directory.AccountDN("svc-0001"), Value: s.Right("svc-0001"), Open: opened}.BeginsNoTLS(t, "2 to StartTLS")
}

// What is no result of a directory's says nothing of TLS, nor does one that
// passes.
func TestWhatIsNoResultToStartTLSIsAsSilence(t *testing.T) {
	t.Parallel()
	result := func(code byte) string {
		return "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01" + string([]byte{code}) + "\x04\x00\x04\x00"
	}
	for says, fault := range map[string]door.Fault{
		result(2):              door.NoTLS,
		result(11):             "", // its administrator's limit
		result(51):             "", // busy
		result(52):             "", // unavailable
		"\x30\x03\x02\x01\x01": "",
		"\x30\x00":             "",
	} {
		at := door.Settings{Type: "ldap", TLS: door.StartTLS, Address: doortest.Says(t, says), Timeout: 3 * time.Second}
		said := Open(at).Ask(t.Context(), "uid=x", credential.NewSecret("some value"))
		require.Equal(t, protocol.Unreachable, said.Reply, "%q", says)
		require.Equal(t, fault, said.Fault, "%q: %s", says, said.Code)
	}
}
