package e2e

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// state is what an administrator, or somebody who guesses, does to an account,
// and how an administrator mends it.
type state struct {
	reason protocol.Reason
	apply  func(e *estate.Estate, dn string) error
	mend   map[string]string // attributes; empty: the next reset mends it
	advice string            // in the report
}

var states = []state{
	{protocol.ReasonLocked, func(e *estate.Estate, dn string) error {
		for range 3 { // the domain's threshold
			if err := refusedLogin(e, dn); err != nil {
				return err
			}
		}
		return nil
	}, map[string]string{"lockoutTime": "0"}, "Unlock it"},
	{protocol.ReasonDisabled, func(e *estate.Estate, dn string) error {
		return change(e, dn, map[string]string{"userAccountControl": strconv.Itoa(normalAccount | accountDisable)})
	}, map[string]string{"userAccountControl": strconv.Itoa(normalAccount)}, "Enable it for the time"},
	{protocol.ReasonExpired, func(e *estate.Estate, dn string) error {
		return change(e, dn, map[string]string{"accountExpires": "132000000000000000"}) // in 2019
	}, map[string]string{"accountExpires": "0"}, "Extend the expiry"},
	{protocol.ReasonMustChange, func(e *estate.Estate, dn string) error {
		return change(e, dn, map[string]string{"userAccountControl": strconv.Itoa(normalAccount), "pwdLastSet": "0"})
	}, nil, ""},
}

// Flags of userAccountControl ([MS-ADTS] 2.2.16). Without DONT_EXPIRE_PASSWORD,
// which would keep a password from having to be changed.
const (
	normalAccount  = 0x200
	accountDisable = 0x2
)

// moments at which an account comes into its state.
var moments = []string{"before the campaign", "between Set and Activate", "between Retire and Prove"}

// No refusal of an account in such a state may pass for the proof that its
// stolen password is dead, whenever it came into it.
func TestAccountsThatAreLockedDisabledExpiredOrMustChangeAreOpenUntilTheyAreMended(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 1, Domain: len(states)*len(moments) + 2})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 500ms, deadline: 10m, batch: 20}\n")
	require.NoError(t, err)
	proxy := ldapProxy(t, e, e.Domain.LDAPS())
	u := newUser(t, e, file).edited(e.Domain.LDAPS(), proxy.URL())
	// What is done to an account while its reset is answered takes a while.
	u = u.edited("driver: active-directory\n", "driver: active-directory\n"+waitsLong)
	u.must("init")

	type victim struct {
		intruder.Stolen
		state
		moment int
	}
	victims, byDN := []victim{}, map[string]victim{}
	for i, s := range inDomain(e)[:len(states)*len(moments)] {
		v := victim{s, states[i%len(states)], i / len(states)}
		victims, byDN[strings.ToLower(s.DN)] = append(victims, v), v
		if v.moment == 0 {
			require.NoError(t, v.apply(e, s.DN))
		}
	}
	var mu sync.Mutex
	resets, wrong := map[string]int{}, []error{}
	proxy.OnReply(func(r faultproxy.Request) {
		if r.Kind != "modify" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		dn := strings.ToLower(r.Detail)
		resets[dn]++
		if v, ok := byDN[dn]; ok && v.moment == resets[dn] {
			if err := v.apply(e, v.DN); err != nil {
				wrong = append(wrong, err)
			}
		}
	})

	cmd, said := u.begin("run")
	open := map[string]victim{} // until an administrator mends them
	for _, v := range victims {
		if v.mend != nil {
			open[v.ID] = v
		}
	}
	requireSoon(t, "each is open for its own reason, and all others are dead", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool {
			v, is := open[l.ID]
			return is && l.Outcome == "" && l.Reason == v.reason || !is && l.Outcome == ledger.Dead
		}) == len(e.Stolen)
	})
	require.Never(t, func() bool { return len(deaths(t, u.ledger())) > len(e.Stolen)-len(open) }, 2*time.Second, 100*time.Millisecond,
		"false dead: all that those accounts refuse proves nothing")
	mu.Lock()
	require.Empty(t, wrong)
	mu.Unlock()
	told := openings(t, u)
	report := u.must("report")
	for _, v := range victims {
		if v.moment > 0 {
			require.True(t, slices.ContainsFunc(told[v.ID], func(o opening) bool { return o.reason == v.reason }), "%s, %s: %v", v.DN, moments[v.moment], told[v.ID])
		}
		require.Contains(t, report, v.advice)
	}
	require.Empty(t, intruder.Judge(startRaid(t, e).end(), deaths(t, u.ledger())), "the intruder disagrees with the ledger")
	for _, s := range inDomain(e) {
		locked := domainAttr(t, e, s.DN, "lockoutTime") != "0"
		require.Equal(t, byDN[strings.ToLower(s.DN)].reason == protocol.ReasonLocked, locked, "%s: Rollcall locks nobody", s.DN)
	}

	for _, v := range open {
		require.NoError(t, change(e, v.DN, v.mend))
	}
	require.NoError(t, cmd.Wait(), said.String())
	requireConsumersServed(t, e)
	requireAllDead(t, u.ledger(), startRaid(t, e).end())
	for _, l := range u.ledger().Credentials {
		require.Equal(t, protocol.ProofBind, l.Proof, l.Name)
		require.Equal(t, 2, versions(t, e.Vault.Client(), e.Live[l.ID]), "consumers of %s see one change", l.Name)
	}
	for _, s := range inDomain(e) {
		require.Equal(t, "0", domainAttr(t, e, s.DN, "lockoutTime"), s.DN)
	}
}

// opening is why a pass left a credential open.
type opening struct {
	step   protocol.Step
	reason protocol.Reason
	server string
	until  time.Time
}

// openings are why passes left each credential open.
func openings(t *testing.T, u *user) map[string][]opening {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(u.e.Dir, "ledger", "*", "ledger.json"))
	require.NoError(t, err)
	r, err := ledger.OpenReader(filepath.Dir(folders[len(folders)-1]))
	require.NoError(t, err)
	out := map[string][]opening{}
	require.NoError(t, r.Entries(t.Context(), 0, func(_ uint64, entry ledger.Entry) error {
		if entry.Event == ledger.EventOpen {
			out[entry.Credential] = append(out[entry.Credential], opening{entry.Step, entry.Reason, entry.Server, entry.Until})
		}
		return nil
	}))
	return out
}

// refusedLogin offers a wrong password at the domain controller itself.
func refusedLogin(e *estate.Estate, dn string) error {
	conn, err := e.Domain.AdminConn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Bind(dn, credential.NewSecret("not the password").Reveal()); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		return err
	}
	return nil
}

// change replaces attributes as the domain's Administrator.
func change(e *estate.Estate, dn string, to map[string]string) error {
	conn, err := e.Domain.AdminConn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	req := ldap.NewModifyRequest(dn, nil)
	for name, value := range to {
		req.Replace(name, []string{value})
	}
	return conn.Modify(req)
}
