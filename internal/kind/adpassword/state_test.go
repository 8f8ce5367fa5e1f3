package adpassword

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/directory/adacl"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// No refusal of an account in one of these states may pass for a wrong
// password.
func TestEveryStateOfAnAccountHasItsOwnAnswer(t *testing.T) {
	restricted := []credential.Problem{credential.Restricted}
	for name, row := range map[string]struct {
		apply        func(t *testing.T, dn string)
		state        protocol.Reply
		right, wrong protocol.Reply
		reason       protocol.Reason
		hindered     []credential.Problem // before Set
	}{
		"locked":   {lock, protocol.Locked, protocol.Locked, protocol.Locked, protocol.ReasonLocked, nil},
		"disabled": {disable, protocol.Disabled, protocol.Disabled, protocol.Disabled, protocol.ReasonDisabled, nil},
		"expired":  {expire, protocol.Expired, protocol.Expired, protocol.Expired, protocol.ReasonExpired, nil},
		// A reset lifts it, so a wrong password is told from the right one.
		"must change": {mustChange, protocol.Accepted, protocol.PasswordExpired, protocol.Refused, protocol.ReasonMustChange, nil},
		"only from another computer": {func(t *testing.T, dn string) { put(t, dn, "userWorkstations", "ELSEWHERE") },
			protocol.Accepted, protocol.Restricted, protocol.Refused, protocol.ReasonRestricted, restricted},
		"at no hour": {func(t *testing.T, dn string) { put(t, dn, "logonHours", string(make([]byte, 21))) },
			protocol.Accepted, protocol.Restricted, protocol.Refused, protocol.ReasonRestricted, restricted},
		"within its hours": {func(t *testing.T, dn string) { put(t, dn, "logonHours", hours(-1, 0, 1, 2, 3)) },
			protocol.Accepted, protocol.Accepted, protocol.Refused, "", nil},
		"at the end of its hours": {func(t *testing.T, dn string) { put(t, dn, "logonHours", hours(-1, 0)) },
			protocol.Accepted, protocol.Accepted, protocol.Refused, "", restricted},
		"outside of its hours": {func(t *testing.T, dn string) { put(t, dn, "logonHours", hours(2, 3)) },
			protocol.Accepted, protocol.Restricted, protocol.Refused, protocol.ReasonRestricted, restricted},
		"a protected user": {func(t *testing.T, dn string) {
			add(t, "CN=Protected Users,CN=Users,"+dc(t).BaseDN(), "member", dn)
		}, protocol.NotThisWay, protocol.NotThisWay, protocol.NotThisWay, protocol.ReasonRestricted, nil},
		"at every hour": {func(t *testing.T, dn string) { put(t, dn, "logonHours", strings.Repeat("\xff", 21)) },
			protocol.Accepted, protocol.Accepted, protocol.Refused, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := authority(t)
			var shown kind.Account
			var right, wrong protocol.Reply
			for began := (time.Time{}); !sameHour(began, time.Now()); { // what is put goes by the hour of then
				c, inForce := account(t)
				acc := show(t, a, c)
				began = time.Now()
				row.apply(t, c.Name)
				shown = show(t, a, c)
				right, wrong = try(t, a, acc, inForce), try(t, a, acc, fresh(t, a))
			}
			require.Equal(t, row.state, shown.State)
			require.Equal(t, row.hindered, shown.Hindered)
			require.Equal(t, row.right, right)
			require.Equal(t, row.wrong, wrong)
			if row.reason != "" {
				require.Equal(t, row.reason, protocol.StopFor(row.right, "").Reason)
			}
		})
	}
}

func sameHour(a, b time.Time) bool { return a.Truncate(time.Hour).Equal(b.Truncate(time.Hour)) }

// hours lets log in at those from now on, and at no others: bits of a week that
// begins on Sunday, in UTC, the lowest of each byte first.
func hours(from ...int) string {
	week := make([]byte, 21)
	for _, n := range from {
		at := time.Now().Add(time.Duration(n) * time.Hour).UTC()
		bit := int(at.Weekday())*24 + at.Hour()
		week[bit/8] |= 1 << (bit % 8)
	}
	return string(week)
}

func TestAPasswordThatMustBeChangedIsLiftedByTheReset(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	mustChange(t, c.Name)
	acc := show(t, a, c)
	require.Equal(t, protocol.PasswordExpired, try(t, a, acc, stolen), "who has it can still change it")
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	_, _, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, try(t, a, acc, stolen))
	require.Equal(t, protocol.Accepted, try(t, a, acc, next))
}

