package snmp

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type office struct {
	t *testing.T
	*lab.SNMPD
}

var (
	right = credential.NewSecret("the-value-of-the-user-1")
	wrong = doortest.Wrong
)

func newOffice(t *testing.T) *office {
	t.Helper()
	pass := right.Reveal()
	return &office{t, doortest.Start(t, lab.StartSNMPD, lab.SNMPDOptions{Dir: t.TempDir(), Config: []string{
		"createUser signs SHA " + pass, "rouser signs authNoPriv",
		"createUser both SHA " + pass + " AES " + pass, "rouser both authPriv",
		"createUser two SHA " + pass + " AES another-passphrase", "rouser two authPriv",
		"createUser long SHA-512 " + pass + " AES " + pass, "rouser long authPriv",
		"createUser old MD5 " + pass + " DES " + pass, "rouser old authPriv",
		"createUser norights SHA " + pass,
		"createUser nokey", "rouser nokey noAuthNoPriv",
		"rocommunity good 127.0.0.1", "rocommunity elsewhere 192.0.2.1", "rocommunity narrow 127.0.0.1 .1.3.6.1.4.1.8072",
	}})}
}

func (s *office) settings(kind string) door.Settings {
	return door.Settings{Type: kind, Address: s.Address(), TLS: door.Types[kind].TLS[0], Timeout: time.Minute} // of which each answer has a second
}

func (s *office) ask(at door.Settings, login string, value credential.Secret) protocol.Reply {
	s.t.Helper()
	if at.Type == "snmpv2c" {
		return doortest.Ask(s.t, OpenCommunity(at), login, value)
	}
	return doortest.Ask(s.t, Open(at, nil), login, value)
}

func TestWhatAnAgentsAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	v3 := s.settings("snmp")
	with := func(auth, priv string) door.Settings {
		at := v3
		at.AuthProtocol, at.PrivProtocol = auth, priv
		return at
	}
	for _, row := range []struct {
		at           door.Settings
		login        string
		right, wrong protocol.Reply
		why          string
	}{
		{v3, "signs", protocol.Accepted, protocol.Refused, "wrongDigests"},
		{v3, "both", protocol.Accepted, protocol.Refused, "authorizationError is a signed answer"},
		{with("sha", "aes"), "both", protocol.Accepted, protocol.Refused, "both by one passphrase"},
		{v3, "two", protocol.Accepted, protocol.Refused, "of the passphrase for signing alone"},
		{with("sha", "aes"), "two", protocol.Restricted, protocol.Refused, "the privacy passphrase is another: silence, and it signs"},
		{with("sha", "des"), "both", protocol.Restricted, protocol.Refused, "another privacy protocol, likewise"},
		{with("sha512", "aes"), "long", protocol.Accepted, protocol.Refused, "SHA-512"},
		{with("md5", "des"), "old", protocol.Accepted, protocol.Refused, "MD5 and DES"},
		{with("md5", ""), "both", protocol.Refused, protocol.Refused, "another protocol: the same as wrong"},
		{v3, "norights", protocol.Accepted, protocol.Refused, "a user without any rights"},
		{v3, "nokey", protocol.NotThisWay, protocol.NotThisWay, "unsupportedSecLevels"},
		{v3, "nobody-of-that-name", protocol.Gone, protocol.Gone, "unknownUserNames"},
		{v3, "", protocol.NotThisWay, protocol.NotThisWay, "no name"},
		{v3, "a-name-of-more-than-thirty-two-bytes", protocol.NotThisWay, protocol.NotThisWay, "too long a name"},
	} {
		require.Equal(t, row.right, s.ask(row.at, row.login, right), "%s: %s", row.login, row.why)
		require.Equal(t, row.wrong, s.ask(row.at, row.login, wrong), "%s: %s", row.login, row.why)
	}
	require.Equal(t, protocol.NotThisWay, s.ask(v3, "signs", credential.Secret{}))
}

