package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/lab"
)

// mailbox is a mail server that lets in whom takes says, by what a login was,
// and keeps what it heard.
type mailbox struct {
	net.Listener
	mu    sync.Mutex
	heard string
}

func (m *mailbox) all() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard
}

func (m *mailbox) told(value string) bool { return strings.Contains(m.all(), value) }

func startMailbox(t *testing.T, e *estate.Estate, address string, takes func(said string) bool) *mailbox {
	t.Helper()
	cert, key, _, err := e.CA.IssueFor("mail.example.org", e.Dir, "mailbox"+strings.NewReplacer(":", "-", ".", "-").Replace(address), time.Hour)
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	m := &mailbox{}
	m.Listener, err = tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	go func() {
		for {
			c, err := m.Accept()
			if err != nil {
				return
			}
			go m.serve(c, takes)
		}
	}()
	return m
}

func (m *mailbox) serve(c net.Conn, takes func(said string) bool) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprint(c, "* OK [CAPABILITY IMAP4rev1] ready\r\n")
	for s := bufio.NewScanner(c); s.Scan(); {
		tag, rest, _ := strings.Cut(s.Text(), " ")
		said := rest
		for _, word := range strings.Fields(rest) {
			if plain, err := base64.StdEncoding.DecodeString(word); err == nil {
				said += string(plain)
			}
		}
		m.mu.Lock()
		m.heard += said + "\n"
		m.mu.Unlock()
		upper := strings.ToUpper(rest)
		switch {
		case strings.HasPrefix(upper, "LOGIN") || strings.HasPrefix(upper, "AUTH"):
			if !takes(said) {
				fmt.Fprintf(c, "%s NO [AUTHENTICATIONFAILED] no\r\n", tag)
				continue
			}
		case strings.HasPrefix(upper, "CAPABILITY"):
			fmt.Fprint(c, "* CAPABILITY IMAP4rev1\r\n")
		}
		fmt.Fprintf(c, "%s OK done\r\n", tag)
	}
}

// A door is an address, as a server is. Where its name leads to the device
// nothing begins and no new value is typed there, however the file writes it;
// where it leads to two machines each is a door of its own; and where a machine
// is dialled is what was looked at when the roll was listed.
func TestADoorIsAnAddressThatWasLookedAt(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	device, err := lab.StartAppliance("127.0.77.7") // silent at the port that is asked
	require.NoError(t, err)
	t.Cleanup(device.Close)
	stolen := accountsNamed(e, "svc-esg-")
	knows := func(old bool) func(string) bool {
		return func(said string) bool {
			for _, a := range stolen {
				if strings.Contains(said, a.uid()) && (strings.Contains(said, live(t, e, e.Live[a.ID]).Reveal()) || old && strings.Contains(said, a.Password)) {
					return true
				}
			}
			return false
		}
	}
	first := startMailbox(t, e, "127.0.77.8:0", knows(false))
	_, port, _ := strings.Cut(first.Addr().String(), ":")
	second := startMailbox(t, e, "127.0.77.9:"+port, knows(true))
	thief := startMailbox(t, e, "127.0.77.7:"+port, knows(false))

	door := func(address string) string {
		return fmt.Sprintf("limits: {retry_min: 200ms, retry_max: 1s, deadline: 4s, batch: 20}\ndoors:\n  mail:\n    type: imaps\n    address: %q\n    ca_file: ca.pem\n    for: [{directory: corp}]\n", address)
	}
	file, err := e.CampaignFile(nil, door("mail.example.org:"+port))
	require.NoError(t, err)
	u, dns := newUser(t, e, file).asking()
	dns.Host("esg-01", [4]byte{127, 0, 77, 7})
	dns.Host("gateway.example.org", [4]byte{127, 0, 77, 7})
	dns.Host("mail.example.org", [4]byte{127, 0, 77, 7})
	u.must("init")
	contained := func(addresses string) *user {
		return u.edited("containment: "+estate.Contained, fmt.Sprintf("containment: {how: isolated, at: 2023-06-08T09:00:00Z, by: estate, addresses: [%s], ports: [%d]}", addresses, device.Port))
	}

	for _, row := range []struct{ file, addresses string }{
		{"mail.example.org:" + port, "127.0.77.7"},    // a name that leads there
		{"127.0.77.7:" + port, "gateway.example.org"}, // an address of a name of the device
		{"mail.example.org:" + port, ""},              // and its own name as well
	} {
		_, err := e.CampaignFile(nil, door(row.file))
		require.NoError(t, err)
		r := contained(row.addresses).run("run")
		require.NotZero(t, r.code, "%s, %s", row.file, row.addresses)
		require.Contains(t, r.err, "door mail is at 127.0.77.7, an address of the device")
		require.Contains(t, r.err, "nothing was started")
	}
	_, err = e.CampaignFile(nil, door("mail.example.org:"+port))
	require.NoError(t, err)
	v := contained("127.0.77.7")
	r := v.run("doctor")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.out, "it was not asked")
	require.Empty(t, thief.all(), "nobody so much as connects")

	// A person goes on all the same: not there.
	r = v.run("run", "--override", "the mail must flow")
	require.Equal(t, 2, r.code, r.out+r.err)
	for _, c := range v.ledger().Credentials {
		require.EqualValues(t, "points-at-device", c.Reason)
	}
	for _, a := range stolen {
		require.False(t, thief.told(live(t, e, e.Live[a.ID]).Reveal()), "the device was told a new value")
	}

	// Two machines under one name: the second one still takes what was stolen.
	dns.Host("mail.example.org", [4]byte{127, 0, 77, 8}, [4]byte{127, 0, 77, 9})
	require.Contains(t, v.must("plan"), "mail@127.0.77.9, imaps://mail.example.org:"+port+"@127.0.77.9: 2 credentials")
	r = v.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	for _, c := range v.ledger().Credentials {
		require.EqualValues(t, "cached-at-door", c.Reason)
		require.Equal(t, "mail@127.0.77.9", c.Server)
	}
	require.NotEmpty(t, second.all())

	// DNS has one of the two, or the file says one: the other one took what was
	// stolen, and nobody says that it does so no more.
	dns.Host("mail.example.org", [4]byte{127, 0, 77, 8})
	r = v.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, strings.Join(strings.Fields(r.out+r.err), " "), "imaps://mail.example.org:"+port+"@127.0.77.9")
	_, err = e.CampaignFile(nil, door("mail.example.org:"+port+"@127.0.77.8"))
	require.NoError(t, err)
	v = contained("127.0.77.7")
	r = v.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, strings.Join(strings.Fields(r.out+r.err), " "), "imaps://mail.example.org:"+port+"@127.0.77.9")
	require.NoError(t, second.Close())
	_, err = e.CampaignFile(nil, strings.Replace(door("mail.example.org:"+port+"@127.0.77.8"), "deadline: 4s", "deadline: 5m", 1))
	require.NoError(t, err)
	v = contained("127.0.77.7")
	v.must("run")
	s := v.ledger()
	require.Equal(t, map[string]string{"mail": "imaps://mail.example.org:" + port + "@127.0.77.8"}, s.Doors)
}