// Without the right Unexpire Password a domain controller of Microsoft leaves
// pwdLastSet 0 behind a reset. Samba does not ask for that right, so the
// Administrator leaves the account as such a reset would.
func TestAResetThatLeavesThePasswordExpiredIsNotAcceptedAndTheNextOneLiftsIt(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	put(t, c.Name, "userAccountControl", "512")
	acc := show(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	put(t, c.Name, "pwdLastSet", "0")
	require.Equal(t, protocol.PasswordExpired, try(t, a, acc, next))
	require.Equal(t, protocol.Accepted, show(t, a, c).State)
	require.Contains(t, protocol.StopFor(protocol.PasswordExpired, "").Detail, "Unexpire Password")
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	require.Equal(t, protocol.Accepted, try(t, a, acc, next))
}

// The domain locks at three refused logins.
func TestProvingOverAndOverLocksNobody(t *testing.T) {
	a := authority(t)
	c, stolen := account(t)
	acc := show(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, stolen))
	_, _, err := a.Retire(t.Context(), acc, next)
	require.NoError(t, err)
	for range 6 {
		require.Equal(t, protocol.Refused, try(t, a, acc, stolen))
		require.Equal(t, protocol.Accepted, try(t, a, acc, next))
	}
	require.Equal(t, protocol.Accepted, show(t, a, c).State)
}

func TestTheRefusalThatLocksIsCalledLocked(t *testing.T) {
	a := authority(t)
	c, _ := account(t)
	acc := show(t, a, c)
	began := time.Now()
	require.Equal(t, protocol.Refused, try(t, a, acc, fresh(t, a)))
	require.Equal(t, protocol.Refused, try(t, a, acc, fresh(t, a)))
	require.Equal(t, protocol.Locked, try(t, a, acc, fresh(t, a)))
	// The lab's domain locks for half an hour.
	require.WithinRange(t, show(t, a, c).LockedUntil, began.Add(30*time.Minute+30*time.Second), time.Now().Add(31*time.Minute+30*time.Second))
}

func TestAMovedAccountIsFoundAndAnotherUnderItsOldNameIsNot(t *testing.T) {
	a := authority(t)
	c, inForce := account(t)
	acc := show(t, a, c)
	moved := move(t, c.Name, "CN=moved "+c.Subject)
	require.Equal(t, moved, show(t, a, c).Name)
	require.Equal(t, protocol.Accepted, try(t, a, show(t, a, c), inForce))
	got, err := a.Try(t.Context(), a.Servers()[0], acc, inForce)
	require.True(t, err != nil || got == protocol.Gone, "the old name proves nothing: %s", got)
	require.Equal(t, protocol.Gone, show(t, a, credential.Credential{Subject: "00000000-0000-0000-0000-000000000000"}).State)
}

func TestAnAccountWhoseNameEndsInADollarIsNeverReset(t *testing.T) {
	a := authority(t)
	client := directoryAsAdmin(t)
	var c credential.Credential
	require.NoError(t, client.Search(t.Context(), client.Servers()[0], "", "(sAMAccountName=*$)", nil, func(e directory.Entry) error {
		c = credential.Credential{ID: "ad/" + e.ID, Subject: e.ID, Name: e.DN}
		return nil
	}))
	require.NotEmpty(t, c.ID, "the domain controller's own")
	_, err := a.Account(t.Context(), a.Servers()[0], c)
	requireStop(t, err, protocol.ReasonComputer, "never reset")
	require.Empty(t, a.Accounts(t.Context(), a.Servers()[0], []credential.Credential{c}))
}

// How many wrong logins are left before one locks the account is the domain's
// to say: three here. Whether a fine-grained policy holds instead is shown to
// administrators alone, so the worker counts with two.
func TestAnAccountTellsHowManyRefusedLoginsLockIt(t *testing.T) {
	a := authority(t)
	c, _ := account(t)
	require.Equal(t, []int{2, 0}, []int{show(t, a, c).Locks, show(t, a, c).Failed})
	require.True(t, show(t, a, c).LocksHidden)
	require.False(t, logsIn(t, c.Name, fresh(t, a)))
	require.Equal(t, 1, show(t, a, c).Failed)
}