// The passphrase that encrypts may be one of its own.
func TestThePassphraseThatEncryptsIsTriedByItself(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	private := credential.NewSecret("another-passphrase")
	at := s.settings("snmp")
	at.Auth, at.PrivProtocol = door.ByPrivacy, "aes"
	signing := right
	open := func() *V3 {
		return Open(at, func(context.Context) (credential.Secret, error) { return signing, nil })
	}
	ask := func(login string, value credential.Secret) protocol.Reply {
		s.t.Helper()
		return doortest.Ask(s.t, open(), login, value)
	}
	require.Equal(t, protocol.Accepted, ask("two", private))
	require.Equal(t, protocol.Refused, ask("two", wrong), "silence, and what is signed alone is answered")
	require.Equal(t, protocol.Refused, ask("two", right), "the one that signs encrypts nothing")
	require.Equal(t, protocol.Accepted, ask("two", private))
	require.Equal(t, protocol.Accepted, ask("both", right))
	require.Equal(t, protocol.Gone, ask("nobody-of-that-name", private))
	require.Equal(t, protocol.NotThisWay, ask("two", credential.Secret{}))
	signing = wrong
	require.Equal(t, protocol.NotThisWay, ask("two", private), "the passphrase that signs is another by now")
	signing = credential.Secret{}
	require.Equal(t, protocol.Unreachable, ask("two", private))
	signing = right
	s.Process().Pause()
	at.Timeout = time.Second
	require.Equal(t, protocol.Unreachable, ask("two", private))
	require.Equal(t, protocol.Unreachable, ask("two", wrong))
	s.Process().Resume()
	require.NoError(t, s.Stop(t.Context()))
	require.Equal(t, protocol.Unreachable, ask("two", wrong), "nobody is there")
}

func TestWhatAnAgentsSilenceMeans(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	v2c := s.settings("snmpv2c")
	for community, want := range map[string]protocol.Reply{
		"good":      protocol.Accepted,
		"narrow":    protocol.Accepted, // noSuchObject
		"elsewhere": protocol.Refused,  // of another address: the same as wrong
		"wrong":     protocol.Refused,
		"":          protocol.NotThisWay,
	} {
		require.Equal(t, want, s.ask(v2c, "any", credential.NewSecret(community)), community)
	}
	v3, both := s.settings("snmp"), s.settings("snmp")
	both.PrivProtocol = "aes"
	for _, at := range []door.Settings{v3, v2c} {
		software, err := software(t.Context(), at)
		require.NoError(t, err)
		require.Equal(t, "SNMPv3, net-snmp", software)
	}

	s.Process().Pause()
	for _, at := range []door.Settings{v3, both, v2c} {
		at.Timeout = time.Second
		require.Equal(t, protocol.Unreachable, s.ask(at, "both", right))
		_, err := software(t.Context(), at)
		require.ErrorContains(t, err, "no answer to SNMPv3's discovery")
	}
	s.Process().Resume()
	require.NoError(t, s.Stop(t.Context()))
	for _, at := range []door.Settings{v3, both, v2c} {
		require.Equal(t, protocol.Unreachable, s.ask(at, "both", right), "nobody is there")
	}
}

func TestAnAgentKeepsOldValuesUntilItIsReloaded(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	v3, v2c := s.settings("snmp"), s.settings("snmpv2c")
	good, after := credential.NewSecret("good"), credential.NewSecret("another-passphrase")
	require.NoError(t, s.Configure("createUser signs SHA "+after.Reveal(), "rouser signs authNoPriv", "rocommunity new 127.0.0.1"))
	require.Equal(t, protocol.Accepted, s.ask(v2c, "any", good), "not reloaded")
	require.Equal(t, protocol.Accepted, s.ask(v3, "signs", right))
	require.Equal(t, protocol.Refused, s.ask(v2c, "any", credential.NewSecret("new")), "and the new one is refused meanwhile")
	require.Equal(t, protocol.Refused, s.ask(v3, "signs", after))
	require.NoError(t, syscall.Kill(s.Process().Pid(), syscall.SIGHUP))
	require.Eventually(t, func() bool { return s.ask(v2c, "any", credential.NewSecret("new")) == protocol.Accepted }, time.Minute, 50*time.Millisecond)
	require.Equal(t, protocol.Refused, s.ask(v2c, "any", good))
	for range 2 {
		require.Equal(t, protocol.Refused, s.ask(v3, "signs", right))
		require.Equal(t, protocol.Accepted, s.ask(v3, "signs", after))
		// Nor does the file bring it back in which the agent keeps its users.
		require.NoError(t, s.Stop(t.Context()))
		require.NoError(t, s.Start(t.Context()))
	}
}