// With a short history the second reset is no cure for consumers that still
// have the stolen value: each of their tries counts.
func TestADomainWithAShortHistoryIsTold(t *testing.T) {
	put(t, dc(t).BaseDN(), "pwdHistoryLength", "2")
	defer put(t, dc(t).BaseDN(), "pwdHistoryLength", "24")
	var said []string
	for _, c := range directoryAsAdmin(t).Check(t.Context()) {
		if directory.IsNote(c.What) {
			require.True(t, c.OK)
			said = append(said, c.Detail)
		}
	}
	require.Len(t, said, 1)
	require.Contains(t, said[0], "remembers 2 passwords")
}

// The listing keeps such accounts open, and so does what is read before Set,
// because a principal can be given to an account at any time.
func TestAnAccountThatAResetWouldHarmIsNotResetByTheKindEither(t *testing.T) {
	a := authority(t)
	for name, row := range map[string]struct {
		apply   func(dn string)
		problem credential.Problem
	}{
		"a copy for UNIX": {func(dn string) {
			put(t, dn, "unixUserPassword", "$6$abc$def")
			require.NoError(t, dc(t).AddACE(t.Context(), dn, dc(t).BinderDN, "(OA;;RPCR;"+adacl.UnixUserPassword+";;%s)"))
		}, credential.SecondCopy},
		"a plain copy": {func(dn string) { put(t, dn, "userPassword", "Old-copy-1") }, credential.SecondCopy},
		"principals":   {func(dn string) { put(t, dn, "servicePrincipalName", "HTTP/since-the-listing.example.org") }, credential.HasKeytab},
		"a smart card": {func(dn string) { put(t, dn, "userAccountControl", "262656") }, credential.NoPassword},
	} {
		c, _ := account(t)
		require.Empty(t, show(t, a, c).Hindered)
		row.apply(c.Name)
		acc := show(t, a, c)
		require.Equal(t, []credential.Problem{row.problem}, acc.Hindered, name)
		require.Equal(t, acc.Hindered, a.Accounts(t.Context(), a.Servers()[0], []credential.Credential{c})[c.ID].Hindered)
		requireStop(t, a.Set(t.Context(), acc, fresh(t, a), credential.Secret{}), protocol.Reason(row.problem), "nothing was set")
		acc.Hindered = nil // a person accepted it
		require.NoError(t, a.Set(t.Context(), acc, fresh(t, a), credential.Secret{}))
	}
}

// Reading pwdLastSet comes with Pre-Windows 2000 Compatible Access, out of
// which hardened domains take everybody.
func TestAnAccountThatHidesWhenItsPasswordWasSetHasNoMark(t *testing.T) {
	a := authority(t)
	c, _ := account(t)
	require.NotEmpty(t, show(t, a, c).Changed)
	require.NoError(t, dc(t).AddACE(t.Context(), c.Name, dc(t).BinderDN, "(OD;;RP;bf967a0a-0de6-11d0-a285-00aa003049e2;;%s)"))
	acc := show(t, a, c)
	require.True(t, acc.Exact)
	require.Empty(t, acc.Changed)
	require.Equal(t, protocol.Accepted, acc.State)
}

// What a change mark tells of a value that somebody set after ours costs no
// login; ticking must-change, and lifting an expiry, move pwdLastSet alone.
func TestAnotherPasswordIsToldByItsVersionAlone(t *testing.T) {
	a := authority(t)
	c, _ := account(t)
	acc := show(t, a, c)
	require.False(t, a.SetSince(acc, acc.Changed), "this process set nothing")
	require.NoError(t, a.Set(t.Context(), acc, fresh(t, a), credential.Secret{}))
	ours := show(t, a, c).Changed
	require.False(t, a.SetSince(acc, ours))
	require.True(t, a.SetBetween(acc.Changed, ours))
	for _, set := range []string{"0", "-1"} {
		put(t, c.Name, "pwdLastSet", set)
		now := show(t, a, c).Changed
		require.NotEqual(t, ours, now)
		require.False(t, a.SetSince(acc, now))
		require.False(t, a.SetBetween(ours, now))
	}
	require.NoError(t, a.Dir.ResetPassword(t.Context(), acc.Name, fresh(t, a), credential.Secret{}))
	require.True(t, a.SetSince(acc, show(t, a, c).Changed))
	require.False(t, a.SetBetween("", ours), "not shown")
}
